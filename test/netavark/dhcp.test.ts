/** Containers of Podman's whose addresses a DHCP server gives. */

import { expect, test } from "bun:test";
import { daemon, dnsmasq, leasesIn, pool } from "../support/dhcp.ts";
import { pluginInput, podmanCall } from "../support/netavark.ts";
import { hostWorld, wire } from "../support/world.ts";

test("a container gets its address, gateway and names from a server, and gives the lease back, by the plugin API", async () => {
  await using world = await hostWorld();
  await using server = await dnsmasq(world, {
    more: ["--dhcp-option=option:dns-server,192.0.2.53", "--dhcp-option=option:domain-name,example.com"],
  });
  // Where Podman's plugins keep their leases: it sets no variables for them.
  const place = { records: "/run/ipvlan" };
  const input = pluginInput({
    network: { ipam_options: { driver: "dhcp" }, subnets: null, network_interface: "eth0" },
    options: { static_ips: null },
  });
  const container = await world.container();
  const failed = await podmanCall(world.host, ["setup", container.path], input);
  expect(failed.json).toMatchObject({ error: expect.stringContaining("the DHCP daemon does not answer") });
  expect(await container.linkNames()).toEqual([]);
  await using _ = await daemon(world, place);
  const answer = await podmanCall(world.host, ["setup", container.path], input);
  expect(answer.json).toMatchObject({
    dns_search_domains: ["example.com"],
    dns_server_ips: ["192.0.2.53"],
    interfaces: { eth0: { subnets: [{ ipnet: `${pool.first}/24`, gateway: pool.router }] } },
  });
  expect(await container.reaches(wire.outside.v4)).toBe(true);
  const [route] = await container.json<{ metric: number; gateway: string }[]>("route show default");
  expect(route).toMatchObject({ metric: 99, gateway: pool.router });
  expect(leasesIn(place)).toHaveLength(1);
  expect(await podmanCall(world.host, ["teardown", container.path], input)).toMatchObject({
    exitCode: 0,
    stderr: "",
  });
  await server.says(`DHCPRELEASE(eth0) ${pool.first}`);
  expect(leasesIn(place)).toEqual([]);
});
