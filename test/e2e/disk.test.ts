/** Disks that are full or read-only: a clear error, nothing lost, nothing left. */

import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { disk } from "../support/disk.ts";
import { expectTrueIndex } from "../support/index.ts";
import type { Namespace } from "../support/namespace.ts";
import { errorOf, leased, leasesOf, type Network, network, stateOf } from "../support/network.ts";
import { hostWorld, type World } from "../support/world.ts";

/** The addresses leased, with their holders. */
async function leases(world: World): Promise<Record<string, string>> {
  return leasesOf(await stateOf(world));
}

async function expectRefusal(
  net: Network,
  container: Namespace,
  code: number,
  ...texts: string[]
): Promise<void> {
  const { code: given, msg, details } = await net.refusal("ADD", container);
  expect(given).toBe(code);
  for (const text of texts) expect(`${msg}; ${details}`).toContain(text);
}

for (const { what, at, code, says } of [
  { what: "the store of leases", at: "leases", code: 105, says: "failed to allocate for range 0" },
  { what: "the run directory", at: "records", code: 5, says: "cannot write the endpoint's record" },
])
  test(`${what} is full: ADD fails whole or succeeds whole, and CHECK, GC and DEL work`, async () => {
    await using world = await hostWorld();
    const [resident, newcomer] = [
      await world.container({ dad: false }),
      await world.container({ dad: false }),
    ];
    const net = network(world, { ipam: leased(world, "203.0.113.0/24") });
    await using full = await disk(join(world.directory, at));
    const outcomes = new Set<boolean>();
    for (const freePages of [0, 1, 2, 4]) {
      full.empty();
      const empty = await stateOf(world);
      const result = await net.add(resident);
      full.fill(freePages);
      const before = await stateOf(world);
      const answer = await net.run("ADD", newcomer);
      outcomes.add(answer.exitCode === 0);
      if (answer.exitCode === 0) {
        await net.gc([{ containerID: resident.name, ifname: "eth0" }]);
      } else {
        const { code: given, msg, details } = errorOf(answer);
        expect(given).toBe(code);
        expect(msg).toContain(says);
        expect(`${msg}; ${details}`).toContain("No space left on device (ENOSPC)");
      }
      expect(await stateOf(world)).toEqual(before);
      await net.check(resident, result);
      await net.del(resident);
      full.empty();
      expect(await stateOf(world)).toEqual(empty);
    }
    expect([...outcomes].sort()).toEqual([false, true]);
    expectTrueIndex(world.leases, "net");
  }, 180_000);

test("a read-only store: nothing is given, nothing is taken, and all goes on when it can be written again", async () => {
  await using world = await hostWorld();
  const [resident, newcomer] = [await world.container({ dad: false }), await world.container({ dad: false })];
  const net = network(world, { ipam: leased(world, "203.0.113.0/24") });
  await using store = await disk(world.leases);
  const empty = await stateOf(world);
  await store.remount("ro");
  await expectRefusal(net, newcomer, 105, "host-local: mkdir", "Read-only file system (EROFS)");
  expect(await stateOf(world)).toEqual(empty);
  await store.remount("rw");

  const result = await net.add(resident);
  await store.remount("ro");
  const before = await stateOf(world);
  await expectRefusal(net, newcomer, 105, "failed to allocate for range 0", "Read-only file system (EROFS)");
  expect((await net.refusal("STATUS")).code).toBe(50);
  expect(await stateOf(world)).toEqual(before);
  await net.check(resident, result);
  const refusal = await net.refusal("DEL", resident);
  expect([refusal.code, refusal.msg]).toEqual([105, expect.stringContaining("EROFS")]);
  // All but the lease has gone, and the lease is not forgotten.
  expect(await resident.linkNames()).toEqual([]);
  expect(Object.values(await leases(world))).toEqual([resident.name]);
  await store.remount("rw");
  await net.del(resident);
  expect(await stateOf(world)).toEqual(empty);
  expect(readdirSync(join(world.leases, "net")).sort()).toEqual(["last_reserved_ip.0", "lock"]);
});

test("a read-only run directory: ADD is refused before anything, DEL removes the endpoint and says what is left", async () => {
  await using world = await hostWorld();
  const [resident, newcomer] = [await world.container({ dad: false }), await world.container({ dad: false })];
  const net = network(world, { ipam: leased(world, "203.0.113.0/24") });
  await using records = await disk(join(world.directory, "records"));
  const empty = await stateOf(world);
  await net.add(resident);
  await records.remount("ro");
  const before = await stateOf(world);
  await expectRefusal(net, newcomer, 5, "cannot write the endpoint's record", "EROFS");
  expect(await stateOf(world)).toEqual(before);
  await net.del(newcomer);
  const refusal = await net.refusal("DEL", resident);
  expect(refusal.code).toBe(5);
  expect(await leases(world)).toEqual({});
  expect(await resident.linkNames()).toEqual([]);
  await records.remount("rw");
  await net.del(resident);
  expect(await stateOf(world)).toEqual(empty);
});

test("a store on any file system, whichever the run directory and /tmp are on", async () => {
  await using world = await hostWorld();
  const container = await world.container({ dad: false });
  await using _records = await disk(join(world.directory, "records"));
  await using own = await disk(join(world.directory, "store"));
  const onRoot = mkdtempSync("/var/lib/ipvlan-test-");
  try {
    for (const dataDir of [own.path, onRoot]) {
      const net = network(world, { ipam: { ...leased(world, "203.0.113.0/24"), dataDir } });
      const before = await stateOf(world);
      const result = await net.add(container);
      expect(readFileSync(join(dataDir, "net/203.0.113.2"), "utf8")).toBe(`${container.name}\r\neth0`);
      await net.check(container, result);
      await net.gc([{ containerID: container.name, ifname: "eth0" }]);
      await net.check(container, result);
      await net.del(container);
      expect(readdirSync(join(dataDir, "net")).sort()).toEqual(["last_reserved_ip.0", "lock"]);
      const { files: _, ...after } = await stateOf(world);
      expect(after).toEqual({ network: before.network, namespaces: before.namespaces });
    }
  } finally {
    rmSync(onRoot, { recursive: true });
  }
});
