/** Runs test files in one test kernel, against one executable after another. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setUp } from "../kernel/environment.ts";
import type { Ending } from "./scratch.ts";

export interface Job {
  /** The plugin that is tested. */
  binary: string;
  /** In this order; the rest is not run once one has not passed, unless hits are counted. */
  files: { file: string; limitSeconds: number }[];
  /** How many statements are counted, when the executable counts them. */
  count?: number;
}

export interface Outcome {
  /** Which job. */
  job: number;
  file: string;
  seconds: number;
  verdict: Ending["verdict"];
  /** The end of what a file printed that did not pass. */
  output: string;
  hits?: number[];
}

/** Runs jobs in one guest, from a copy of the tree; a guest that dies leaves what was known until then. */
export async function inGuest(scratch: string, jobs: Job[]): Promise<Outcome[]> {
  const cache = await setUp();
  if (cache === null) throw new Error("the test kernels could not be set up, see above");
  const orders = join(scratch, "jobs.json");
  const outcomes = join(scratch, "outcomes");
  writeFileSync(orders, JSON.stringify(jobs));
  writeFileSync(outcomes, "");
  const limits = jobs.flatMap(({ files }) => files.map((each) => each.limitSeconds + 5));
  // The guest sees the copy, and of the copy its own description of guests.
  const { guestCommand } = (await import(
    join(scratch, "test/kernel/environment.ts")
  )) as typeof import("../kernel/environment.ts");
  const guest = {
    kernel: "7",
    timeoutSeconds: limits.reduce((sum, limit) => sum + limit, 60),
    writable: scratch,
    environment: { IPVLAN_REFERENCE: cache, CI: "" },
  } as const;
  const words = [process.execPath, join(scratch, "test/mutants/in-guest.ts"), orders, outcomes];
  const child = Bun.spawn(guestCommand(guest, words), {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
  });
  await child.exited;
  const lines = readFileSync(outcomes, "utf8").trim().split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}
