/** Where the milliseconds of an ADD go, phase by phase: the plugin built with the stop-watch of src/profile.ts. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { buildExecutable } from "../../build.ts";
import { copyInPieces } from "../../src/cli/copy.ts";
import { cniContender, type LinkKind, moveIn, PLUGIN } from "./contenders.ts";
import { Lab } from "./lab.ts";
import { type Findings, noFindings, spreadOf } from "./statistics.ts";
import { compile, Timer } from "./timer.ts";

const PAUSE_MS = 40;
const RUNTIME = "runtime starts";
const END = "process ends";

export interface ProfileOptions {
  linkKind: LinkKind;
  references: string;
  rounds: number;
}

export async function profileAdd({ linkKind, references, rounds }: ProfileOptions): Promise<Findings> {
  await using lab = await Lab.open(1);
  const [container] = lab.containers;
  const built = join(lab.directory, "built", linkKind);
  mkdirSync(join(built, ".."));
  await buildExecutable(built, { linkKind, profile: true });
  const path = join(lab.directory, linkKind);
  copyInPieces(built, path, 0o755);
  const shop = {
    directory: lab.directory,
    leases: join(lab.directory, "leases"),
    records: lab.records,
    references,
    linkKind,
  };
  const plugin = cniContender(PLUGIN, "plugin", path, shop);
  await moveIn(lab, [plugin]);
  await using timer = new Timer(compile("timer.c", lab.directory), lab.host);
  const phases = new Map<string, number[]>();
  const note = (phase: string, ms: number) => phases.set(phase, [...(phases.get(phase) ?? []), ms]);

  for (let round = 0; round < rounds; round++) {
    const add = plugin.program("ADD", container!);
    add.environment.STARTED = "@now";
    const { costs } = await timer.run([add]);
    const [{ exitStatus, wallMs }] = costs as [(typeof costs)[0]];
    if (exitStatus !== 0) throw new Error(`the profiled ADD ended with ${exitStatus}`);
    const [started, marks] = marksIn(await timer.errorLine());
    let before = started;
    for (const [phase, epochMs] of marks) {
      note(phase, epochMs - before);
      before = epochMs;
    }
    note(END, started + wallMs - before);
    await timer.run([plugin.program("DEL", container!)]);
    await timer.errorLine();
    await Bun.sleep(PAUSE_MS);
  }
  const findings = noFindings();
  for (const [phase, samples] of phases)
    findings.figures.push({
      part: "profile",
      name: phase,
      contender: PLUGIN,
      unit: "ms",
      // The first call also makes the store.
      ...spreadOf(samples.slice(1)),
    });
  findings.notes.push(`"${RUNTIME}" is from the start of the process to the first statement of the plugin.`);
  return findings;
}

function marksIn(line: string): [startedMs: number, marks: [string, number][]] {
  const { started, marks } = JSON.parse(line);
  return [Number(started) / 1e6, marks];
}
