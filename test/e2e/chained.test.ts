/** In a chain: what the plugins before made is passed on, and what this one makes is added to it. */

import { expect, test } from "bun:test";
import { expectResultIsTrue } from "../support/kernel-state.ts";
import { fixed, network, stateOf } from "../support/network.ts";
import { plugin, reference } from "../support/plugin.ts";
import { hostWorld, master, wire } from "../support/world.ts";

const prevResult = {
  cniVersion: "1.1.0",
  interfaces: [{ name: "host-end" }, { name: "net0", sandbox: "/elsewhere" }],
  ips: [{ address: "203.0.113.9/24", interface: 1 }],
  routes: [{ dst: "203.0.114.0/24", gw: "203.0.113.1" }],
  dns: { nameservers: ["203.0.113.53"] },
};

test("with an IPAM of its own it appends interface, addresses and routes, and the indexes stay right", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { prevResult, ipam: fixed(["192.0.2.11/24"], [{ dst: "198.51.100.0/24" }]) });
  const result = await net.add(container);
  expect(result).toMatchObject({
    interfaces: [...prevResult.interfaces, { name: "eth0", sandbox: container.path }],
    ips: [...prevResult.ips, { address: "192.0.2.11/24", interface: 2 }],
    routes: [...prevResult.routes, { dst: "198.51.100.0/24" }],
    dns: prevResult.dns,
  });
  await expectResultIsTrue({ ...result, routes: result.routes?.slice(1) ?? [] }, container);
  await net.check(container, result);
});

test("without one it takes the addresses of the chain, from a result of any version", async () => {
  await using world = await hostWorld();
  const results = [
    {
      cniVersion: "0.2.0",
      ip4: { ip: "192.0.2.11/24", gateway: wire.outside.v4, routes: [{ dst: "0.0.0.0/0" }] },
    },
    {
      cniVersion: "0.4.0",
      interfaces: [{ name: master }],
      ips: [{ version: "4", address: "192.0.2.12/24", gateway: wire.outside.v4, interface: 0 }],
      routes: [{ dst: "0.0.0.0/0" }],
    },
    { interfaces: [{ name: master }], ips: [{ address: "192.0.2.13/24" }], routes: [{ dst: "0.0.0.0/0" }] },
  ];
  for (const each of results) {
    const container = await world.container();
    const result = await network(world, { prevResult: each }).add(container);
    await expectResultIsTrue(result, container);
    expect(await container.reaches(wire.outside.v4)).toBe(true);
  }
});

test("it works on an interface that a real plugin before it made inside the container", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const before = await stateOf(world);
  const cniVersion = "1.0.0";
  const first = {
    cniVersion,
    name: "net",
    type: "macvlan",
    master,
    ipam: { type: "static", addresses: [{ address: "192.0.2.10/24" }] },
  };
  const call = { netns: container, ifName: "mac0", containerId: container.name };
  const program = `${reference("1.9.1")}/macvlan`;
  const made = await plugin(world.host, "ADD", first, { ...call, program });
  expect([made.exitCode, made.stdout]).toEqual([0, expect.any(String)]);
  await container.ip("address flush dev mac0");
  const net = network(world, { cniVersion, master: undefined, linkInContainer: true, prevResult: made.json });
  const result = await net.add(container, { containerId: container.name });
  expect(result.interfaces?.map((each) => each.name)).toEqual(["mac0", "eth0"]);
  expect(await container.reaches(wire.outside.v4)).toBe(true);
  await net.with({ master: "mac0" }).check(container, result);
  await net.with({ prevResult: result }).del(container);
  expect(await container.linkNames()).toEqual(["mac0"]);
  expect((await plugin(world.host, "DEL", first, { ...call, program })).exitCode).toBe(0);
  expect(await stateOf(world)).toEqual(before);
});

test("a master without carrier costs no wait, though the IPv6 address has a gateway", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await world.outside.ip("link set eth0 down");
  const net = network(world, { ipam: fixed([`2001:db8:1::11/64 ${wire.outside.v6}`], [{ dst: "::/0" }]) });
  const begun = performance.now();
  const result = await net.add(container);
  expect(performance.now() - begun).toBeLessThan(4000);
  expect(result.ips).toHaveLength(1);
});
