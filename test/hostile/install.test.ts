/** How the program is written where runtimes look for it decides how quickly each start of it is. */

import { afterAll, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { binary } from "../kernel/environment.ts";
import { scratch } from "../support/ipam.ts";
import { release } from "../support/release.ts";

const directory = scratch();
const strace = Bun.which("strace") ?? "strace is missing: test/kernel/setup installs it";
afterAll(() => directory[Symbol.dispose]());

test("`ipvlan install` writes huge pages", () => {
  const [log, target] = [join(directory.path, "log"), join(directory.path, "bin")];
  mkdirSync(target);
  const words = ["-qq", "-e", "trace=write,pwrite64", "-s", "0", "-o", log, binary];
  const { exitCode } = release({ program: strace, words: [...words, "install", "--dest", target] });
  expect(exitCode).toBe(0);
  expect(readdirSync(target)).toEqual(["ipvlan"]);
  const installed = join(target, "ipvlan");
  expect(Buffer.compare(readFileSync(installed), readFileSync(binary))).toBe(0);
  expect(statSync(installed).mode & 0o777).toBe(0o755);
  const pieces = readFileSync(log, "utf8").match(/= 2097152$/gm);
  expect(pieces?.length).toBe(Math.floor(statSync(binary).size / 2 ** 21));
});
