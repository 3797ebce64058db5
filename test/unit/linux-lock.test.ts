/** Waiting for a lock: in line, without asking again and again, and never longer than was said. */

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lockFile } from "../../src/linux/file.ts";
import { scratch } from "../support/ipam.ts";
import { until } from "../support/running.ts";

const source = join(import.meta.dir, "../../src/linux/file.ts");

/** A process that waits for the lock, adds a word to the file `turns` when it has it, and ends. */
function waiter(directory: string, word: string) {
  const script = `import { appendFileSync } from "node:fs";
    const { lockFile } = await import(${JSON.stringify(source)});
    const lock = lockFile(${JSON.stringify(join(directory, "lock"))}, 0o600, 30_000);
    appendFileSync(${JSON.stringify(join(directory, "turns"))}, ${JSON.stringify(word)} + (lock ? " " : "! "));
    lock?.release();`;
  return Bun.spawn([process.execPath, "-e", script], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
  });
}

/** Whether the kernel has that process in a lock's line. */
function isInLine(pid: number): boolean {
  return new RegExp(`-> FLOCK +ADVISORY +WRITE ${pid} `).test(readFileSync("/proc/locks", "utf8"));
}

test("who comes first is served first, however many come after", async () => {
  using directory = scratch();
  const words = ["one", "two", "three", "four", "five", "six"];
  writeFileSync(join(directory.path, "turns"), "");
  const held = lockFile(join(directory.path, "lock"), 0o600, 0)!;
  const children: ReturnType<typeof waiter>[] = [];
  try {
    for (const word of words) {
      const child = waiter(directory.path, word);
      children.push(child);
      await until(() => isInLine(child.pid), `${word} to stand in line`);
    }
    held.release();
    await Promise.all(children.map(({ exited }) => exited));
    expect(readFileSync(join(directory.path, "turns"), "utf8")).toBe(`${words.join(" ")} `);
  } finally {
    for (const child of children) child.kill();
  }
});

test("the wait is over when it is over, time and again, and the timer with it", async () => {
  using directory = scratch();
  const path = join(directory.path, "lock");
  const held = lockFile(path, 0o600, 0)!;
  for (const timeoutMs of [1, 30, 999.6, 1000]) {
    const started = performance.now();
    expect(lockFile(path, 0o600, timeoutMs)).toBeUndefined();
    expect(performance.now() - started).toBeGreaterThanOrEqual(timeoutMs);
  }
  // A timer that went on would interrupt this, or end what is started: it outlives exec(2).
  expect(await Bun.spawn(["sleep", "0.3"]).exited).toBe(0);
  held.release();
  lockFile(path, 0o600, 0)!.release();
});

test("a lock that is let go while somebody waits is theirs", async () => {
  using directory = scratch();
  const path = join(directory.path, "lock");
  const holder = Bun.spawn(["flock", "-F", path, "sh", "-c", "echo held; sleep 0.3"], { stdout: "pipe" });
  await holder.stdout.getReader().read();
  const lock = lockFile(path, 0o600, 20_000);
  expect(lock).toBeDefined();
  expect(Bun.spawnSync(["flock", "-n", path, "true"]).exitCode).toBe(1);
  lock!.release();
  await holder.exited;
});
