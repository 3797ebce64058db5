/** GC: forwards to the IPAM plugin and removes what interrupted ADDs and DELs left, of its own network and no other. */

import { expect, test } from "bun:test";
import { temporaryName } from "../../src/ipvlan/record.ts";
import { mustRun } from "../support/command.ts";
import { fail, fakeIpam, lease } from "../support/fake-ipam.ts";
import { type Namespace, namespaces, remove } from "../support/namespace.ts";
import { fixed, network, stateOf } from "../support/network.ts";
import { hostWorld, master } from "../support/world.ts";

const valid = (...some: Namespace[]) => some.map(({ name }) => ({ containerID: name, ifname: "eth0" }));

test("GC removes the endpoints that are not in the list, and none while nobody says what is valid", async () => {
  await using world = await hostWorld();
  const [kept, lost] = [await world.container(), await world.container()];
  const net = network(world);
  const before = await stateOf(world);
  await net.with({ ipam: fixed(["192.0.2.11/24"]) }).add(kept);
  const between = await stateOf(world);
  await net.with({ ipam: fixed(["192.0.2.12/24"]) }).add(lost);
  const after = await stateOf(world);
  const collect = net.with({ ipam: fixed([]) });
  await collect.gc(undefined);
  await collect.gc(valid(kept, lost));
  expect(await stateOf(world)).toEqual(after);
  await collect.gc(valid(kept));
  expect(await stateOf(world)).toEqual(between);
  await collect.gc([]);
  expect(await stateOf(world)).toEqual(before);
  await collect.gc([]);
});

test("GC touches no other network, nor links that nobody recorded", async () => {
  await using world = await hostWorld();
  const [ours, others] = [await world.container(), await world.container()];
  await world.host.ip(`link add link ${master} name by-hand netns ${ours.name} type ipvlan mode l2`);
  const net = network(world, { ipam: {} });
  await net.with({ name: "net2" }).add(others);
  const before = await stateOf(world);
  await net.add(ours);
  await net.gc([]);
  expect(await stateOf(world)).toEqual(before);
});

test("an ADD that was killed leaves what GC removes: link and record, a link under its temporary name, a record alone", async () => {
  await using world = await hostWorld();
  using ipam = fakeIpam(world, { ADD: "kill -9 $PPID; exit 1" });
  const [whole, temporary, alone] = [
    await world.container(),
    await world.container(),
    await world.container(),
  ];
  const net = network(world, { ipam: { type: ipam.type } });
  const before = await stateOf(world);
  for (const each of [whole, temporary, alone]) {
    expect((await net.run("ADD", each, { path: ipam.path })).exitCode).not.toBe(0);
    expect(await each.linkNames()).toEqual(["eth0"]);
  }
  const name = temporaryName("net", { containerId: temporary.name, ifName: "eth0", netns: temporary.path });
  await temporary.ip(`link set eth0 name ${name}`);
  await alone.ip("link delete eth0");
  // Three records, and what the port carries.
  expect(Object.keys((await stateOf(world)).files)).toHaveLength(4);
  const collect = net.with({ ipam: {} });
  await collect.gc(valid(whole, temporary, alone));
  expect(Object.keys((await stateOf(world)).files)).toHaveLength(4);
  await collect.gc([]);
  expect(await stateOf(world)).toEqual(before);
});

test("a namespace that has taken the place of a recorded one is not touched; the record goes", async () => {
  await using world = await hostWorld();
  const net = network(world, { ipam: {} });
  const before = await stateOf(world);
  const [gone, reborn] = (await namespaces("gone", "reborn")) as [Namespace, Namespace];
  for (const each of [gone, reborn]) await net.add(each, { containerId: each.name });
  await remove([gone, reborn]);
  await mustRun(["ip", "netns", "add", reborn.name]);
  await net.with({ name: "net2" }).add(reborn, { containerId: "other" });
  await net.gc([]);
  expect(await reborn.linkNames()).toEqual(["eth0"]);
  await net.with({ name: "net2" }).del(reborn, { containerId: "other" });
  await remove([reborn]);
  expect(await stateOf(world)).toEqual(before);
});

test("the IPAM plugin is told GC with the very same input; what it says is reported, and the rest done all the same", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  using ipam = fakeIpam(world, {
    ADD: lease("192.0.2.11/24"),
    GC: fail({ code: 130, msg: "store is read-only" }),
  });
  const net = network(world, { ipam: { type: ipam.type } });
  await net.add(container, { path: ipam.path });
  ipam.calls();
  const config = JSON.stringify({
    ...net.config,
    "cni.dev/valid-attachments": [],
    "cni.dev/attachments": [],
  });
  const error = await net.refusal("GC", undefined, { path: ipam.path }, config);
  expect(error).toMatchObject({ code: 130, msg: "store is read-only" });
  expect(ipam.calls()[0]).toBe("GC");
  expect(ipam.input("GC")).toBe(config);
  expect(await container.linkNames()).toEqual([]);
});

test("a list that cannot be read frees nothing; the list under its old name counts", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { ipam: {} });
  const before = await stateOf(world);
  await net.add(container);
  const after = await stateOf(world);
  for (const list of ["none", [{ containerID: 5, ifname: "eth0" }], [container.name], {}]) {
    const error = await net.with({ "cni.dev/valid-attachments": list }).refusal("GC");
    expect(error).toMatchObject({ code: 7 });
    expect(error.msg).toContain("cni.dev/valid-attachments");
  }
  await net.with({ "cni.dev/valid-attachments": null }).gc(undefined);
  await net.with({ "cni.dev/attachments": valid(container) }).gc(undefined);
  expect(await stateOf(world)).toEqual(after);
  const answer = await net.with({ "cni.dev/attachments": [] }).run("GC");
  expect([answer.exitCode, answer.stdout]).toEqual([0, ""]);
  expect(await stateOf(world)).toEqual(before);
});
