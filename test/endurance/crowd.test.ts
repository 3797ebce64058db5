/**
 * A crowd on one master and one store of leases: all ADD at once, then all DEL at once, with CHECK and GC among them, and every
 * other with the leases of the reference's host-local. Two dozen in the normal lanes, 200 under `bun run soak`.
 */

import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { isLong } from "../support/endurance.ts";
import type { Namespace } from "../support/namespace.ts";
import {
  type CniResult,
  leased,
  leasesOf,
  type Network,
  network,
  stateOf,
  succeeded,
} from "../support/network.ts";
import { type Answer, type Call, reference } from "../support/plugin.ts";
import { hostWorld, type World } from "../support/world.ts";

const CROWD = isLong ? 200 : 24;
const RESIDENTS = 4;
const TIMEOUT_MS = 300_000;
/** How much longer a call may take among four times as many: as long when all is well. */
const PACE_MAX = 3;

/** Each in turn: ours twice, then each release of the reference's as a program, on the same store. */
const STYLES = [
  { external: false },
  { external: true, path: () => reference("1.9.1") },
  { external: false },
  { external: true, path: () => reference("1.1.1") },
];

interface Member {
  container: Namespace;
  net: Network;
  call: Call;
  result?: CniResult;
}

test(
  "no address twice, no lease lost, nothing left, and no call slower than its share",
  async () => {
    await using world = await hostWorld();
    const members: Member[] = [];
    for (let index = 0; index < CROWD + RESIDENTS; index++)
      members.push(memberOf(world, await world.container({ dad: false }), index));
    const residents = members.splice(0, RESIDENTS);
    for (const resident of residents)
      resident.result = await resident.net.add(resident.container, resident.call);
    const before = await stateOf(world);

    // Before and after, and the slower of the two: the machine may have become busier meanwhile.
    const few = [await comeAndGo(world, members.slice(0, CROWD / 4), residents)];
    expect(await stateOf(world)).toEqual(before);
    const many = await comeAndGo(world, members, residents);
    expect(await stateOf(world)).toEqual(before);
    few.push(await comeAndGo(world, members.slice(0, CROWD / 4), residents));
    const pace = (phase: "addMs" | "delMs") => many[phase] / Math.max(...few.map((each) => each[phase]));
    console.log(
      `${CROWD} at once: ADD ${many.addMs.toFixed(0)} ms each, DEL ${many.delMs.toFixed(0)} ms each;` +
        ` ${pace("addMs").toFixed(2)} and ${pace("delMs").toFixed(2)} times what ${CROWD / 4} at once take each`,
    );
    expect(pace("addMs")).toBeLessThan(PACE_MAX);
    expect(pace("delMs")).toBeLessThan(PACE_MAX);

    await Promise.all(residents.map(({ container, net, call }) => net.del(container, call)));
    expect(readdirSync(join(world.leases, "net")).sort()).toEqual(["last_reserved_ip.0", "lock"]);
  },
  2 * TIMEOUT_MS,
);

function memberOf(world: World, container: Namespace, index: number): Member {
  const style = STYLES[index % STYLES.length]!;
  // Version 1.1.1 of the reference speaks no newer one.
  const net = network(world, {
    cniVersion: "1.0.0",
    ipam: leased(world, "203.0.113.0/24", { external: style.external }),
  });
  const call = { timeoutMs: TIMEOUT_MS, ...(style.path && { path: style.path() }) };
  return { container, net, call };
}

/** All of these come, and go again; returns how long a call took on the way there and back, in milliseconds. */
async function comeAndGo(world: World, members: Member[], residents: Member[]) {
  const all = [...residents, ...members];
  const others = residents.flatMap((resident) => [() => check(resident), () => collect(world, all)]);
  const addMs = await timed([
    ...others,
    ...members.map((member) => async () => {
      const answer = await member.net.run("ADD", member.container, member.call);
      succeeded(answer);
      member.result = answer.json as CniResult;
    }),
  ]);
  await expectAllAreThere(world, all);
  const delMs = await timed([
    ...others,
    ...members.map(
      ({ net, container, call }) =>
        () =>
          net.del(container, call),
    ),
  ]);
  return { addMs, delMs };
}

/** Does all at once; in milliseconds for each. Waits for all, whatever comes of each, so that none goes on beneath the next test. */
async function timed(works: (() => Promise<unknown>)[]): Promise<number> {
  const started = performance.now();
  const outcomes = await Promise.allSettled(works.map((work) => work()));
  const refused = outcomes.flatMap((outcome) =>
    outcome.status === "rejected" ? [String(outcome.reason)] : [],
  );
  expect(refused).toEqual([]);
  return (performance.now() - started) / works.length;
}

async function check({ net, container, call, result }: Member): Promise<void> {
  succeeded(await net.with({ prevResult: result }).run("CHECK", container, call));
}

/** GC that is told of all who may be there, before and after. */
async function collect(world: World, all: Member[]): Promise<void> {
  const valid = all.map(({ container }) => ({ containerID: container.name, ifname: "eth0" }));
  const net = network(world, { ipam: leased(world, "203.0.113.0/24"), "cni.dev/valid-attachments": valid });
  const answer: Answer = await net.run("GC", undefined, { timeoutMs: TIMEOUT_MS });
  succeeded(answer);
}

/** Each has an address of its own, in the result, on the link, and in the store. */
async function expectAllAreThere(world: World, all: Member[]): Promise<void> {
  const given = all.map(({ result }) => String(result?.ips?.[0]?.address).replace("/24", ""));
  expect(new Set(given).size).toBe(all.length);
  const leases = leasesOf(await stateOf(world));
  expect(leases).toEqual(
    Object.fromEntries(all.map(({ container }, index) => [given[index], container.name])),
  );
  for (const [index, { container }] of all.entries()) {
    const [link] = await container.json<{ addr_info: { local: string }[] }[]>("-4 address show dev eth0");
    expect(link?.addr_info.map(({ local }) => local)).toEqual([given[index]!]);
  }
}
