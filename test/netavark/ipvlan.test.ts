/** In netavark's place: what netavark demands of its ipvlan driver, on the real one. */

import { expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { netavark, netavarkInput } from "../support/netavark.ts";
import { addressesOf, bed, linkOf, routesOf } from "../support/netavark-bed.ts";

/** The status block of the network called podman. */
function block(answer: {
  json: unknown;
}): { interfaces: Record<string, NetInterface> } & Record<string, unknown> {
  return (answer.json as { podman: ReturnType<typeof block> }).podman;
}

interface NetInterface {
  mac_address: string;
  subnets: { ipnet: string; gateway: string | null }[];
}

const silence = { exitCode: 0, stdout: "", stderr: "" };

test("a simple setup: link, address, default route, and an answer that says so", async () => {
  await using world = await bed();
  const { host, container } = world;
  // Set by Podman, and of no meaning for ipvlan.
  const input = netavarkInput({ network: { dns_enabled: true } });
  const answer = await netavark(host, ["setup", container.path], input);
  expect(answer).toMatchObject({ exitCode: 0, stderr: "" });
  const link = await linkOf(container);
  expect(link?.linkinfo?.info_kind).toBe("ipvlan");
  expect(link?.flags).toContain("UP");
  expect(addressesOf(link)).toEqual(["10.88.0.2/16"]);
  expect(await routesOf(container)).toEqual(["default via 10.88.0.1 metric 99 static"]);
  const autoconf = await container.run(["cat", "/proc/sys/net/ipv6/conf/eth0/autoconf"]);
  expect(autoconf.stdout).toBe("0\n");
  const parent = await linkOf(host, "dummy0");
  expect(link?.address).toBe(parent!.address);
  expect(answer.json).toEqual({
    podman: {
      dns_search_domains: [],
      dns_server_ips: [],
      interfaces: {
        eth0: { mac_address: parent!.address, subnets: [{ ipnet: "10.88.0.2/16", gateway: "10.88.0.1" }] },
      },
    },
  });
  expect(await netavark(host, ["teardown", container.path], input)).toMatchObject(silence);
  expect(await container.linkNames()).toEqual([]);
});

test("the answer is one line of JSON without spaces", async () => {
  await using world = await bed();
  const { stdout } = await netavark(world.host, ["setup", world.container.path], netavarkInput());
  expect(stdout).toMatch(/^\{"podman":\{"dns_search_domains":\[\],\S+\}\n$/);
});

test("the input may come from a file", async () => {
  await using world = await bed();
  const file = `/tmp/netavark-input-${process.pid}.json`;
  await Bun.write(file, JSON.stringify(netavarkInput()));
  const answer = await netavark(world.host, ["--file", file, "setup", world.container.path]);
  await rm(file);
  expect(answer).toMatchObject({ exitCode: 0, stderr: "" });
  expect(addressesOf(await linkOf(world.container))).toEqual(["10.88.0.2/16"]);
});

test("loopback is brought up", async () => {
  await using world = await bed();
  await netavark(world.host, ["setup", world.container.path], netavarkInput());
  expect((await linkOf(world.container, "lo"))?.flags).toContain("UP");
});

test("static routes go by whichever interface reaches their gateway, and teardown removes each", async () => {
  await using world = await bed();
  const { host, container } = world;
  await container.ip("link add dummy0 type dummy\naddress add 10.91.0.10/24 dev dummy0\nlink set dummy0 up");
  const input = netavarkInput({
    options: { static_ips: ["10.88.0.2", "fd:1f1f::2"] },
    network: {
      subnets: [
        { subnet: "10.88.0.0/16", gateway: "10.88.0.1" },
        { subnet: "fd:1f1f::/64", gateway: "fd:1f1f::1" },
      ],
      routes: [
        { destination: "10.89.0.0/24", gateway: "10.88.0.2" },
        { destination: "10.90.0.0/24", gateway: "10.88.0.3" },
        { destination: "10.92.0.0/24", gateway: "10.91.0.1" },
        { destination: "fd:2f2f::/64", gateway: "fd:1f1f::20", metric: 7 },
      ],
    },
  });
  const answer = await netavark(host, ["setup", container.path], input);
  expect(answer).toMatchObject({ exitCode: 0, stderr: "" });
  expect(await routesOf(container)).toEqual([
    "default via 10.88.0.1 metric 99 static",
    "10.89.0.0/24 via 10.88.0.2 metric 100 static",
    "10.90.0.0/24 via 10.88.0.3 metric 100 static",
    "10.92.0.0/24 via 10.91.0.1 metric 100 static",
  ]);
  expect((await routesOf(container, 6)).sort()).toEqual([
    "default via fd:1f1f::1 metric 99 static",
    "fd:2f2f::/64 via fd:1f1f::20 metric 7 static",
  ]);
  expect(await netavark(host, ["teardown", container.path], input)).toMatchObject(silence);
  expect(await routesOf(container)).toEqual([]);
  expect(await routesOf(container, 6)).toEqual([]);
  expect(await container.linkNames()).toEqual(["dummy0"]);
});

test("routes to nowhere of each type, which outlive a link, are made and removed", async () => {
  await using world = await bed();
  const { host, container } = world;
  const input = netavarkInput({
    network: {
      routes: [
        { destination: "10.95.0.0/24", route_type: "blackhole" },
        { destination: "10.96.0.0/24", gateway: null, metric: 5, route_type: "unreachable" },
        { destination: "fd:96::/64", route_type: "prohibit" },
        { destination: "10.97.0.0/24", gateway: "10.88.0.9", metric: null, route_type: "" },
      ],
    },
  });
  const answer = await netavark(host, ["setup", container.path], input);
  expect(answer).toMatchObject({ exitCode: 0, stderr: "" });
  expect((await routesOf(container)).slice(1)).toEqual([
    "blackhole 10.95.0.0/24 metric 100 static",
    "unreachable 10.96.0.0/24 metric 5 static",
    "10.97.0.0/24 via 10.88.0.9 metric 100 static",
  ]);
  expect(await routesOf(container, 6)).toEqual(["prohibit fd:96::/64 metric 100 static"]);
  expect(await netavark(host, ["teardown", container.path], input)).toMatchObject(silence);
  expect(await routesOf(container)).toEqual([]);
  expect(await routesOf(container, 6)).toEqual([]);
});

test.each(["true", "1"])("no_default_route=%s makes no default route", async (value) => {
  await using world = await bed();
  const { host, container } = world;
  const input = netavarkInput({ network: { options: { no_default_route: value } } });
  expect(await netavark(host, ["setup", container.path], input)).toMatchObject({ exitCode: 0 });
  expect(await routesOf(container)).toEqual([]);
  expect(await routesOf(container, 6)).toEqual([]);
  expect(await netavark(host, ["teardown", container.path], input)).toMatchObject(silence);
});

test("an internal network has no default route; its answer still names the gateway", async () => {
  await using world = await bed();
  const { host, container } = world;
  const answer = await netavark(
    host,
    ["setup", container.path],
    netavarkInput({ network: { internal: true } }),
  );
  const link = await linkOf(container);
  expect(addressesOf(link)).toEqual(["10.88.0.2/16"]);
  expect(await routesOf(container)).toEqual([]);
  expect(block(answer).interfaces.eth0).toEqual({
    mac_address: link!.address,
    subnets: [{ ipnet: "10.88.0.2/16", gateway: "10.88.0.1" }],
  });
});

test("a subnet without a gateway: no default route, and null in the answer", async () => {
  await using world = await bed();
  const input = netavarkInput({ network: { subnets: [{ subnet: "10.88.0.0/16" }] } });
  const answer = await netavark(world.host, ["setup", world.container.path], input);
  expect(block(answer).interfaces.eth0?.subnets).toEqual([{ ipnet: "10.88.0.2/16", gateway: null }]);
  expect(await routesOf(world.container)).toEqual([]);
});

test("options.mtu and options.metric, which are strings, count", async () => {
  await using world = await bed();
  const input = netavarkInput({ network: { options: { mtu: "1400", metric: "200" } } });
  expect(await netavark(world.host, ["setup", world.container.path], input)).toMatchObject({ exitCode: 0 });
  const link = await linkOf(world.container);
  expect(link?.mtu).toBe(1400);
  expect(addressesOf(link)).toEqual(["10.88.0.2/16"]);
  expect(await routesOf(world.container)).toEqual(["default via 10.88.0.1 metric 200 static"]);
});

test("modes l2, l3 and l3s, one after another on the same parent", async () => {
  await using world = await bed();
  const { host, container } = world;
  for (const mode of ["l2", "l3", "l3s"]) {
    const input = netavarkInput({ network: { options: { mode } } });
    expect(await netavark(host, ["setup", container.path], input)).toMatchObject({ exitCode: 0 });
    const link = await linkOf(container);
    expect(link?.linkinfo).toMatchObject({ info_kind: "ipvlan", info_data: { mode } });
    expect(link?.mtu).toBe(1500);
    expect(link?.flags).toContain("UP");
    expect(await routesOf(container)).toEqual(["default via 10.88.0.1 metric 99 static"]);
    expect(await netavark(host, ["teardown", container.path], input)).toMatchObject(silence);
    expect(await container.linkNames()).toEqual([]);
  }
});

test("ipam none: a link that is up, without addresses and routes", async () => {
  await using world = await bed();
  const { host, container } = world;
  const input = netavarkInput({
    network: { subnets: [], ipam_options: { driver: "none" }, routes: null },
    options: { static_ips: undefined },
  });
  const answer = await netavark(host, ["setup", container.path], input);
  const link = await linkOf(container);
  expect(link?.flags).toContain("UP");
  expect(addressesOf(link)).toEqual([]);
  expect(block(answer).interfaces.eth0).toEqual({ mac_address: link!.address, subnets: [] });
  expect(await container.json("route show")).toEqual([]);
  expect(await netavark(host, ["teardown", container.path], input)).toMatchObject(silence);
});

test("the interface may be called as the parent is on the host", async () => {
  await using world = await bed("eth0");
  const { host, container } = world;
  const input = netavarkInput({ network: { network_interface: "eth0" } });
  expect(await netavark(host, ["setup", container.path], input)).toMatchObject({ exitCode: 0 });
  expect(await container.linkNames()).toEqual(["eth0"]);
  expect(await netavark(host, ["teardown", container.path], input)).toMatchObject(silence);
  expect(await container.linkNames()).toEqual([]);
  expect(await host.linkNames()).toEqual(["eth0"]);
});

test("a container that has such an interface already: an error, and no link left anywhere", async () => {
  await using world = await bed();
  const { host, container } = world;
  await container.ip("link add eth0 type dummy");
  const answer = await netavark(host, ["setup", container.path], netavarkInput());
  expect(answer.exitCode).toBe(1);
  expect(answer.json).toEqual({
    error: 'the container already has an interface "eth0"; remove it first, or choose another name',
  });
  expect(await host.linkNames()).toEqual(["dummy0"]);
  expect(await container.linkNames()).toEqual(["eth0"]);
  expect((await linkOf(container))?.linkinfo?.info_kind).toBe("dummy");
});

test("three addresses out of one subnet", async () => {
  await using world = await bed();
  const static_ips = ["10.88.0.5", "10.88.0.10", "10.88.0.15"];
  const input = netavarkInput({ options: { static_ips } });
  const answer = await netavark(world.host, ["setup", world.container.path], input);
  const expected = static_ips.map((ip) => `${ip}/16`);
  expect(addressesOf(await linkOf(world.container))).toEqual(expected);
  expect(block(answer).interfaces.eth0?.subnets.map(({ ipnet }) => ipnet)).toEqual(expected);
});

test("three addresses out of two subnets, in any order, each with its subnet's length and gateway", async () => {
  await using world = await bed();
  const input = netavarkInput({
    options: { static_ips: ["10.88.0.5", "10.89.0.10", "10.88.0.15"] },
    network: {
      id: "Qx7zNotHexadecimalButSixtyFourCharactersLong00000000000000000000",
      subnets: [
        { subnet: "10.88.0.0/16", gateway: "10.88.0.1" },
        { subnet: "10.89.0.0/24", gateway: "10.89.0.1" },
      ],
    },
  });
  const answer = await netavark(world.host, ["setup", world.container.path], input);
  expect(block(answer).interfaces.eth0?.subnets).toEqual([
    { ipnet: "10.88.0.5/16", gateway: "10.88.0.1" },
    { ipnet: "10.88.0.15/16", gateway: "10.88.0.1" },
    { ipnet: "10.89.0.10/24", gateway: "10.89.0.1" },
  ]);
  const addresses = addressesOf(await linkOf(world.container));
  expect(addresses.sort()).toEqual(["10.88.0.15/16", "10.88.0.5/16", "10.89.0.10/24"]);
  // Of several gateways of a family the first one is used.
  expect(await routesOf(world.container)).toEqual(["default via 10.88.0.1 metric 99 static"]);
});

test.each([
  {
    what: "overlapping subnets",
    network: { subnets: [{ subnet: "10.1.2.0/23" }, { subnet: "10.1.3.248/30" }] },
    error: "overlapping subnets: 10.1.2.0/23 and 10.1.3.248/30",
  },
  {
    what: "the same subnet twice",
    network: { subnets: [{ subnet: "10.88.0.0/16" }, { subnet: "10.88.0.0/16" }] },
    error: "duplicate subnet defined: 10.88.0.0/16",
  },
  {
    what: "an address out of no subnet",
    network: { subnets: [{ subnet: "10.99.0.0/16" }] },
    error: "not all static IPs matched a subnet: expected 1, got 0",
  },
  {
    what: "one address of two out of no subnet",
    network: {},
    options: { static_ips: ["10.88.0.2", "10.99.0.2"] },
    error: "not all static IPs matched a subnet: expected 2, got 1",
  },
])("$what: refused before anything is touched", async ({ network, options = {}, error }) => {
  await using world = await bed();
  const input = netavarkInput({ network, options });
  const answer = await netavark(world.host, ["setup", world.container.path], input);
  expect(answer).toMatchObject({ exitCode: 1, stderr: "", json: { error } });
  expect(await world.container.linkNames()).toEqual([]);
});

test("IPv4 and IPv6 side by side, with addresses, gateways and default routes of both", async () => {
  await using world = await bed();
  const input = netavarkInput({
    options: { static_ips: ["10.88.0.2", "fd00:88::2"] },
    network: {
      ipv6_enabled: true,
      subnets: [
        { subnet: "10.88.0.0/16", gateway: "10.88.0.1" },
        { subnet: "fd00:88::/64", gateway: "fd00:88::1" },
      ],
    },
  });
  const answer = await netavark(world.host, ["setup", world.container.path], input);
  expect(answer).toMatchObject({ exitCode: 0, stderr: "" });
  expect(addressesOf(await linkOf(world.container))).toEqual(["10.88.0.2/16", "fd00:88::2/64"]);
  expect(await routesOf(world.container)).toEqual(["default via 10.88.0.1 metric 99 static"]);
  expect(await routesOf(world.container, 6)).toEqual(["default via fd00:88::1 metric 99 static"]);
});

test("without a parent, the interface of the host's default route", async () => {
  await using world = await bed();
  const { host, container } = world;
  await host.ip(
    "link add other0 type dummy\naddress add 192.0.2.1/24 dev dummy0\nlink set dummy0 up\nroute add default via 192.0.2.9",
  );
  const input = netavarkInput({ network: { network_interface: null } });
  expect(await netavark(host, ["setup", container.path], input)).toMatchObject({ exitCode: 0 });
  expect((await linkOf(container))?.address).toBe((await linkOf(host, "dummy0"))!.address);
});

test("--rootless changes nothing", async () => {
  await using world = await bed();
  const words = ["--rootless=true", "setup", world.container.path];
  expect(await netavark(world.host, words, netavarkInput())).toMatchObject({ exitCode: 0 });
  expect(addressesOf(await linkOf(world.container))).toEqual(["10.88.0.2/16"]);
});

test("a MAC address that is asked for is not an error: Podman asks for the one it was told", async () => {
  await using world = await bed();
  const input = netavarkInput({ options: { static_mac: "92:d0:c6:0a:29:33", aliases: ["name"] } });
  expect(await netavark(world.host, ["setup", world.container.path], input)).toMatchObject({ exitCode: 0 });
});
