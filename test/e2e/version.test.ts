/** ADD: the result has the shape of the configuration's spec version, and describes the same endpoint in each. */

import { expect, test } from "bun:test";
import { fixed, network } from "../support/network.ts";
import { hostWorld, wire } from "../support/world.ts";

const ipam = fixed(
  [`192.0.2.11/24 ${wire.outside.v4}`, "2001:db8:1::11/64"],
  [{ dst: "0.0.0.0/0" }, { dst: "2001:db8:2::/64", gw: "2001:db8:1::2", mtu: 1400 }],
);

/** The expected result of a version, given the link's MAC address and namespace. */
type Shape = (mac: string, sandbox: string) => object;

const onePerFamily: Shape = () => ({
  ip4: { ip: "192.0.2.11/24", gateway: wire.outside.v4, routes: [{ dst: "0.0.0.0/0" }] },
  ip6: { ip: "2001:db8:1::11/64", routes: [{ dst: "2001:db8:2::/64", gw: "2001:db8:1::2" }] },
  dns: { nameservers: ["192.0.2.53"] },
});
const routes = [{ dst: "0.0.0.0/0" }, { dst: "2001:db8:2::/64", gw: "2001:db8:1::2", mtu: 1400 }];
const withVersion: Shape = (mac, sandbox) => ({
  interfaces: [{ name: "eth0", mac, sandbox }],
  ips: [
    { version: "4", interface: 0, address: "192.0.2.11/24", gateway: wire.outside.v4 },
    { version: "6", interface: 0, address: "2001:db8:1::11/64" },
  ],
  routes,
  dns: { nameservers: ["192.0.2.53"] },
});
const current: Shape = (mac, sandbox) => ({
  dns: { nameservers: ["192.0.2.53"] },
  interfaces: [{ mac, mtu: 1500, name: "eth0", sandbox }],
  ips: [
    { address: "192.0.2.11/24", gateway: wire.outside.v4, interface: 0 },
    { address: "2001:db8:1::11/64", interface: 0 },
  ],
  routes,
});

test("each version's result has that version's shape, and CHECK and DEL take it back", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const [host] = await world.host.json<{ address: string }[]>("link show eth0");
  const shapes: [string, Shape][] = [
    ["0.1.0", onePerFamily],
    ["0.2.0", onePerFamily],
    ["0.3.0", withVersion],
    ["0.3.1", withVersion],
    ["0.4.0", withVersion],
    ["1.0.0", current],
    ["1.1.0", current],
  ];
  for (const [cniVersion, shape] of shapes) {
    const net = network(world, { cniVersion, ipam, dns: { nameservers: ["192.0.2.53"] } });
    const result = await net.add(container);
    expect<object>(result).toEqual({ cniVersion, ...shape(host?.address ?? "", container.path) });
    if (cniVersion >= "0.4.0") await net.check(container, result);
    else
      expect(await net.with({ prevResult: result }).refusal("CHECK", container)).toMatchObject({ code: 1 });
    await net.with({ prevResult: result }).del(container);
    expect(await container.linkNames()).toEqual([]);
  }
});

test("the DNS settings are the configuration's, else those that the IPAM plugin gave", async () => {
  await using world = await hostWorld();
  const [first, second] = [await world.container(), await world.container()];
  const net = network(world, { ipam: { ...fixed(["192.0.2.11/24"]), dns: { domain: "ipam.example" } } });
  expect((await net.add(first)).dns).toEqual({ domain: "ipam.example" });
  const own = net.with({
    dns: { domain: "own.example" },
    ipam: { ...fixed(["192.0.2.12/24"]), dns: { search: ["x"] } },
  });
  expect((await own.add(second)).dns).toEqual({ domain: "own.example" });
});

test("a configuration without a version is one of 0.1.0; keys count in any case, null is absent", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world);
  const text = JSON.stringify({
    Name: "net",
    Type: "ipvlan",
    MASTER: "eth0",
    Mode: "l3",
    mtu: null,
    flag: null,
    prevResult: null,
    unheardOf: { a: 1 },
    IPAM: { Type: "static", addresses: [{ address: "192.0.2.11/24" }] },
  });
  const answer = await net.run("ADD", container, {}, text);
  expect(answer.json).toEqual({ cniVersion: "0.1.0", ip4: { ip: "192.0.2.11/24" }, dns: {} });
  expect(await container.json("link show eth0")).toMatchObject([{ linkinfo: { info_data: { mode: "l3" } } }]);
});

test("an L2-only endpoint, which the oldest results cannot express, is refused in them", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { cniVersion: "0.2.0", ipam: {} });
  expect(await net.refusal("ADD", container)).toMatchObject({ cniVersion: "0.2.0", code: 7 });
  expect(await container.linkNames()).toEqual([]);
});
