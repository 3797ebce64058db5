/** Runs the command of a lane and reads what its tests reported. */

import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { repository } from "../kernel/environment.ts";
import type { Count } from "./outcomes.ts";

export interface Run {
  exitCode: number;
  seconds: number;
  log: string;
}

export interface Conditions {
  /** Where the log is written. */
  scratch: string;
  timeoutSeconds: number;
  /** Shows what is printed while it is printed: hours are not waited for in silence. */
  isShown: boolean;
}

const running = new Set<Bun.Subprocess>();

/** Ends what still runs: where something went wrong with one lane, no other is waited for. */
export function stopAll(): void {
  for (const child of running) child.kill();
}

/** Runs a command to its end. */
export async function execute(
  lane: string,
  command: string[],
  { scratch, timeoutSeconds, isShown }: Conditions,
): Promise<Run> {
  const log = join(scratch, `${Bun.randomUUIDv7()}.log`);
  // One file for both, so that what belongs together stays together.
  const sink = openSync(log, "a");
  const begun = performance.now();
  console.log(`-- ${lane}: started`);
  const child = Bun.spawn(command, {
    cwd: repository,
    stdin: "ignore",
    stdout: sink,
    stderr: sink,
    timeout: (timeoutSeconds + 60) * 1000,
  });
  closeSync(sink);
  running.add(child);
  const shown = isShown ? await showUntil(child.exited, log) : 0;
  const exitCode = await child.exited;
  running.delete(child);
  return { exitCode, seconds: (performance.now() - begun) / 1000, log: contentFrom(log, shown).toString() };
}

/** Prints what is added to a file until `end`. Returns how many bytes were printed. */
async function showUntil(end: Promise<unknown>, path: string): Promise<number> {
  let isOver = false;
  end.then(() => {
    isOver = true;
  });
  for (let shown = 0; ; await Bun.sleep(1000)) {
    const isLast = isOver;
    const more = contentFrom(path, shown);
    process.stdout.write(more);
    shown += more.length;
    if (isLast) return shown;
  }
}

function contentFrom(path: string, offset: number): Buffer {
  return readFileSync(path).subarray(offset);
}

/** What the report says, or null when there is none; a run that failed counts at least one failure. */
export async function countsOf(report: string, exitCode: number): Promise<Count | null> {
  const file = Bun.file(report);
  const head = (await file.exists()) ? /<testsuites [^>]*>/.exec(await file.text())?.[0] : undefined;
  if (head === undefined) return null;
  const number = (name: string) => Number(head.match(new RegExp(` ${name}="(\\d+)"`))?.[1] ?? 0);
  const skipped = number("skipped");
  const reported = number("failures");
  const passed = number("tests") - reported - skipped;
  const broken = exitCode !== 0 || passed + reported === 0;
  return { passed, skipped, failed: broken ? Math.max(1, reported) : reported };
}
