/** The port guard: an ADD does not change mode or flag for the endpoints that are there. */

import { expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Namespace } from "../support/namespace.ts";
import { type Network, network, stateOf } from "../support/network.ts";
import { hostWorld, master, type World } from "../support/world.ts";

const BARE = { ipam: {} };

async function modeOf(container: Namespace): Promise<string> {
  const [link] = (await container.json("link show dev eth0")) as [
    { linkinfo: { info_data: { mode: string } } },
  ];
  return link.linkinfo.info_data.mode;
}

function portFiles(net: Network): string[] {
  return readdirSync(join(net.records, "ports"));
}

/** An endpoint made by another program, in a container of its own. */
async function foreignEndpoint(world: World, mode: string): Promise<Namespace> {
  const container = await world.container();
  await world.host.ip(
    `link add link ${master} name foreign0 netns ${container.name} type ipvlan mode ${mode}`,
  );
  return container;
}

test("another mode is refused, names what is there and what was wanted, and changes nothing", async () => {
  await using world = await hostWorld();
  const [one, two] = [await world.container(), await world.container()];
  const net = network(world, BARE);
  await net.add(one);
  const before = await stateOf(world);
  const { code, msg, details } = await net.with({ mode: "l3" }).refusal("ADD", two);
  expect(code).toBe(101);
  expect(msg).toContain(`master "${master}" carries endpoints in mode l2, flag bridge`);
  expect(msg).toContain("mode l3, flag bridge would change them all");
  expect(details).toContain(`"eth0" in ${one.path}`);
  expect(details).toContain("allowPortChange");
  expect(await stateOf(world)).toEqual(before);
  expect(await modeOf(one)).toBe("l2");
});

test("when a port's witness goes, another endpoint of the same master takes its place", async () => {
  await using world = await hostWorld();
  const [first, second, elsewhere] = await Promise.all([1, 2, 3].map(() => world.container()));
  await world.wire(world.host, "other0");
  const net = network(world, BARE);
  await net.add(first!);
  // Found before the second one, were it not of another port.
  await net.with({ name: "aaa", master: "other0" }).add(elsewhere!);
  await net.add(second!);
  await net.del(first!);
  const witnesses = portFiles(net).map((name) =>
    JSON.parse(readFileSync(join(net.records, "ports", name), "utf8")),
  );
  expect(witnesses.map(({ netns }) => netns).sort()).toEqual([second!.path, elsewhere!.path].sort());
});

test("another mode is refused on a master that is one end of a pair, whatever the other end's index", async () => {
  await using world = await hostWorld();
  const [one, two] = [await world.container(), await world.container()];
  // Both ends of the first pair have the same index.
  await world.host.ip("link add shift0 type dummy");
  await world.wire(world.host, "pair0");
  const net = network(world, { ...BARE, master: "pair0" });
  await net.add(one);
  const { code, msg } = await net.with({ mode: "l3" }).refusal("ADD", two);
  expect([code, msg]).toEqual([101, expect.stringContaining('master "pair0" carries endpoints in mode l2')]);
});

test("another flag is refused as well", async () => {
  await using world = await hostWorld();
  const [one, two] = [await world.container(), await world.container()];
  await network(world, { ...BARE, flag: "private" }).add(one);
  const { msg } = await network(world, { ...BARE, name: "other" }).refusal("ADD", two);
  expect(msg).toContain("in mode l2, flag private: mode l2, flag bridge would change them all");
});

test("a master that is an ipvlan link itself counts among those that would be changed", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await world.host.ip(`link add link ${master} name below0 up type ipvlan mode l3`);
  const net = network(world, { ...BARE, master: "below0" });
  for (const verb of ["ADD", "STATUS"] as const)
    expect(await net.refusal(verb, container)).toMatchObject({
      msg: expect.stringContaining('master "below0" carries endpoints in mode l3, flag bridge'),
    });
  await net.with({ mode: "l3" }).add(container);
});

test("allowPortChange changes them", async () => {
  await using world = await hostWorld();
  const [one, two] = [await world.container(), await world.container()];
  const net = network(world, BARE);
  await net.add(one);
  await net.with({ mode: "l3", allowPortChange: true }).add(two);
  expect(await modeOf(one)).toBe("l3");
});

test("once the last endpoint has gone the port is free, and no file is left", async () => {
  await using world = await hostWorld();
  const [one, two] = [await world.container(), await world.container()];
  const net = network(world, BARE);
  const before = await stateOf(world);
  await net.add(one);
  await net.add(two);
  expect(portFiles(net)).toHaveLength(1);
  await net.del(one);
  // The second one is asked now that the first has gone.
  await net.with({ mode: "l3" }).refusal("ADD", one);
  await net.del(two);
  expect(await stateOf(world)).toEqual(before);
  await net.with({ mode: "l3" }).add(one);
  expect(await modeOf(one)).toBe("l3");
  await net.del(one);
  expect(await stateOf(world)).toEqual(before);
});

test("an endpoint that vanished with its namespace does not hold the port", async () => {
  await using world = await hostWorld();
  const [one, two] = [await world.container(), await world.container()];
  const net = network(world, BARE);
  await net.add(one);
  await one.ip("link delete dev eth0");
  await net.with({ mode: "l3s" }).add(two);
  expect(await modeOf(two)).toBe("l3s");
});

test("endpoints of other programs count, wherever they are", async () => {
  await using world = await hostWorld();
  await foreignEndpoint(world, "l3");
  const container = await world.container();
  const net = network(world, BARE);
  const { msg, details } = await net.refusal("ADD", container);
  expect(msg).toContain("carries endpoints in mode l3");
  expect(details).toContain('"foreign0"');
  await net.with({ mode: "l3" }).add(container);
});

test("a port that another program changed is not changed back silently", async () => {
  await using world = await hostWorld();
  const [one, two] = [await world.container(), await world.container()];
  const net = network(world, BARE);
  await net.add(one);
  await foreignEndpoint(world, "l3");
  const { msg } = await net.refusal("ADD", two);
  expect(msg).toContain("carries endpoints in mode l3");
});

test("the port's file may be lost, empty or torn: the endpoints are found again", async () => {
  await using world = await hostWorld();
  const [one, two] = [await world.container(), await world.container()];
  const net = network(world, BARE);
  await net.add(one);
  const file = join(net.records, "ports", portFiles(net)[0]!);
  for (const damage of [
    () => rmSync(file),
    () => writeFileSync(file, ""),
    () => writeFileSync(file, '{"netns":"/run'),
    () => rmSync(net.records, { recursive: true }),
  ]) {
    damage();
    const { msg } = await net.with({ mode: "l3" }).refusal("ADD", two);
    expect(msg).toContain("carries endpoints in mode l2");
  }
});

test("STATUS reports a port that another mode holds", async () => {
  await using world = await hostWorld();
  const net = network(world, BARE);
  await net.add(await world.container());
  await net.status();
  const { code, msg } = await net.with({ mode: "l3" }).refusal("STATUS");
  expect(code).toBe(50);
  expect(msg).toContain("carries endpoints in mode l2");
  await net.with({ mode: "l3", allowPortChange: true }).status();
});

test("of ADDs that race for a fresh master with two modes, one mode wins and the other is refused", async () => {
  await using world = await hostWorld();
  const containers = await Promise.all(Array.from({ length: 6 }, () => world.container()));
  const net = network(world, BARE);
  const answers = await Promise.all(
    containers.map((container, index) =>
      net.with({ mode: index % 2 === 0 ? "l2" : "l3" }).run("ADD", container),
    ),
  );
  const won = containers.filter((_, index) => answers[index]!.exitCode === 0);
  expect(won).toHaveLength(3);
  const modes = await Promise.all(won.map(modeOf));
  expect(new Set(modes).size).toBe(1);
  for (const answer of answers.filter(({ exitCode }) => exitCode !== 0))
    expect(answer.stdout).toContain("would change them all");
});
