/** How long the tests of test/endurance go on: moments in the normal lanes, an hour under `bun test/run.ts soak`. */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";

export const isLong = process.env.IPVLAN_ENDURANCE === "long";

/** What the machine holds, once it has come to rest; memory in bytes. */
export interface Sample {
  /** Taken by the kernel for itself, file systems in memory included. */
  kernelBytes: number;
  /** Of that, what is in slabs and cannot be given back on demand. */
  slabBytes: number;
  /** Everything taken, less what this very process has. */
  usedBytes: number;
  /** Open files of the whole machine. */
  descriptors: number;
  processes: number;
  mounts: number;
}

/** Looks around after caches have been dropped and what is removed in the background has gone. */
export async function sampleMachine(): Promise<Sample> {
  let least: Sample | undefined;
  // The least of several: what is being freed meanwhile is on its way, not left.
  for (let attempt = 0; attempt < 4; attempt++) {
    Bun.gc(true);
    writeFileSync("/proc/sys/vm/drop_caches", "3");
    await Bun.sleep(200);
    const now = sampleNow();
    least = least === undefined ? now : smaller(least, now);
  }
  return least!;
}

function smaller(a: Sample, b: Sample): Sample {
  const entries = Object.entries(a) as [keyof Sample, number][];
  return Object.fromEntries(
    entries.map(([key, value]) => [key, Math.min(value, b[key])]),
  ) as unknown as Sample;
}

function sampleNow(): Sample {
  const memory = readFileSync("/proc/meminfo", "utf8");
  const bytes = (name: string) => Number(new RegExp(`^${name}: +(\\d+)`, "m").exec(memory)?.[1] ?? 0) * 1024;
  const slabBytes = bytes("SUnreclaim");
  const others = ["KernelStack", "PageTables", "Percpu", "Shmem", "VmallocUsed"].map(bytes);
  return {
    kernelBytes: slabBytes + others.reduce((sum, each) => sum + each, 0),
    slabBytes,
    usedBytes: bytes("MemTotal") - bytes("MemFree") - process.memoryUsage.rss(),
    descriptors: Number(readFileSync("/proc/sys/fs/file-nr", "utf8").split("\t")[0]),
    processes: readdirSync("/proc").filter((name) => /^\d+$/.test(name)).length,
    mounts: readFileSync("/proc/self/mountinfo", "utf8").split("\n").length - 1,
  };
}

/** The middle one. */
export function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;
}

/** The growth from the second quarter of a series to its last: the first quarter is for warming up. */
export function growth(series: number[]): number {
  const quarter = Math.max(1, series.length >> 2);
  return median(series.slice(-quarter)) - median(series.slice(quarter, 2 * quarter));
}
