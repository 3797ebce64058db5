/** A copy of the tree, where mutants live: the working tree is never touched. */

import {
  closeSync,
  cpSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repository } from "../kernel/environment.ts";

/** Makes the copy; it is gone when this process ends. Packages are shared with the working tree. */
export function scratchCopy(): string {
  const scratch = mkdtempSync(join(tmpdir(), "ipvlan-mutants-"));
  process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));
  for (const name of readdirSync(repository)) {
    if (![".git", "dist", "node_modules"].includes(name))
      cpSync(join(repository, name), join(scratch, name), { recursive: true });
  }
  symlinkSync(join(repository, "node_modules"), join(scratch, "node_modules"));
  return scratch;
}

export interface Ending {
  /** What it printed on both. */
  output: string;
  verdict: "passed" | "failed" | "hung";
}

/** Runs a command in the copy, as long as it may take; what it started ends with it. */
export async function runIn(
  scratch: string,
  words: string[],
  limitSeconds: number,
  environment: Record<string, string> = {},
): Promise<Ending> {
  const log = join(scratch, `output-${Bun.randomUUIDv7()}`);
  // A file, for what Bun calls a pipe is a socket, which cannot be opened by its name in /dev.
  const sink = openSync(log, "w");
  const child = Bun.spawn(["timeout", "--kill-after=3", String(Math.ceil(limitSeconds)), ...words], {
    cwd: scratch,
    env: { ...process.env, ...environment },
    stdin: "ignore",
    stdout: sink,
    stderr: sink,
  });
  const status = await child.exited;
  closeSync(sink);
  const verdict = status === 0 ? "passed" : status === 124 || status === 137 ? "hung" : "failed";
  const output = readFileSync(log, "utf8");
  rmSync(log);
  return { output, verdict };
}

/** The command that runs test files, at most so long each test. */
export function testCommand(files: string[], options: string[] = []): string[] {
  return [process.execPath, "test", "--timeout=60000", ...options, ...files.map((file) => `./${file}`)];
}
