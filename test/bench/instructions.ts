/**
 * Instructions that each contender runs in user mode, counted by valgrind: the same in every run to a few in a thousand, on
 * the busiest machine too, so that a change of one in a hundred can be seen. What the kernel does for it is not in it.
 */

import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun } from "../support/command.ts";
import { contendersIn, type LinkKind, moveIn, type Verb } from "./contenders.ts";
import { Lab } from "./lab.ts";
import { exactly, type Findings, noFindings } from "./statistics.ts";

/** Counts and nothing else; a plugin that is executed counts, too. */
const VALGRIND = [
  ...["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"],
  "--trace-children=yes",
];

export interface InstructionsOptions {
  linkKind: LinkKind;
  references: string;
}

export async function countInstructions({ linkKind, references }: InstructionsOptions): Promise<Findings> {
  const findings = noFindings();
  if (Bun.which("valgrind") === null) {
    findings.notes.push("No instructions: valgrind is not installed.");
    return findings;
  }
  await using lab = await Lab.open(1);
  const all = await contendersIn(lab, { references, linkKind });
  await moveIn(lab, all);
  for (const { name, role, program } of all) {
    const count = async (verb: Verb) => {
      const { path, stdin, environment } = program(verb, lab.containers[0]!);
      const logs = mkdtempSync(join(lab.directory, "valgrind-"));
      const words = [...VALGRIND, `--log-file=${logs}/%p`, path];
      await mustRun(["ip", "netns", "exec", lab.host.name, ...words], {
        stdin: await Bun.file(stdin).text(),
        environment,
      });
      return countedIn(logs);
    };
    const verbs = role === "empty" ? (["VERSION"] as const) : (["VERSION", "ADD", "DEL"] as const);
    // The first pair makes the store, which is once in the life of a network.
    if (role !== "empty") for (const verb of ["ADD", "DEL"] as const) await count(verb);
    for (const verb of verbs)
      findings.figures.push({
        part: "instructions",
        name: role === "empty" ? "start and end" : verb,
        contender: name,
        unit: "million",
        ...exactly((await count(verb)) / 1e6),
      });
  }
  return findings;
}

/** What valgrind has written of each process, in sum. */
function countedIn(logs: string): number {
  let sum = 0;
  for (const name of readdirSync(logs)) {
    const text = readFileSync(join(logs, name), "utf8");
    const [, count] = /I +refs: +([\d,]+)/.exec(text) ?? [];
    if (count === undefined) throw new Error(`valgrind has not counted:\n${text}`);
    sum += Number(count.replaceAll(",", ""));
  }
  return sum;
}
