/** host-local against a model: a map from address to owner, and a walk over each range one by one. */

import { expect, test } from "bun:test";
import { mkdirSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import {
  bitsOf,
  formatAddress,
  type IpAddress,
  lastAddressOf,
  parseAddress,
  parsePrefix,
  prefixContains,
} from "../../src/net/ip.ts";
import { inputs, propertyTimeoutMs } from "../support/inputs.ts";
import { callOurs, crowd, filesOf, type IpamCall, leasesOf, MANY, scratch } from "../support/ipam.ts";

interface RangeJson {
  subnet: string;
  rangeStart?: string;
  rangeEnd?: string;
  gateway?: string;
  exclude?: string[];
}

const networks: RangeJson[][][] = [
  [[{ subnet: "10.1.2.0/28" }]],
  [[{ subnet: "10.1.2.0/31" }]],
  [[{ subnet: "10.1.2.5/32" }]],
  [[{ subnet: "fd00::/127" }]],
  [[{ subnet: "fd00::7/128" }]],
  [[{ subnet: "10.1.2.0/28", exclude: ["10.1.2.0/30", "10.1.2.7", "10.1.2.14"], gateway: "10.1.2.9" }]],
  // Over the edges of what the index keeps in one record: 256 and 65,536 addresses.
  [[{ subnet: "10.1.0.0/16", rangeStart: "10.1.2.250", rangeEnd: "10.1.3.4" }]],
  [
    [
      {
        subnet: "10.0.0.0/8",
        rangeStart: "10.0.255.252",
        rangeEnd: "10.1.0.3",
        exclude: ["10.0.255.254/31"],
      },
    ],
  ],
  [[{ subnet: "fd00::/64" }]],
  [
    [
      {
        subnet: "fd00::/64",
        rangeStart: "fd00::ffff:ffff:ffff:fffb",
        exclude: ["fd00::ffff:ffff:ffff:fffd"],
      },
    ],
  ],
  [[{ subnet: "10.1.2.0/29" }], [{ subnet: "fd00::/125" }]],
  [[{ subnet: "10.1.2.0/30" }, { subnet: "10.1.3.0/30" }, { subnet: "10.1.4.0/31" }]],
  [
    [{ subnet: "10.1.2.0/24", rangeStart: "10.1.2.0", rangeEnd: "10.1.2.3", gateway: "10.1.2.254" }],
    [{ subnet: "10.1.2.0/24", rangeStart: "10.1.2.252", rangeEnd: "10.1.2.255", gateway: "10.1.2.254" }],
  ],
];

const NETWORK = "net";

class World {
  /** Address text to owner. */
  leases: Map<string, string>;
  /** Empty files by address: what a crash of the reference leaves. */
  empty = new Set<string>();
  cursors: (IpAddress | undefined)[] = [];

  constructor(leases: Record<string, string>) {
    this.leases = new Map(Object.entries(leases));
  }
}

class Subject {
  readonly dataDir: string;
  readonly sets: RangeJson[][];

  constructor(dataDir: string, sets: RangeJson[][]) {
    this.dataDir = dataDir;
    this.sets = sets;
  }

  call(given: Omit<IpamCall, "config"> & { ips?: string[] }) {
    const config = {
      cniVersion: "1.0.0",
      name: NETWORK,
      ipam: { type: "host-local", dataDir: this.dataDir, ranges: this.sets },
      ...(given.ips ? { runtimeConfig: { ips: given.ips } } : {}),
    };
    return callOurs({ ...given, config });
  }

  path(name: string): string {
    mkdirSync(join(this.dataDir, NETWORK), { recursive: true });
    return join(this.dataDir, NETWORK, name);
  }

  expect(world: World): void {
    const expected = Object.fromEntries([
      ...world.leases,
      ...[...world.empty].map((address) => [address, ""]),
    ]);
    expect(leasesOf(this.dataDir, NETWORK)).toEqual(expected);
    const others = Object.keys(filesOf(this.dataDir, NETWORK)).filter((name) => !(name in expected));
    expect(others.filter((name) => name !== "lock" && !name.startsWith("last_reserved_ip."))).toEqual([]);
  }
}

// ---------------------------------------------------------------------------------------------------------------
// The model of allocation

function isUsable(sets: RangeJson[][], { subnet, gateway, exclude }: RangeJson, address: IpAddress): boolean {
  const network = parsePrefix(subnet)!;
  const { value } = address;
  const isTiny = network.length >= bitsOf(network.family) - 1;
  if (!isTiny && value === network.value) return false;
  if (!isTiny && network.family === 4 && value === lastAddressOf(network).value) return false;
  for (const excluded of exclude ?? []) {
    const prefix = parsePrefix(excluded.includes("/") ? excluded : `${excluded}/${bitsOf(network.family)}`)!;
    if (prefixContains(prefix, address)) return false;
  }
  const gateways = sets.flat().map((range) => gatewayOf(range));
  return (
    !gateways.includes(formatAddress(address)) &&
    gatewayOf({ subnet, gateway: gateway! }) !== formatAddress(address)
  );
}

function gatewayOf({ subnet, gateway }: RangeJson): string | undefined {
  const network = parsePrefix(subnet)!;
  if (gateway !== undefined) return gateway;
  if (network.length >= bitsOf(network.family) - 1) return undefined;
  return formatAddress({ family: network.family, value: network.value + 1n });
}

function ends({ subnet, rangeStart, rangeEnd }: RangeJson): { family: 4 | 6; first: bigint; last: bigint } {
  const network = parsePrefix(subnet)!;
  const spare = network.length < bitsOf(network.family) - 1 ? 1n : 0n;
  const broadcast = network.family === 4 ? spare : 0n;
  return {
    family: network.family,
    first: rangeStart ? parseAddress(rangeStart)!.value : network.value + spare,
    last: rangeEnd ? parseAddress(rangeEnd)!.value : lastAddressOf(network).value - broadcast,
  };
}

function rangeAt(set: RangeJson[], address: IpAddress): number {
  return set.findIndex((range) => {
    const { family, first, last } = ends(range);
    return family === address.family && first <= address.value && address.value <= last;
  });
}

/** One by one: from after the cursor, through all ranges, back to the cursor. */
function nextFree(world: World, sets: RangeJson[][], index: number): IpAddress | undefined {
  const set = sets[index]!;
  const cursor = world.cursors[index];
  const start = cursor === undefined ? -1 : rangeAt(set, cursor);
  const isFree = (range: RangeJson, address: IpAddress) =>
    isUsable(sets, range, address) && !world.leases.has(formatAddress(address));
  const walk = (range: RangeJson, from: bigint, to: bigint): IpAddress | undefined => {
    const { family } = ends(range);
    for (let value = from; value <= to; value++)
      if (isFree(range, { family, value })) return { family, value };
    return undefined;
  };
  if (cursor === undefined || start < 0) {
    for (const range of set) {
      const found = walk(range, ends(range).first, ends(range).last);
      if (found) return found;
    }
    return undefined;
  }
  const own = set[start]!;
  const turns: [RangeJson, bigint, bigint][] = [
    [own, cursor.value + 1n, ends(own).last],
    ...[...set.slice(start + 1), ...set.slice(0, start)].map((range): [RangeJson, bigint, bigint] => [
      range,
      ends(range).first,
      ends(range).last,
    ]),
    [own, ends(own).first, cursor.value],
  ];
  for (const turn of turns) {
    const found = walk(...turn);
    if (found) return found;
  }
  return undefined;
}

// ---------------------------------------------------------------------------------------------------------------
// What happens to a store

type Command = fc.Command<World, Subject>;
const always = () => true;

const owner = (id: string, ifName: string) => `${id}\r\n${ifName}`;

const add = (id: string, ifName: string): Command => ({
  check: always,
  run(world: World, subject: Subject): void {
    const found = subject.call({ verb: "ADD", containerId: id, ifName: ifName });
    const content = owner(id, ifName);
    const taken: IpAddress[] = [];
    for (const [index, set] of subject.sets.entries()) {
      const held = [...world.leases].some(
        ([address, by]) => (by === content || by === id) && rangeAt(set, parseAddress(address)!) >= 0,
      );
      const next = held ? undefined : nextFree(world, subject.sets, index);
      if (next === undefined) {
        expect(found.error).toContain(held ? "duplicate allocation" : "no IP addresses available");
        expect(found.error).toStartWith(`failed to allocate for range ${index}: `);
        for (const address of taken) world.leases.delete(formatAddress(address));
        subject.expect(world);
        return;
      }
      taken.push(next);
      world.leases.set(formatAddress(next), content);
      world.empty.delete(formatAddress(next));
      world.cursors[index] = next;
    }
    expect(found.error).toBeUndefined();
    const { ips } = found.result as { ips: { address: string }[] };
    expect(ips.map(({ address }) => address.replace(/\/.*/, ""))).toEqual(taken.map(formatAddress));
    subject.expect(world);
  },
  toString: () => `add(${id}, ${ifName})`,
});

const request = (id: string, offset: number): Command => ({
  check: always,
  run(world: World, subject: Subject): void {
    const [set] = subject.sets as [RangeJson[]];
    const { family, first } = ends(set[0]!);
    const address = { family, value: first + BigInt(offset) };
    const text = formatAddress(address);
    const range = set[rangeAt(set, address)];
    const isPossible =
      range !== undefined && isUsable(subject.sets, range, address) && !world.leases.has(text);
    // With further sets the answer depends on them, too; that is what Add is for.
    if (subject.sets.length > 1) return;
    const found = subject.call({ verb: "ADD", containerId: id, ifName: "net1", ips: [text] });
    if (isPossible) {
      expect(found.error).toBeUndefined();
      world.leases.set(text, owner(id, "net1"));
      world.empty.delete(text);
      world.cursors[0] = address;
    } else if (range !== undefined) expect(found.error).toContain(text);
    // In no range: the next free one is taken, and given back because the request was not met.
    else if (found.error?.startsWith("failed to allocate all requested IPs")) {
      world.cursors[0] = nextFree(world, subject.sets, 0);
      if (world.cursors[0]) world.empty.delete(formatAddress(world.cursors[0]));
    } else expect(found.error).toStartWith("failed to allocate for range 0");
    subject.expect(world);
  },
  toString: () => `request(${id}, +${offset})`,
});

const del = (id: string, ifName: string): Command => ({
  check: always,
  run(world: World, subject: Subject): void {
    expect(subject.call({ verb: "DEL", containerId: id, ifName: ifName })).toEqual({});
    const names = (content: string) =>
      [...world.leases].filter(([, by]) => by === content).map(([name]) => name);
    const own = names(owner(id, ifName));
    for (const name of own.length > 0 ? own : names(id)) world.leases.delete(name);
    subject.expect(world);
  },
  toString: () => `del(${id}, ${ifName})`,
});

const check = (id: string, ifName: string): Command => ({
  check: always,
  run(world: World, subject: Subject): void {
    const found = subject.call({ verb: "CHECK", containerId: id, ifName: ifName });
    const holders = [...world.leases.values()];
    const holds = holders.includes(owner(id, ifName)) || holders.includes(id);
    expect(found.error === undefined).toBe(holds);
  },
  toString: () => `check(${id}, ${ifName})`,
});

const gc = (valid: string[] | undefined): Command => ({
  check: always,
  run(world: World, subject: Subject): void {
    const validAttachments = valid?.map((containerId) => ({ containerId, ifName: "eth0" }));
    const found = subject.call({ verb: "GC", ...(validAttachments ? { validAttachments } : {}) });
    expect(found).toEqual({});
    if (valid !== undefined) {
      const kept = valid.flatMap((id) => [owner(id, "eth0"), id]);
      for (const [name, by] of [...world.leases])
        if (!kept.includes(by) && by !== "a note of the operator") world.leases.delete(name);
      world.empty.clear();
    }
    subject.expect(world);
  },
  toString: () => `gc(${valid ?? "not said"})`,
});

const status = (): Command => ({
  check: always,
  run(world: World, subject: Subject): void {
    const isFull = subject.sets.some((_, index) => nextFree(world, subject.sets, index) === undefined);
    const { error } = subject.call({ verb: "STATUS" });
    if (isFull) expect(error).toContain("no IP addresses available");
    else expect(error).toBeUndefined();
    subject.expect(world);
  },
  toString: () => "status",
});

/** Another program writes a lease: the reference (id and interface), an old one (id), an operator. */
const foreign = (offset: number, content: string): Command => ({
  check: always,
  run(world: World, subject: Subject): void {
    const range = subject.sets.at(-1)![0]!;
    const { family, first, last } = ends(range);
    const value = first + BigInt(offset);
    if (value > last) return;
    const name = formatAddress({ family, value });
    if (world.leases.has(name) || world.empty.has(name)) return;
    writeFileSync(subject.path(name), content);
    if (content === "") world.empty.add(name);
    else world.leases.set(name, content);
  },
  toString: () => `foreign(+${offset}, ${JSON.stringify(content)})`,
});

/** Another program removes a lease, with the lock or without. */
const foreignRemoval = (position: number): Command => ({
  check: always,
  run(world: World, subject: Subject): void {
    const names = [...world.leases.keys()];
    const name = names[position % names.length];
    if (name === undefined) return;
    unlinkSync(subject.path(name));
    world.leases.delete(name);
  },
  toString: () => `foreignRemoval(${position})`,
});

/** The index is deleted, cut, or full of nonsense. */
const damage = (how: "delete" | "cut" | "nonsense"): Command => ({
  check: always,
  run(_: World, subject: Subject): void {
    const path = join(subject.dataDir, ".ipvlan", NETWORK);
    if (how === "delete") rmSync(join(subject.dataDir, ".ipvlan"), { recursive: true, force: true });
    else {
      mkdirSync(join(subject.dataDir, ".ipvlan"), { recursive: true });
      writeFileSync(path, how === "cut" ? "" : Buffer.alloc(5000, 0xa5));
    }
  },
  toString: () => `damage(${how})`,
});

const id = fc.constantFrom("c1", "c2", "c3", "c4", "c5");
const ifName = fc.constantFrom("eth0", "net1");
const commands = fc.commands(
  [
    fc.tuple(id, ifName).map(([id, name]) => add(id, name)),
    fc.tuple(id, ifName).map(([id, name]) => add(id, name)),
    fc.tuple(id, fc.nat(18)).map(([id, offset]) => request(id, offset)),
    fc.tuple(id, ifName).map(([id, name]) => del(id, name)),
    fc.tuple(id, ifName).map(([id, name]) => check(id, name)),
    fc.option(fc.subarray(["c1", "c2", "c3"]), { nil: undefined }).map((valid) => gc(valid)),
    fc.constant(status()),
    fc
      .tuple(fc.nat(18), fc.constantFrom("c1\r\neth0", "c2", "c9\r\neth0", "a note of the operator", ""))
      .map(([offset, content]) => foreign(offset, content)),
    fc.nat(9).map((position) => foreignRemoval(position)),
    fc.constantFrom("delete" as const, "cut" as const, "nonsense" as const).map((how) => damage(how)),
  ],
  { maxCommands: 40, size: "max" },
);

// None others, so many that the next but one makes it a large store, and a large store.
const others = fc.constantFrom(0, 35, MANY);

test(
  "a store is what the model says, whoever writes to it",
  () => {
    fc.assert(
      fc.property(fc.constantFrom(...networks), others, commands, (sets, count, some) => {
        using directory = scratch();
        const leases = crowd(directory.path, NETWORK, count);
        fc.modelRun(() => ({ model: new World(leases), real: new Subject(directory.path, sets) }), some);
      }),
      inputs(600),
    );
  },
  propertyTimeoutMs,
);
