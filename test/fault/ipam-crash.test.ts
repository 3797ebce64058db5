/** ADD, DEL and GC are killed before each of their system calls: whatever is left, the next call puts in order. */

import { beforeAll, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { binary } from "../kernel/environment.ts";
import { expectTrueIndex } from "../support/index.ts";
import {
  callOurs,
  callProgram,
  environmentOf,
  filesOf,
  type IpamCall,
  leasesOf,
  referencePlugins,
  scratch,
} from "../support/ipam.ts";

// Whatever can be seen from outside, or could be left half done.
const CALLS =
  "mkdirat,open,openat,read,pread64,write,pwrite64,close,unlinkat,linkat,renameat2,utimensat,flock,statx,getdents64";

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

/** Runs our program under strace; before `kill` it dies. */
function runTraced(directory: string, call: IpamCall, log: string, kill: Point | undefined) {
  const program = join(directory, "host-local");
  if (!existsSync(program)) symlinkSync(binary, program);
  const inject = kill === undefined ? [] : ["-e", `inject=${kill.name}:signal=KILL:when=${kill.count}`];
  return Bun.spawnSync(["strace", "-f", "-qq", "-o", log, "-e", `trace=${CALLS}`, ...inject, program], {
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
async function traced(directory: string, call: IpamCall): Promise<Point[]> {
  const log = join(directory, "log");
  expect(runTraced(directory, call, log, undefined).exitCode).toBe(0);
  const lines = (await Bun.file(log).text()).trim().split("\n");
  const [pid] = lines[0]!.split(" ");
  const counts: Record<string, number> = {};
  const points: Point[] = [];
  for (const line of lines) {
    const [, by, name] = /^(\d+) +(\w+)\(/.exec(line) ?? [];
    if (by !== pid || name === undefined) continue;
    counts[name] = (counts[name] ?? 0) + 1;
    if (points.length > 0 || line.includes(join(directory, "store")))
      points.push({ name, count: counts[name] });
  }
  return points;
}

interface Scenario {
  /** What the store is before; `by` are containers that hold addresses. */
  by: string[];
  verb: IpamCall["verb"];
  /** Other than ours wrote last, so that there is no index. */
  withoutIndex?: boolean;
  /** There have been many more leases: the index is larger than one made anew. */
  wasLarge?: boolean;
}

const scenarios: Record<string, Scenario> = {
  "the first ADD of all": { by: [], verb: "ADD" },
  "an ADD": { by: ["c1", "c2"], verb: "ADD" },
  "an ADD after another program's": { by: ["c1", "c2"], verb: "ADD", withoutIndex: true },
  "a DEL": { by: ["c1", "victim", "c2"], verb: "DEL" },
  "a DEL after another program's": { by: ["c1", "victim"], verb: "DEL", withoutIndex: true },
  "a GC that frees nothing": { by: ["c1", "c2"], verb: "GC", wasLarge: true },
  "a GC": { by: ["c1", "victim", "c2"], verb: "GC" },
};

const many = Array.from({ length: 70 }, (_, index) => `many${index}`);

/** What must hold whenever the program may have died. */
function expectConsistent(store: string, others: string[]): void {
  const leases = leasesOf(store, "net");
  for (const text of Object.values(leases)) expect(text).toMatch(/^(c1|c2|victim)\r\neth0$/);
  for (const id of others)
    expect(Object.values(leases).filter((text) => text === `${id}\r\neth0`)).toHaveLength(2);
  for (const [name, { text }] of Object.entries(filesOf(store, "net")))
    if (name.startsWith("last_reserved_ip.")) expect(text).toMatch(/^(10\.1\.2\.\d+|fd00::[0-9a-f]+)$/);
  expectTrueIndex(store, "net");
}

for (const [name, { by, verb, withoutIndex, wasLarge }] of Object.entries(scenarios))
  test(`${name}, killed at any point`, async () => {
    using directory = scratch();
    const before = join(directory.path, "before");
    for (const id of by) expect(callOurs(callFor(before, "ADD", id)).error).toBeUndefined();
    if (by.length > 0 && withoutIndex) rmSync(join(before, ".ipvlan"), { recursive: true });
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
    const points = await traced(directory.path, call);
    expect(points.length).toBeGreaterThan(15);
    let kills = 0;
    for (const point of points) {
      reset();
      const { signalCode } = runTraced(directory.path, call, join(directory.path, "killed"), point);
      if (signalCode === "SIGKILL") kills++;
      expectConsistent(store, others);

      // Each of these puts everything in order, so each gets a store of its own.
      const left = join(directory.path, "left");
      rmSync(left, { recursive: true, force: true });
      mkdirSync(store, { recursive: true });
      cpSync(store, left, { recursive: true });

      const again = callOurs(callFor(store, "ADD", "c3"));
      expect(again.error).toBeUndefined();
      expect(new Set(Object.values(leasesOf(store, "net")))).toContain("c3\r\neth0");
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
  }, 120_000);

function expectOnly(store: string, others: string[]): void {
  const held = Object.values(leasesOf(store, "net")).sort();
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
