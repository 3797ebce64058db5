/** ADD: every mode, family and place of the master, alone and chained; the result is what the kernel has. */

import { expect, test } from "bun:test";
import { expectResultIsTrue, linkOf } from "../support/kernel-state.ts";
import type { Namespace } from "../support/namespace.ts";
import { type CniRoute, fixed, type Network, network } from "../support/network.ts";
import { hostWorld, master, type World, wire } from "../support/world.ts";

const modes = ["l2", "l3", "l3s"] as const;
type Mode = (typeof modes)[number];

/** The addresses of one endpoint, and the routes that lead it everywhere. */
interface Plan {
  addresses: string[];
  routes: CniRoute[];
}

/** The endpoint number `n`: on the wire with its gateway in l2, else on a network of its own that is routed to the host. */
function planOf(mode: Mode, family: string, n: number): Plan {
  const v4 = mode === "l2" ? `192.0.2.1${n}/24 ${wire.outside.v4}` : `198.51.100.1${n}/24`;
  const v6 = mode === "l2" ? `2001:db8:1::1${n}/64 ${wire.outside.v6}` : `2001:db8:2::1${n}/64`;
  return {
    addresses: [...(family === "IPv6" ? [] : [v4]), ...(family === "IPv4" ? [] : [v6])],
    routes: [
      ...(family === "IPv6" ? [] : [{ dst: "0.0.0.0/0" }]),
      ...(family === "IPv4" ? [] : [{ dst: "::/0" }]),
    ],
  };
}

function bare(address: string): string {
  return address.slice(0, address.indexOf("/"));
}

/** Our own IPAM, or what a plugin before us in the chain would have said. */
function configOf(mode: Mode, plan: Plan, chained: boolean, first: object): Record<string, unknown> {
  const ipam = fixed(plan.addresses, plan.routes);
  if (!chained) return { mode, ipam };
  const ips = (ipam.addresses as object[]).map((each) => ({ ...each, interface: 0 }));
  return {
    mode,
    master: undefined,
    prevResult: { cniVersion: "1.1.0", interfaces: [first], ips, routes: plan.routes },
  };
}

async function reachesAll(from: Namespace, plan: Plan): Promise<void> {
  for (const address of plan.addresses)
    expect([address, await from.reaches(bare(address))]).toEqual([address, true]);
}

const matrix = modes.flatMap((mode) => [false, true].map((chained) => ({ mode, chained })));

test.each(matrix)(
  "mode $mode, chained $chained: siblings and the outside reach each other with IPv4, IPv6 and both",
  async ({ mode, chained }) => {
    await using world = await hostWorld();
    const ends: { container: Namespace; plan: Plan }[] = [];
    for (const [index, family] of ["IPv4", "IPv6", "dual stack", "dual stack"].entries()) {
      const container = await world.container({ dad: false });
      const plan = planOf(mode, family, index);
      const net = network(world, configOf(mode, plan, chained, { name: master }));
      const result = await net.add(container);
      expect(result.interfaces?.map((each) => each.name)).toEqual(chained ? [master, "eth0"] : ["eth0"]);
      await expectResultIsTrue(result, container, { mode });
      ends.push({ container, plan });
    }
    const [v4, v6, dual, sibling] = ends as [
      (typeof ends)[0],
      (typeof ends)[0],
      (typeof ends)[0],
      (typeof ends)[0],
    ];
    await reachesAll(sibling.container, v4.plan);
    await reachesAll(v6.container, { ...sibling.plan, addresses: sibling.plan.addresses.slice(1) });
    await reachesAll(dual.container, sibling.plan);
    for (const { plan } of ends) await reachesAll(world.outside, plan);
    expect(await dual.container.reaches(wire.outside.v4)).toBe(true);
    expect(await dual.container.reaches(wire.outside.v6)).toBe(true);
  },
);

/** A container with a wire of its own to the outside, which knows the routed networks behind it. */
async function containerWithWire(world: World): Promise<Namespace> {
  const container = await world.container({ dad: false });
  await world.wire(
    container,
    "wire0",
    `address add 203.0.113.1/24 dev wire0
    address add 2001:db8:3::1/64 dev wire0 nodad`,
    `address add 203.0.113.2/24 dev eth1
    address add 2001:db8:3::2/64 dev eth1 nodad
    route replace 198.51.100.0/24 via 203.0.113.1
    route replace 2001:db8:2::/64 via 2001:db8:3::1`,
  );
  return container;
}

/** As in `planOf`, but on the container's own wire. */
function inside(plan: Plan): Plan {
  const addresses = plan.addresses.map((each) =>
    each.replace(/192\.0\.2\./g, "203.0.113.").replace(/2001:db8:1::/g, "2001:db8:3::"),
  );
  return { addresses, routes: [] };
}

test.each(matrix)(
  "mode $mode, chained $chained: on a master inside the container the outside reaches each endpoint",
  async ({ mode, chained }) => {
    await using world = await hostWorld();
    const container = await containerWithWire(world);
    const plans: Plan[] = [];
    for (const [index, family] of ["IPv4", "IPv6", "dual stack"].entries()) {
      const plan = inside(planOf(mode, family, index));
      const first = { name: "wire0", sandbox: container.path };
      const config = configOf(mode, plan, chained, first);
      const net = network(world, { master: "wire0", linkInContainer: true, ...config });
      const ifName = `net${index}`;
      const result = await net.add(container, { ifName });
      await expectResultIsTrue(result, container, { ifName, mode });
      await net.check(container, result, { ifName });
      plans.push(plan);
    }
    for (const plan of plans) await reachesAll(world.outside, plan);
    expect(await world.host.linkNames()).toEqual([master]);
  },
);

test.each(["bridge", "private", "vepa"])("flag %s is set on the link", async (flag) => {
  await using world = await hostWorld();
  const [first, second] = [await world.container(), await world.container()];
  const net = (address: string) => network(world, { flag, ipam: fixed([address]) });
  const result = await net("192.0.2.11/24").add(first);
  await expectResultIsTrue(result, first, { flag });
  await net("192.0.2.12/24").add(second);
  // Neither a private port nor a VEPA one passes packets between its links, and a veth wire sends none back.
  expect(await second.reaches("192.0.2.11", flag === "bridge" ? 5 : 0.5)).toBe(flag === "bridge");
  expect(await second.reaches(wire.outside.v4)).toBe(true);
});

test("the link has the MTU asked for, else the master's, and the result says so", async () => {
  await using world = await hostWorld();
  await world.host.ip(`link set ${master} mtu 1450`);
  const [first, second] = [await world.container(), await world.container()];
  const net = network(world, { ipam: fixed(["192.0.2.11/24"]) });
  const inherited = await net.add(first);
  const chosen = await net.with({ mtu: 1300, ipam: fixed(["192.0.2.12/24"]) }).add(second);
  expect([inherited.interfaces?.[0]?.mtu, chosen.interfaces?.[0]?.mtu]).toEqual([1450, 1300]);
  await expectResultIsTrue(inherited, first);
  await expectResultIsTrue(chosen, second);
});

test("an empty ipam gives an L2-only endpoint: a link that is up, without addresses", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { ipam: {} });
  const result = await net.add(container);
  expect(Object.keys(result)).toEqual(["cniVersion", "interfaces"]);
  await expectResultIsTrue(result, container);
  await net.check(container, result);
  await net.del(container);
  expect(await container.linkNames()).toEqual([]);
});

test("an endpoint has all the addresses it is given, each family's several", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const addresses = [
    "192.0.2.11/24",
    "198.51.100.11/32",
    "203.0.113.10/31",
    "203.0.113.17/30",
    "2001:db8:1::11/64",
    "2001:db8:9::9/127",
  ];
  // The least MTU that IPv6 can do with.
  const result = await network(world, { ipam: fixed(addresses), mtu: 1280 }).add(container);
  expect(result.ips?.map((ip) => ip.address)).toEqual(addresses);
  await expectResultIsTrue(result, container);
  const { addr_info } = await linkOf(container);
  const broadcasts = addr_info.filter((each) => each.family === "inet").map((each) => each.broadcast);
  expect(broadcasts).toEqual(["192.0.2.255", undefined, undefined, "203.0.113.19"]);
});

test("IPv6 is switched on where the container had it off", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await container.run([
    "sh",
    "-c",
    "for each in all default lo; do echo 1 >/proc/sys/net/ipv6/conf/$each/disable_ipv6; done",
  ]);
  const result = await network(world, { ipam: fixed(["2001:db8:1::11/64"]) }).add(container);
  await expectResultIsTrue(result, container);
  expect(await container.reaches(wire.outside.v6)).toBe(true);
});

test("the master may be given by its alternative name, and may be an ipvlan link itself", async () => {
  await using world = await hostWorld();
  await world.host.ip(`link property add dev ${master} altname a-name-longer-than-fifteen
    link add link ${master} name ipvl0 up type ipvlan mode l2`);
  const [first, second] = [await world.container(), await world.container()];
  const pairs: [Namespace, Network][] = [
    [first, network(world, { master: "a-name-longer-than-fifteen", ipam: fixed(["192.0.2.11/24"]) })],
    [second, network(world, { master: "ipvl0", ipam: fixed(["192.0.2.12/24"]) })],
  ];
  for (const [container, net] of pairs) {
    const result = await net.add(container);
    await expectResultIsTrue(result, container);
    await net.check(container, result);
    await net.status();
  }
  expect(await first.reaches("192.0.2.12")).toBe(true);
});

test("an address with an IPv6 gateway is ready for use when ADD returns", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await network(world, { ipam: fixed([`2001:db8:1::11/64 ${wire.outside.v6}`]) }).add(container);
  const text = JSON.stringify(await container.json("-6 address show dev eth0"));
  expect(text).toContain("2001:db8:1::11");
  expect(text).not.toContain("tentative");
});
