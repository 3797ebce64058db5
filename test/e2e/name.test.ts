/** The interface's name: its own in the container whatever the host has, and no other link is ever left anywhere. */

import { expect, test } from "bun:test";
import { temporaryName } from "../../src/ipvlan/record.ts";
import { expectResultIsTrue } from "../support/kernel-state.ts";
import { fixed, network, stateOf } from "../support/network.ts";
import { hostWorld, master } from "../support/world.ts";

test("the container's interface may have the name of its master, and of any other link of the host", async () => {
  await using world = await hostWorld();
  await world.host.ip("link add taken0 type dummy\nlink property add dev taken0 altname taken1");
  const net = network(world, { ipam: fixed([]) });
  const before = await stateOf(world);
  const container = await world.container();
  const names = [master, "taken0", "taken1", "free0"];
  for (const [index, ifName] of names.entries()) {
    const each = net.with({ ipam: fixed([`192.0.2.1${index}/24`]) });
    await expectResultIsTrue(await each.add(container, { ifName }), container, { ifName });
  }
  expect((await container.linkNames()).sort()).toEqual([...names].sort());
  expect((await stateOf(world)).network.host).toEqual(before.network.host);
  for (const ifName of names) await net.del(container, { ifName });
  expect(await container.linkNames()).toEqual([]);
});

test("a name of fifteen bytes works, and so do names that look like something else", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const names = ["fifteen-bytes-0", "-leading", "ünïcödé", "1"];
  const net = network(world, { ipam: {} });
  for (const ifName of names) await net.add(container, { ifName });
  expect((await container.linkNames()).sort()).toEqual([...names].sort());
  for (const ifName of names) await net.del(container, { ifName });
  expect(await container.linkNames()).toEqual([]);
});

test("what an interrupted ADD left under its temporary name does not stand in the way of the next", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { ipam: {} });
  const left = temporaryName("net", { containerId: container.name, ifName: master, netns: container.path });
  await world.host.ip(`link add link ${master} name ${left} netns ${container.name} type ipvlan mode l2`);
  await net.add(container);
  expect(await container.linkNames()).toContain(master);
  await net.del(container);
  expect(await container.linkNames()).toEqual([]);
});
