/** ADD: routes arrive in the kernel with everything that can be said of them. */

import { expect, test } from "bun:test";
import { expectResultIsTrue, type KernelRoute, routesOf } from "../support/kernel-state.ts";
import { type CniRoute, fixed, network } from "../support/network.ts";
import { hostWorld, wire } from "../support/world.ts";

/** Adds an endpoint with these routes and gives what the kernel made of them, in the same order. */
async function routesFrom(addresses: string[], routes: CniRoute[]): Promise<KernelRoute[]> {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { ipam: fixed(addresses, routes) });
  const result = await net.add(container);
  expect(result.routes).toEqual(routes);
  await expectResultIsTrue(result, container);
  await net.check(container, result);
  const kernel = await routesOf(container);
  return routes.map(({ dst }) => {
    const shown = dst === "0.0.0.0/0" || dst === "::/0" ? "default" : dst.replace(/\/(32|128)$/, "");
    const isIpv6 = dst.includes(":");
    return kernel.find(
      (route) => route.dst === shown && (route.pref !== undefined) === isIpv6,
    ) as KernelRoute;
  });
}

test("a route takes its own gateway, else the address's; metric, table, mtu and advmss are set", async () => {
  const [own, first, metric, table] = await routesFrom(
    [`192.0.2.11/24 ${wire.outside.v4}`],
    [
      { dst: "198.51.100.0/24", gw: "192.0.2.77" },
      { dst: "198.51.101.0/24" },
      { dst: "198.51.102.0/24", priority: 42, mtu: 1400, advmss: 1300 },
      { dst: "198.51.103.0/24", table: 1000 },
    ],
  );
  expect(own).toMatchObject({ gateway: "192.0.2.77", flags: [], scope: "global", table: "main" });
  expect(first).toMatchObject({ gateway: wire.outside.v4 });
  expect(metric).toMatchObject({ metric: 42, metrics: [{ mtu: 1400, advmss: 1300 }] });
  expect(table).toMatchObject({ table: "1000" });
});

test("the same for IPv6", async () => {
  const [own, first, metric, table] = await routesFrom(
    [`2001:db8:1::11/64 ${wire.outside.v6}`],
    [
      { dst: "2001:db8:10::/64", gw: "2001:db8:1::77" },
      { dst: "2001:db8:11::/64" },
      { dst: "2001:db8:12::/64", priority: 42, mtu: 1400, advmss: 1300 },
      { dst: "2001:db8:13::/64", table: 1000 },
    ],
  );
  expect(own).toMatchObject({ gateway: "2001:db8:1::77", flags: [] });
  expect(first).toMatchObject({ gateway: wire.outside.v6 });
  expect(metric).toMatchObject({ metric: 42, metrics: [{ mtu: 1400, advmss: 1300 }] });
  expect(table).toMatchObject({ table: "1000" });
});

test("without any gateway a route leads to the link itself, with link scope in IPv4", async () => {
  const [v4, v6] = await routesFrom(
    ["192.0.2.11/24", "2001:db8:1::11/64"],
    [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
  );
  expect(v4).toMatchObject({ dst: "default", scope: "link" });
  expect(v4?.gateway).toBeUndefined();
  expect(v6).toMatchObject({ dst: "default" });
  expect(v6?.gateway).toBeUndefined();
});

test("a gateway outside of every prefix of the endpoint is taken to be on the link", async () => {
  const [v4, v6, linkLocal] = await routesFrom(
    ["192.0.2.11/32 192.0.2.2", "2001:db8:1::11/128 2001:db8:1::2"],
    [{ dst: "0.0.0.0/0" }, { dst: "::/0" }, { dst: "2001:db8:14::/64", gw: "fe80::2" }],
  );
  expect(v4).toMatchObject({ gateway: "192.0.2.2", flags: ["onlink"] });
  expect(v6).toMatchObject({ gateway: "2001:db8:1::2", flags: ["onlink"] });
  expect(linkLocal).toMatchObject({ gateway: "fe80::2", flags: [] });
});

test("such an endpoint reaches the outside through its gateway", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const ipam = fixed(["198.51.100.11/32 192.0.2.2"], [{ dst: "0.0.0.0/0" }]);
  await network(world, { ipam }).add(container);
  await world.outside.ip("route replace 198.51.100.11/32 dev eth0");
  expect(await container.reaches(wire.outside.v4)).toBe(true);
});

test("a route of link scope leads to the link, whatever gateway the addresses have", async () => {
  const [direct, through] = await routesFrom(
    [`192.0.2.11/24 ${wire.outside.v4}`],
    [{ dst: "203.0.113.7/32", scope: 253 }, { dst: "198.51.100.0/24" }],
  );
  expect(direct).toMatchObject({ scope: "link" });
  expect(direct?.gateway).toBeUndefined();
  expect(through).toMatchObject({ gateway: wire.outside.v4, scope: "global" });
});

test("a route that is given twice, or whose destination has host bits, is the one route that is meant", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const routes = [{ dst: "198.51.100.0/24" }, { dst: "198.51.100.0/24" }, { dst: "203.0.113.77/24" }];
  const net = network(world, { ipam: fixed([`192.0.2.11/24 ${wire.outside.v4}`], routes) });
  const result = await net.add(container);
  expect((await routesOf(container)).map((route) => route.dst)).toEqual([
    "198.51.100.0/24",
    "203.0.113.0/24",
  ]);
  await net.check(container, result);
});

test("an IPv4 route may lead through an IPv6 gateway", async () => {
  await using world = await hostWorld();
  const container = await world.container({ dad: false });
  const routes = [{ dst: "198.51.100.0/24", gw: "2001:db8:1::2" }];
  const net = network(world, { ipam: fixed(["192.0.2.11/24", "2001:db8:1::11/64"], routes) });
  const result = await net.add(container);
  expect(await container.json("route show 198.51.100.0/24")).toMatchObject([
    { via: { family: "inet6", host: "2001:db8:1::2" } },
  ]);
  await net.check(container, result);
});
