/** As a plugin of netavark, under a driver name of its own. */

import { expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { binary } from "../kernel/environment.ts";
import { type Json, network, pluginInput, podmanCall } from "../support/netavark.ts";
import { addressesOf, bed, linkOf, routesOf } from "../support/netavark-bed.ts";

const silence = { exitCode: 0, stdout: "", stderr: "" };

test("info says which API is spoken", async () => {
  await using world = await bed();
  const { json } = await podmanCall(world.host, ["info"]);
  expect(json).toEqual({ version: expect.any(String), api_version: "1.0.0", name: "ipvlan" });
});

test("setup attaches and answers a status block, teardown says nothing", async () => {
  await using world = await bed();
  const { host, container } = world;
  const answer = await podmanCall(host, ["setup", container.path], pluginInput());
  expect(answer).toMatchObject({ exitCode: 0, stderr: "" });
  const link = await linkOf(container);
  expect(addressesOf(link)).toEqual(["10.88.0.2/16"]);
  expect(answer.json).toEqual({
    dns_search_domains: [],
    dns_server_ips: [],
    interfaces: {
      eth0: { mac_address: link!.address, subnets: [{ ipnet: "10.88.0.2/16", gateway: "10.88.0.1" }] },
    },
  });
  expect(await routesOf(container)).toEqual(["default via 10.88.0.1 metric 99 static"]);
  expect(await podmanCall(host, ["teardown", container.path], pluginInput())).toMatchObject(silence);
  expect(await container.linkNames()).toEqual([]);
});

test("it may be started under any name, through a link", async () => {
  await using world = await bed();
  const link = `/tmp/bun-ipvlan-${process.pid}`;
  await world.host.run(["ln", "-s", binary, link]);
  const answer = await podmanCall(world.host, ["setup", world.container.path], pluginInput(), link);
  await rm(link);
  expect(answer).toMatchObject({ exitCode: 0, stderr: "" });
});

test("options of the network, and over them those of the one container", async () => {
  await using world = await bed();
  const input = pluginInput({
    network: {
      options: { mtu: "1400", metric: "200", mode: "l3", parent: "dummy0" },
      network_interface: null,
    },
    options: { options: { mtu: "1300", metric: "50", flag: "private" } },
  });
  expect(await podmanCall(world.host, ["setup", world.container.path], input)).toMatchObject({ exitCode: 0 });
  const link = await linkOf(world.container);
  expect(link?.mtu).toBe(1300);
  expect(link?.linkinfo?.info_data).toMatchObject({ mode: "l3", private: true });
  expect(await routesOf(world.container)).toEqual(["default via 10.88.0.1 metric 50 static"]);
});

test.each([
  {
    what: "a key that is none",
    options: { options: { mtuu: "1300" } },
    error: "unsupported vlan network option: mtuu",
  },
  {
    what: "a mode that is none",
    options: { options: { mode: "l4" } },
    error: 'invalid ipvlan mode "l4"; choose one of l2, l3, l3s',
  },
  {
    what: "dhcp with an address asked for",
    network: { ipam_options: { driver: "dhcp" } },
    error: "static IP 10.88.0.2 on network podman, whose addresses a DHCP server gives",
  },
  {
    what: "dhcp where broadcasts do not pass",
    network: { ipam_options: { driver: "dhcp" }, options: { mode: "l3" } },
    options: { static_ips: null },
    error: expect.stringMatching(/^DHCP does not work in mode l3: .*set mode to l2/),
  },
  {
    what: "an IPAM that is none of ours",
    network: { ipam_options: { driver: "mine" } },
    error: "unsupported ipam driver mine",
  },
  { what: "no addresses", options: { static_ips: null }, error: "no static ips provided" },
  {
    what: "an address that is none",
    options: { static_ips: ["10.88.0"] },
    error:
      'failed to load plugin input: invalid network_options.static_ips[0] "10.88.0": invalid IP address syntax',
  },
  {
    what: "an address on a network without subnets",
    network: { ipam_options: { driver: "none" }, subnets: null },
    error: "static IP 10.88.0.2 on network podman, which has no subnet to take its prefix length from",
  },
  { what: "no interface name", options: { interface_name: "" }, error: "no container interface name given" },
  {
    what: "an interface name that would lead out of /proc",
    options: { interface_name: "../all" },
    error: 'Interface name cannot contain "/"',
  },
  {
    what: "an MTU larger than the parent's",
    network: { options: { mtu: "9000" } },
    error: expect.stringMatching(/^mtu 9000 is outside 68 to 1500, the MTU of master "dummy0"; lower it/),
  },
  {
    what: "an MTU too small for IPv6",
    network: { options: { mtu: "1000" }, subnets: [{ subnet: "fd00::/64" }] },
    options: { static_ips: ["fd00::2"] },
    error: expect.stringMatching(/^address fd00::2\/64 needs an MTU of 1280, not 1000/),
  },
  {
    what: "a parent that is absent",
    network: { network_interface: "absent0" },
    error: expect.stringMatching(/^master "absent0" not found/),
  },
  {
    what: "loopback as parent",
    network: { network_interface: "lo" },
    error: expect.stringMatching(/^master "lo" is the loopback interface/),
  },
  {
    what: "no parent and no default route",
    network: { network_interface: "" },
    error: expect.stringMatching(/^no master is set and the host's namespace has no default route/),
  },
])("setup refuses $what, and leaves nothing", async ({ network: changed, options, error }) => {
  await using world = await bed();
  const input = pluginInput({ ...(changed && { network: changed }), ...(options && { options }) });
  const answer = await podmanCall(world.host, ["setup", world.container.path], input);
  expect(answer).toMatchObject({ exitCode: 1, stderr: "", json: { error } });
  expect(Object.keys(answer.json as object)).toEqual(["error"]);
  expect(await world.container.linkNames()).toEqual([]);
});

test("the host's own namespace is refused", async () => {
  await using world = await bed();
  for (const verb of ["setup", "teardown"]) {
    const { exitCode, json } = await podmanCall(world.host, [verb, "/proc/self/ns/net"], pluginInput());
    expect(exitCode).toBe(1);
    expect((json as Json).error).toContain("is the host's network namespace itself");
  }
});

test("input that is none, and a path that is missing", async () => {
  await using world = await bed();
  const { host, container } = world;
  const errorOf = async (words: string[], input: object | string) =>
    ((await podmanCall(host, words, input)).json as Json).error;
  expect(await errorOf(["setup"], "{}")).toBe("netns path argument is missing");
  expect(await errorOf(["setup", container.path], "")).toBe(
    "failed to load network options: unexpected end of JSON input",
  );
  expect(await errorOf(["setup", container.path], "[]")).toBe(
    "failed to load network options: invalid input []: must be an object",
  );
  expect(await errorOf(["setup", container.path], "{}")).toBe(
    "failed to load plugin input: invalid container_id (missing): must be a string",
  );
  expect(await errorOf(["setup", "/run/netns/absent"], pluginInput())).toBe(
    "invalid namespace path: IO error: No such file or directory (os error 2)",
  );
});

test("create completes a network whose parent exists, and refuses one whose parent does not", async () => {
  await using world = await bed();
  const asked = {
    ...network({ driver: "bun-ipvlan", network_interface: "", dns_enabled: true, ipam_options: undefined }),
    created: "0001-01-01T00:00:00Z",
  };
  const { json } = await podmanCall(world.host, ["create"], { ...asked, options: { parent: "dummy0" } });
  expect(json).toMatchObject({
    driver: "bun-ipvlan",
    network_interface: "dummy0",
    options: {},
    dns_enabled: false,
    ipam_options: { driver: "host-local" },
  });
  const refused = await podmanCall(world.host, ["create"], { ...asked, options: { parent: "absent0" } });
  expect(refused).toMatchObject({ exitCode: 1, json: { error: "parent interface absent0 does not exist" } });
});
