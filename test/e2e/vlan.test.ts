/** A VLAN of the master as master: made with the first endpoint, gone with the last, unless somebody else needs it. */

import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { logFile } from "../support/faults.ts";
import type { Namespace } from "../support/namespace.ts";
import { fixed, network, stateOf } from "../support/network.ts";
import { hostWorld, master, type World } from "../support/world.ts";

const VLAN = `${master}.20`;

async function vlanOf(world: World): Promise<string[]> {
  return (await world.host.linkNames()).filter((name) => name !== master);
}

function on(world: World, address: string, more: object = {}) {
  return network(world, { vlan: 20, ipam: fixed([`${address}/24`]), ...more });
}

async function parentOf(container: Namespace): Promise<number> {
  const [link] = (await container.json("link show dev eth0")) as [{ link_index: number }];
  return link.link_index;
}

test("the first endpoint makes the VLAN, which carries packets; the last one takes it away", async () => {
  await using world = await hostWorld();
  const [one, two] = [await world.container(), await world.container()];
  await world.outside.ip(`link add link eth0 name eth0.20 type vlan id 20
    link set eth0.20 up
    address add 203.0.113.2/24 dev eth0.20`);
  const before = await stateOf(world);
  const first = await on(world, "203.0.113.11").add(one);
  expect(await vlanOf(world)).toEqual([VLAN]);
  const second = await on(world, "203.0.113.12").add(two);
  expect(await vlanOf(world)).toEqual([VLAN]);
  expect(await one.reaches("203.0.113.2")).toBe(true);
  expect(await one.reaches("203.0.113.12")).toBe(true);
  await on(world, "203.0.113.11").check(one, first);
  await on(world, "203.0.113.11").status();
  await on(world, "203.0.113.11").del(one);
  expect(await vlanOf(world)).toEqual([VLAN]);
  await on(world, "203.0.113.12").check(two, second);
  await on(world, "203.0.113.12").del(two);
  expect(await stateOf(world)).toEqual(before);
});

test("a VLAN link that was there is used, whatever its name, and stays", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await world.host.ip(`link add link ${master} name storage type vlan id 20
    link set storage up`);
  const before = await stateOf(world);
  await on(world, "203.0.113.11").add(container);
  const links = (await world.host.json("link")) as { ifname: string; ifindex: number }[];
  expect(await parentOf(container)).toBe(links.find(({ ifname }) => ifname === "storage")!.ifindex);
  await on(world, "203.0.113.11").del(container);
  expect(await stateOf(world)).toEqual(before);
});

test("a VLAN that somebody else uses by now stays: an address, another link, another program's endpoint", async () => {
  const uses = [
    (world: World) => world.host.ip(`address add 203.0.113.1/24 dev ${VLAN}`),
    (world: World) => world.host.ip(`link add link ${VLAN} name inner type vlan id 7`),
    async (world: World) => {
      const other = await world.container();
      await world.host.ip(`link add link ${VLAN} name foreign0 netns ${other.name} type ipvlan mode l2`);
    },
  ];
  for (const use of uses) {
    await using world = await hostWorld();
    const container = await world.container();
    await on(world, "203.0.113.11").add(container);
    await use(world);
    await on(world, "203.0.113.11").del(container);
    expect(await vlanOf(world)).toContain(VLAN);
  }
});

test("other programs' endpoints that are not on the VLAN do not keep it", async () => {
  await using world = await hostWorld();
  const [container, beside, elsewhere] = [
    await world.container(),
    await world.container(),
    await world.container(),
  ];
  // The one has the VLAN's MAC address, which is the master's; the other's parent has the VLAN's index, in its namespace.
  await world.host.ip(`link add link ${master} name foreign0 netns ${beside.name} type ipvlan mode l2`);
  const before = await stateOf(world);
  await on(world, "203.0.113.11").add(container);
  const index = await parentOf(container);
  await elsewhere.ip(`link add base0 index ${index} type dummy
    link add link base0 name foreign1 type ipvlan mode l2`);
  await on(world, "203.0.113.11").del(container);
  await elsewhere.ip("link delete base0");
  expect(await stateOf(world)).toEqual(before);
});

test("a VLAN stays as long as a namespace that cannot be looked into for the moment may have an endpoint on it", async () => {
  await using world = await hostWorld();
  const [container, other] = [await world.container(), await world.container()];
  const net = on(world, "203.0.113.11");
  await net.add(container);
  await world.host.ip(`link add link ${VLAN} name foreign0 netns ${other.name} type ipvlan mode l2`);
  const log = logFile(world.directory);
  const wrapper = ["strace", "-qq", "-o", log, "-P", other.path, "-e", "inject=openat:error=EMFILE"];
  const refusal = await net.refusal("DEL", container, { wrapper });
  rmSync(log);
  expect(refusal.msg).toContain(`open network namespace ${other.path}: Too many open files`);
  expect(await vlanOf(world)).toEqual([VLAN]);
  expect(await other.linkNames()).toEqual(["foreign0"]);
  await net.del(container);
  expect(await vlanOf(world)).toEqual([VLAN]);
});

test("a failed ADD takes the VLAN it made away again, and only that", async () => {
  await using world = await hostWorld();
  const [one, two] = [await world.container(), await world.container()];
  const before = await stateOf(world);
  await on(world, "203.0.113.11", { mtu: 9000 }).refusal("ADD", one);
  await on(world, "203.0.113.11", { ipam: { type: "absent" } }).refusal("ADD", one);
  await one.ip("link add eth0 type dummy");
  await on(world, "203.0.113.11").refusal("ADD", one);
  await one.ip("link delete eth0");
  expect(await stateOf(world)).toEqual(before);
  await on(world, "203.0.113.11").add(two);
  await on(world, "203.0.113.11").refusal("ADD", one);
  expect(await vlanOf(world)).toEqual([VLAN]);
});

test("two VLANs of one master are two ports, each with its own mode", async () => {
  await using world = await hostWorld();
  const [one, two] = [await world.container(), await world.container()];
  await on(world, "203.0.113.11").add(one);
  await on(world, "203.0.114.11", { name: "other", vlan: 21, mode: "l3" }).add(two);
  expect(await vlanOf(world)).toEqual([VLAN, `${master}.21`]);
});

test("GC removes the VLAN with the endpoints of containers that have gone", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const before = await stateOf(world);
  const net = on(world, "203.0.113.11");
  await net.add(container);
  await container.ip("link delete dev eth0");
  await net.gc([]);
  expect(await stateOf(world)).toEqual(before);
});

test("a name that another interface has is refused with the reason", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await world.host.ip(`link add ${VLAN} type dummy`);
  const before = await stateOf(world);
  expect(await on(world, "203.0.113.11").refusal("ADD", container)).toMatchObject({
    code: 101,
    msg: `VLAN 20 on "${master}" cannot be made: there is another interface "${VLAN}"`,
    details: "rename that interface, or make the VLAN yourself under another name",
  });
  expect(await stateOf(world)).toEqual(before);
});

test("a name of fifteen letters is the VLAN's own, of sixteen it has another", async () => {
  await using world = await hostWorld();
  for (const [base, name] of [
    ["abcdefghijkl", "abcdefghijkl.20"],
    ["abcdefghijklm", undefined],
  ] as const) {
    const container = await world.container();
    await world.host.ip(`link add ${base} up type dummy`);
    const links = (await world.host.json("link")) as { ifname: string; ifindex: number }[];
    const index = links.find(({ ifname }) => ifname === base)!.ifindex;
    const net = on(world, "203.0.113.11", { master: base });
    await net.add(container);
    expect(await world.host.linkNames()).toContain(name ?? `vlan${index}.20`);
    await net.del(container);
    expect((await world.host.linkNames()).sort()).toEqual([base, master].sort());
    await world.host.ip(`link delete ${base}`);
  }
});

test("CHECK misses a VLAN that its master does not have; with a master in the container there is none to make", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = on(world, "203.0.113.11");
  const prevResult = await net.add(container);
  expect(await net.with({ prevResult, vlan: 21 }).refusal("CHECK", container)).toMatchObject({
    code: 106,
    msg: `master "${master}" has no VLAN 21`,
  });
  await net.del(container);
  await container.ip("link add inner0 up type dummy");
  const before = await stateOf(world);
  expect(await net.with({ master: "inner0", linkInContainer: true }).refusal("ADD", container)).toMatchObject(
    {
      code: 7,
      msg: "vlan 20 needs a master on the host, but linkInContainer is true",
      details: "leave one of the two out",
    },
  );
  expect(await stateOf(world)).toEqual(before);
});

test("endpoints that come and go at once leave no VLAN and lose none", async () => {
  await using world = await hostWorld();
  const containers = await Promise.all(Array.from({ length: 5 }, () => world.container()));
  const before = await stateOf(world);
  const nets = containers.map((_, index) => on(world, `203.0.113.${11 + index}`));
  await Promise.all(containers.map((container, index) => nets[index]!.add(container)));
  await Promise.all(
    containers.map(async (container, index) => {
      await nets[index]!.del(container);
      if (index % 2 === 0) await nets[index]!.add(container);
    }),
  );
  expect(await vlanOf(world)).toEqual([VLAN]);
  await Promise.all(containers.map((container, index) => nets[index]!.del(container)));
  expect(await stateOf(world)).toEqual(before);
});
