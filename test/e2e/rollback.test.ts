/** ADD that fails after something has been done: links, addresses, routes, leases and records are as before. */

import { expect, test } from "bun:test";
import { fail, fakeIpam, print } from "../support/fake-ipam.ts";
import { errorOf, fixed, leased, leasesOf, network, stateOf } from "../support/network.ts";
import { refusals } from "../support/refusals.ts";
import { hostWorld, wire } from "../support/world.ts";

/** host-local on the wire, with a route of the test's choosing. */
const withRoute =
  (route: object) =>
  ({ world }: { world: { leases: string } }) => ({
    ipam: { ...onWire(world), routes: [route] },
  });
const onWire = ({ leases }: { leases: string }) => ({
  type: "host-local",
  dataDir: leases,
  ranges: [
    [{ subnet: "192.0.2.0/24", gateway: wire.outside.v4 }],
    [{ subnet: "2001:db8:1::/64", rangeStart: "2001:db8:1::11" }],
  ],
});

refusals(
  "an endpoint that the kernel refuses in part is taken back whole, its lease included",
  (world) => ({ ipam: onWire(world) }),
  [
    {
      of: "a gateway of the other family",
      config: withRoute({ dst: "2001:db8:7::/64", gw: "192.0.2.2" }),
      code: 104,
      says: ["2001:db8:7::/64", "192.0.2.2", "eth0"],
      details: "check the route's gateway (same IP family), scope and table",
    },
    {
      of: "a gateway that is a multicast address",
      config: withRoute({ dst: "198.51.100.0/24", gw: "224.0.0.1" }),
      code: 104,
      says: ["198.51.100.0/24", "224.0.0.1", "eth0"],
      details: "check the route's gateway",
    },
    {
      of: "an unusable IPv6 gateway",
      config: withRoute({ dst: "2001:db8:7::/64", gw: "ff02::1" }),
      code: 104,
      says: ["2001:db8:7::/64", "ff02::1"],
      details: "RTM_NEWROUTE 2001:db8:7::/64: ",
    },
    {
      of: "a scope that the gateway's does not allow",
      config: withRoute({ dst: "198.51.100.0/24", gw: "192.0.2.2", scope: 254 }),
      code: 104,
      says: ["198.51.100.0/24"],
      details: "EINVAL",
    },
    {
      of: "a scope that no route may have",
      config: {
        mode: "l3",
        ipam: fixed(["192.0.2.11/24"], [{ dst: "198.51.100.0/24", scope: 255 }]),
      },
      code: 104,
      says: ['route 198.51.100.0/24 on "eth0"'],
    },
    {
      of: "an MTU too small for IPv6",
      config: { mtu: 1279 },
      code: 7,
      says: ["2001:db8:1::", "1280", "1279"],
      details: "raise the MTU, or leave IPv6 out",
    },
  ],
);

refusals(
  "two endpoints of one master cannot have the same address; the error names it, and the first keeps working",
  (world) => ({
    ipam: leased(world, "192.0.2.0/24", {
      ranges: [[{ subnet: "192.0.2.0/24", rangeStart: "192.0.2.77", rangeEnd: "192.0.2.77" }]],
    }),
  }),
  [
    {
      of: "the same address",
      config: { name: "other" },
      code: 103,
      says: ["192.0.2.77", "in use"],
      details: "RTM_NEWADDR 192.0.2.77/24: Address already in use (EADDRINUSE)",
    },
  ],
  async ({ world, net }) => void (await net.add(await world.container({ dad: false }))),
);

refusals(
  "an address given twice is refused",
  () => ({}),
  [[], ["198.51.100.11/24"]].map((between) => ({
    of: `twice, with ${between.length} between`,
    config: { ipam: fixed(["192.0.2.11/24", ...between, "192.0.2.11/24"]) },
    code: 103,
    says: [/^the kernel refused address 192\.0\.2\.11\/24 on "eth0"$/],
    details: /let the IPAM give each address once$/,
  })),
);

test("IPv6 that is off, and /proc/sys that cannot be written, refuse the address; IPv4 does without", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await container.run([
    "sh",
    "-c",
    "for each in all default lo; do echo 1 >/proc/sys/net/ipv6/conf/$each/disable_ipv6; done",
  ]);
  const net = network(world, { ipam: onWire(world) });
  const before = await stateOf(world);
  const readOnly = 'mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "$0"';
  const program = ["sh", "-c", readOnly];
  const error = errorOf(await net.run("ADD", container, { wrapper: program }));
  expect(error).toMatchObject({ code: 103 });
  expect(error.msg).toMatch(/2001:db8:1::.*needs IPv6.*off on/);
  expect(error.details).toMatch(/EROFS.*disable_ipv6 writable/);
  expect(await stateOf(world)).toEqual(before);
  const v4 = await net
    .with({ ipam: leased(world, "192.0.2.0/24") })
    .run("ADD", container, { wrapper: program });
  expect(v4.exitCode).toBe(0);
});

test("a kernel without IPv6 is told from a link where it is off", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { ipam: onWire(world) });
  const before = await stateOf(world);
  const wrapper = ["sh", "-c", 'mount -t tmpfs none /proc/sys && exec "$0"'];
  const { code, msg, details } = await net.refusal("ADD", container, { wrapper });
  expect(code).toBe(103);
  expect(msg).toMatch(/^address 2001:db8:1::.* needs IPv6, which is absent from this kernel$/);
  expect(details).toEndWith("boot without ipv6.disable=1, or leave IPv6 out");
  expect(await stateOf(world)).toEqual(before);
});

test("a runtime that closes the pipe before it has read the result finds nothing left", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { ipam: onWire(world) });
  const before = await stateOf(world);
  const deaf = ["sh", "-c", '"$0" >/dev/full'];
  expect((await net.run("ADD", container, { wrapper: deaf })).exitCode).toBe(1);
  expect(await stateOf(world)).toEqual(before);
});

test("a run directory that cannot be made or written: ADD refuses and names it, DEL does without", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { ipam: onWire(world) });
  await Bun.write(`${world.directory}/plain`, "");
  const before = await stateOf(world);
  const environment = { IPVLAN_RUN_DIR: `${world.directory}/plain/records` };
  const error = await net.refusal("ADD", container, { environment });
  expect(error).toMatchObject({ code: 5 });
  expect(error.msg).toContain(environment.IPVLAN_RUN_DIR);
  expect(await stateOf(world)).toEqual(before);
  await net.del(container, { environment });
  const readOnly = `mount -t tmpfs -o ro none '${net.records}' && exec "$0"`;
  await net.del(container, { wrapper: ["sh", "-c", readOnly] });
  expect((await net.refusal("ADD", container, { wrapper: ["sh", "-c", readOnly] })).details).toContain(
    "EROFS",
  );
  expect(await stateOf(world)).toEqual(before);
});

test("an IPv6 address that somebody else on the wire has is found out, and everything given back", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { ipam: leased(world, "2001:db8:1::/64") });
  const before = await stateOf(world);
  // The first address after the gateway is the outside machine's.
  const error = await net.refusal("ADD", container);
  expect(error).toMatchObject({
    code: 103,
    details: "find the other user of the address, or take another one",
  });
  expect(error.msg).toMatch(new RegExp(`${wire.outside.v6} on "eth0" is used by somebody else.*DADFAILED`));
  expect(await stateOf(world)).toEqual(before);
});

test("of several ADDs of one attachment at once exactly one is served, and DEL removes it", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { ipam: leased(world, "192.0.2.0/24") });
  const before = await stateOf(world);
  const answers = await Promise.all([1, 2, 3].map(() => net.run("ADD", container)));
  expect(answers.map((each) => each.exitCode).sort()).toEqual([0, 1, 1]);
  const state = await stateOf(world);
  expect(Object.values(leasesOf(state))).toEqual([container.name]);
  expect(await container.linkNames()).toEqual(["eth0"]);
  await net.del(container);
  expect(await stateOf(world)).toEqual(before);
});

test("what undoing could not do is said on standard error; the error is still the first one", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const routes = [{ dst: "198.51.100.0/24", gw: "224.0.0.1" }];
  const given = { cniVersion: "1.1.0", ips: [{ address: "192.0.2.11/24" }], routes };
  using ipam = fakeIpam(world, { ADD: print(given), DEL: fail({ code: 120, msg: "the server is away" }) });
  const answer = await network(world, { ipam: { type: ipam.type } }).run("ADD", container, {
    path: ipam.path,
  });
  expect(errorOf(answer).code).toBe(104);
  expect(answer.stderr).toContain("ipvlan: undoing a failed ADD: ");
  expect(answer.stderr).toContain("the server is away");
  expect(await container.linkNames()).toEqual([]);
});
