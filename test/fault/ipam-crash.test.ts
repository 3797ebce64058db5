/**
 * ADD, DEL and GC are killed before each system call that changes something: whatever is left, the next call puts in
 * order. What any other call leaves is what the next of these finds.
 */

import { beforeAll, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { binary } from "../kernel/environment.ts";
import { expectTrueIndex } from "../support/index.ts";
import {
  callOurs,
  callProgram,
  crowd,
  environmentOf,
  filesOf,
  type IpamCall,
  leasesOf,
  MANY,
  referencePlugins,
  scratch,
} from "../support/ipam.ts";

// Those that change a file, a directory or a lock; of openat those that create.
const CHANGES = "mkdirat,openat,write,pwrite64,unlinkat,linkat,renameat2,utimensat,flock,exit_group";
/** Those with which a lease is read. */
const READS = "openat,read";

let referenceProgram: string[];

beforeAll(async () => {
  referenceProgram = [`${await referencePlugins("1.9.1")}/host-local`];
  if (!existsSync(binary)) throw new Error(`${binary} is not built: bun run build.ts`);
}, 300_000);

function callFor(dataDir: string, verb: IpamCall["verb"], containerId: string): IpamCall {
  return {
    verb,
    containerId,
    config: {
      cniVersion: "1.1.0",
      name: "net",
      ipam: { type: "host-local", dataDir, ranges: [[{ subnet: "10.1.2.0/24" }], [{ subnet: "fd00::/64" }]] },
    },
  };
}

/** A system call of a run: its name, and how many of that name there have been. */
interface Point {
  name: string;
  count: number;
}

/** Runs our program under strace, which does `fault` to it at a point: "signal=KILL" ends it, "error=EIO" fails the call. */
function runTraced(directory: string, call: IpamCall, log: string, calls: string, point?: Point, fault = "") {
  const program = join(directory, "host-local");
  if (!existsSync(program)) symlinkSync(binary, program);
  const inject = point === undefined ? [] : ["-e", `inject=${point.name}:${fault}:when=${point.count}`];
  return Bun.spawnSync(["strace", "-f", "-qq", "-o", log, "-e", `trace=${calls}`, ...inject, program], {
    stdin: Buffer.from(
      JSON.stringify({
        ...call.config,
        ...(call.validAttachments && {
          "cni.dev/valid-attachments": call.validAttachments.map(({ containerId, ifName }) => ({
            containerID: containerId,
            ifname: ifName,
          })),
        }),
      }),
    ),
    env: environmentOf(call),
  });
}

/** The system calls of the main thread, from the first that touches the store on. */
async function traced(directory: string, call: IpamCall, calls: string): Promise<Point[]> {
  const log = join(directory, "log");
  expect(runTraced(directory, call, log, calls).exitCode).toBe(0);
  const lines = (await Bun.file(log).text()).trim().split("\n");
  const [pid] = lines[0]!.split(" ");
  const counts: Record<string, number> = {};
  const points: Point[] = [];
  let isStarted = false;
  for (const line of lines) {
    const [, by, name] = /^(\d+) +(\w+)\(/.exec(line) ?? [];
    if (by !== pid || name === undefined) continue;
    counts[name] = (counts[name] ?? 0) + 1;
    isStarted ||= line.includes(join(directory, "store"));
    if (isStarted && (calls === READS || name !== "openat" || line.includes("O_CREAT")))
      points.push({ name, count: counts[name] });
  }
  return points;
}

interface Scenario {
  /** What the store is before; `by` are containers that hold addresses. */
  by: string[];
  verb: IpamCall["verb"];
  /** So many leases of others that there is an index. */
  isLarge?: boolean;
  /** Other than ours wrote last, so that the index of a large store does not count. */
  withoutIndex?: boolean;
  /** There have been many more leases: the index is larger than one made anew. */
  wasLarge?: boolean;
}

const scenarios: Record<string, Scenario> = {
  "the first ADD of all": { by: [], verb: "ADD" },
  "an ADD": { by: ["c1", "c2"], verb: "ADD" },
  "a DEL": { by: ["c1", "victim", "c2"], verb: "DEL" },
  "a GC": { by: ["c1", "victim", "c2"], verb: "GC" },
  "an ADD among many": { by: ["c1", "c2"], verb: "ADD", isLarge: true },
  "an ADD among many, after another program's": {
    by: ["c1", "c2"],
    verb: "ADD",
    isLarge: true,
    withoutIndex: true,
  },
  "a DEL among many": { by: ["c1", "victim", "c2"], verb: "DEL", isLarge: true },
  "a DEL among many, after another program's": {
    by: ["c1", "victim"],
    verb: "DEL",
    isLarge: true,
    withoutIndex: true,
  },
  "a GC among many that frees nothing": { by: ["c1", "c2"], verb: "GC", isLarge: true, wasLarge: true },
  "a GC among many": { by: ["c1", "victim", "c2"], verb: "GC", isLarge: true },
};

const many = Array.from({ length: 70 }, (_, index) => `many${index}`);

/** The leases but for the crowd's, of which every one must be there. */
function attachmentsOf(store: string): Record<string, string> {
  const leases = Object.entries(leasesOf(store, "net"));
  const own = leases.filter(([address]) => !address.startsWith("198.51.100."));
  expect([0, MANY]).toContain(leases.length - own.length);
  return Object.fromEntries(own);
}

/** What must hold whenever the program may have died. */
function expectConsistent(store: string, others: string[]): void {
  const leases = attachmentsOf(store);
  for (const text of Object.values(leases)) expect(text).toMatch(/^(c1|c2|victim)\r\neth0$/);
  for (const id of others)
    expect(Object.values(leases).filter((text) => text === `${id}\r\neth0`)).toHaveLength(2);
  for (const [name, { text }] of Object.entries(filesOf(store, "net")))
    if (name.startsWith("last_reserved_ip.")) expect(text).toMatch(/^(10\.1\.2\.\d+|fd00::[0-9a-f]+)$/);
  expectTrueIndex(store, "net");
}

for (const [name, { by, verb, isLarge, withoutIndex, wasLarge }] of Object.entries(scenarios))
  test(`${name}, killed at any point`, async () => {
    using directory = scratch();
    const before = join(directory.path, "before");
    if (isLarge) crowd(before, "net", MANY);
    for (const id of by) expect(callOurs(callFor(before, "ADD", id)).error).toBeUndefined();
    if (withoutIndex) rmSync(join(before, ".ipvlan"), { recursive: true });
    const others = by.filter((id) => id !== "victim");
    const store = join(directory.path, "store");
    const reset = () => {
      rmSync(store, { recursive: true, force: true });
      if (!existsSync(before)) return;
      cpSync(before, store, { recursive: true });
      if (wasLarge) for (const id of many) callOurs(callFor(store, "ADD", id));
      if (wasLarge) for (const id of many) callOurs(callFor(store, "DEL", id));
      // A copy has an index of its own, too.
      if (!withoutIndex) callOurs(callFor(store, "STATUS", "victim"));
    };
    const validAttachments = others.map((containerId) => ({ containerId, ifName: "eth0" }));
    const call = { ...callFor(store, verb, "victim"), ...(verb === "GC" ? { validAttachments } : {}) };

    reset();
    const points = await traced(directory.path, call, CHANGES);
    expect(points.length).toBeGreaterThan(isLarge ? 6 : 4);
    let kills = 0;
    for (const point of points) {
      reset();
      const { signalCode } = runTraced(
        directory.path,
        call,
        join(directory.path, "killed"),
        CHANGES,
        point,
        "signal=KILL",
      );
      if (signalCode === "SIGKILL") kills++;
      expectConsistent(store, others);

      // Each of these puts everything in order, so each gets a store of its own.
      const left = join(directory.path, "left");
      rmSync(left, { recursive: true, force: true });
      mkdirSync(store, { recursive: true });
      cpSync(store, left, { recursive: true });

      const again = callOurs(callFor(store, "ADD", "c3"));
      expect(again.error).toBeUndefined();
      expect(new Set(Object.values(attachmentsOf(store)))).toContain("c3\r\neth0");
      callOurs(callFor(store, "DEL", "c3"));
      expect(callOurs(callFor(store, "DEL", "victim"))).toEqual({});
      expectOnly(store, others);

      cpSync(left, store, { recursive: true });
      expect(callProgram(referenceProgram, callFor(store, "DEL", "victim"))).toEqual({});
      expect(callProgram(referenceProgram, callFor(store, "ADD", "victim")).error).toBeUndefined();
      expect(callOurs(callFor(store, "DEL", "victim"))).toEqual({});
      expectOnly(store, others);

      expect(callOurs({ ...callFor(left, "GC", ""), validAttachments })).toEqual({});
      expectOnly(left, others);
      expect(Object.keys(filesOf(left, "net")).filter((file) => file.startsWith(".ipvlan"))).toEqual([]);
    }
    expect(kills).toBeGreaterThan(points.length * 0.9);
  }, 180_000);

function expectOnly(store: string, others: string[]): void {
  const held = Object.values(attachmentsOf(store)).sort();
  expect(held).toEqual(others.flatMap((id) => [`${id}\r\neth0`, `${id}\r\neth0`]).sort());
  expectTrueIndex(store, "net");
}

test("an empty file of the reference is taken over by ADD, and removed by GC", () => {
  using directory = scratch();
  const call = { ...callFor(directory.path, "ADD", "c1") };
  callOurs(callFor(directory.path, "ADD", "c0"));
  for (const name of ["10.1.2.3", "10.1.2.9"]) writeFileSync(join(directory.path, "net", name), "");
  expect(callOurs(call).result).toMatchObject({ ips: [{ address: "10.1.2.3/24" }, {}] });
  expect(leasesOf(directory.path, "net")["10.1.2.3"]).toBe("c1\r\neth0");
  expect(leasesOf(directory.path, "net")["10.1.2.9"]).toBe("");
  callOurs({ ...call, verb: "GC", validAttachments: [{ containerId: "c1", ifName: "eth0" }] });
  expect(Object.keys(leasesOf(directory.path, "net"))).toEqual(["10.1.2.3", "fd00::3"]);
});

for (const count of [0, MANY])
  test(`what cannot be read once keeps no lease from being given back, among ${count} others`, async () => {
    using directory = scratch();
    const store = join(directory.path, "store");
    const reset = () => {
      rmSync(store, { recursive: true, force: true });
      crowd(store, "net", count);
      for (const id of ["c1", "victim"]) callOurs(callFor(store, "ADD", id));
    };
    const call = callFor(store, "DEL", "victim");
    reset();
    const points = await traced(directory.path, call, READS);
    expect(points.length).toBeGreaterThan(5);
    for (const point of points) {
      reset();
      const log = join(directory.path, "failed");
      const { exitCode } = runTraced(directory.path, call, log, READS, point, "error=EIO");
      // It says that something is left, or nothing is.
      if (exitCode !== 0) expect(callOurs(call)).toEqual({});
      expectOnly(store, ["c1"]);
    }
  }, 180_000);
