/** A store of thousands of leases costs a call no more than a store of the first that has an index. */

import { afterAll, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MANY, scratch } from "../support/ipam.ts";
import { CONTAINER, hostLocalIn, ipamOnly, type RunOptions, release } from "../support/release.ts";

const directory = scratch();
const program = hostLocalIn(directory.path);
const strace = Bun.which("strace") ?? "strace is missing: test/kernel/setup installs it";
afterAll(() => directory[Symbol.dispose]());

/** Of a kind, so many of them in one call. */
interface Work {
  threads: number;
  leasesRead: number;
  pages: number;
}

/** What each verb makes the system do where others have so many leases. */
function workAmong(count: number): Record<"ADD" | "DEL", Work> {
  const dataDir = join(directory.path, `${count}`);
  const store = join(dataDir, "net");
  mkdirSync(store, { recursive: true });
  const name = (index: number) => `10.1.${index >> 8}.${index & 255}`;
  for (let index = 2; index < count + 2; index++)
    writeFileSync(join(store, name(index)), `other-${index}\r\neth0`);
  writeFileSync(join(store, "last_reserved_ip.0"), name(count + 1));
  const stdin = ipamOnly({ dataDir, subnet: "10.1.0.0/16" });
  const call = (CNI_COMMAND: string, how: Pick<RunOptions, "program" | "words">) =>
    expect(release({ ...how, environment: { CNI_COMMAND, ...CONTAINER }, stdin })).toMatchObject({
      exitCode: 0,
    });
  const log = join(directory.path, "log");
  const traced = (verb: string): Work => {
    call(verb, { program: strace, words: ["-f", "-qq", "-o", log, program] });
    const lines = readFileSync(log, "utf8").split("\n");
    const having = (what: RegExp) => lines.filter((line) => what.test(line)).length;
    return {
      threads: having(/^\d+ +clone3?\(/),
      leasesRead: having(/^\d+ +openat\(.*\/net\/10\./),
      pages: having(/^\d+ +p(read|write)64\(/),
    };
  };
  // The first pair makes the index.
  for (const verb of ["ADD", "DEL"]) call(verb, { program });
  return { ADD: traced("ADD"), DEL: traced("DEL") };
}

test("an address among thousands of leases takes a few pages of the index, and no further thread", () => {
  const few = workAmong(MANY);
  const many = workAmong(3000);
  for (const verb of ["ADD", "DEL"] as const) {
    expect(many[verb].threads).toBe(few[verb].threads);
    expect(many[verb].leasesRead).toBe(few[verb].leasesRead);
    expect(many[verb].pages).toBeLessThanOrEqual(few[verb].pages + 4);
  }
});
