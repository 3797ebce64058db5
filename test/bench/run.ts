/**
 * Measures the plugin beside its peers, all parts or some:
 *
 *   bun test/bench/run.ts                    everything
 *   bun test/bench/run.ts process codec      only these: process, counts, instructions, ipam, codec, scale,
 *                                            profile, kernel
 *   --rounds N         how often each process is started (default 40)
 *   --json FILE        the findings as JSON ("-": on standard output, and nothing else there)
 *   --compare FILE     what changed since those findings (default: baseline.json beside this file)
 *   --save             as the new baseline.json
 *   --plots DIR        pictures, as SVG
 *   --link-kind KIND   ipvlan or macvlan (default: ipvlan where the kernel has it)
 *
 * It needs root, gcc and Debian on x86_64 (the peers are its packages). Nothing here passes or fails: figures of one
 * run are compared with each other, never with a clock.
 */

import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { guestCommand, hasNativeDriver, setUp } from "../kernel/environment.ts";
import type { LinkKind } from "./contenders.ts";
import { countCalls } from "./counts.ts";
import { countInstructions } from "./instructions.ts";
import { measureIpam } from "./ipam.ts";
import { measureProcesses } from "./process.ts";
import { profileAdd } from "./profile.ts";
import { compareReports, drawing, printReport, type Report, reportOf } from "./report.ts";
import { measureScale } from "./scale.ts";
import { type Findings, noFindings } from "./statistics.ts";

const BASELINE = join(import.meta.dir, "baseline.json");

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "40" },
    json: { type: "string" },
    compare: { type: "string", default: BASELINE },
    save: { type: "boolean", default: false },
    plots: { type: "string" },
    "link-kind": { type: "string" },
  },
});
const rounds = Number(options.rounds);
const references =
  process.env.IPVLAN_REFERENCE ?? (await setUp()) ?? stop("the reference plugins are not to be had");
const linkKind = (options["link-kind"] ?? (hasNativeDriver() ? "ipvlan" : "macvlan")) as LinkKind;
const settings = { linkKind, references, rounds };

const PARTS: Record<string, () => Promise<Findings>> = {
  process: () => measureProcesses(settings),
  counts: () => countCalls(settings),
  instructions: () => countInstructions(settings),
  ipam: () => measureIpam({ references, rounds: Math.ceil(rounds / 2) }),
  // Loaded when asked for: it runs the codec in this very process.
  codec: async () => (await import("./codec.ts")).measureCodec(),
  scale: () => measureScale({ ...settings, rounds: Math.ceil(rounds / 2) }),
  profile: () => profileAdd(settings),
  kernel: countUnderTestKernel,
};
const unknown = positionals.find((name) => !(name in PARTS));
if (unknown !== undefined) stop(`there is no part ${unknown}; choose from ${Object.keys(PARTS).join(", ")}`);

const findings = noFindings();
let isWhole = true;
for (const name of positionals.length > 0 ? positionals : Object.keys(PARTS)) {
  console.error(`-- ${name}`);
  try {
    const found = await PARTS[name]!();
    findings.figures.push(...found.figures);
    findings.targets.push(...found.targets);
    findings.notes.push(...found.notes.filter((note) => !findings.notes.includes(note)));
  } catch (thrown) {
    // The other parts' figures are none the worse for it.
    console.error(thrown);
    isWhole = false;
  }
}
await tell(reportOf(findings));
process.exit(isWhole ? 0 : 1);

async function tell(report: Report): Promise<void> {
  const json = `${JSON.stringify(report, null, 2)}\n`;
  if (options.json === "-") return void console.log(json);
  printReport(report);
  if (options.json !== undefined) await Bun.write(options.json, json);
  if (existsSync(options.compare)) compareReports(report, await Bun.file(options.compare).json());
  if (options.save) await Bun.write(BASELINE, json);
  if (options.plots !== undefined) await draw(report, options.plots);
}

async function draw(report: Report, directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const pictures: [file: string, title: string, part: string, names: RegExp][] = [
    ["bench-process", "Whole processes, wall clock", "process", /, wall$/],
    ["bench-cpu", "Whole processes, user and system time", "process", /, CPU$/],
    ["bench-burst", "Bursts, first start to last end", "process", /at once$/],
    ["bench-memory", "Peak memory", "process", /memory$/],
    ["bench-ipam", "host-local among many leases", "ipam", /^ADD.*wall$/],
    ["bench-codec", "Parsing a dump", "codec", /^parse/],
    ["bench-profile", "Where an ADD spends its time", "profile", /./],
  ];
  for (const [file, title, part, names] of pictures) {
    const figures = report.figures.filter((figure) => figure.part === part && names.test(figure.name));
    if (figures.length > 0) await Bun.write(join(directory, `${file}.svg`), drawing(report, title, figures));
  }
}

/** The counts once more, of the real thing: ipvlan links against the reference's ipvlan plugin. */
async function countUnderTestKernel(): Promise<Findings> {
  const words = [
    process.execPath,
    join(import.meta.dir, "run.ts"),
    "counts",
    "--link-kind",
    "ipvlan",
    "--json",
    "-",
  ];
  const environment = { IPVLAN_REFERENCE: references };
  // The executables of all contenders lie in the guest's memory, twice.
  const guest = { kernel: "7", memory: "3G", timeoutSeconds: 500, environment } as const;
  const command = guestCommand(guest, words);
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "inherit" });
  const text = await child.stdout.text();
  if ((await child.exited) !== 0) throw new Error("the counts under the test kernel failed; see above");
  const report = JSON.parse(text) as Report;
  return {
    ...report,
    notes: [...report.notes, `Counts of ipvlan: under ${report.machine.kernel}, User Mode Linux.`],
  };
}

function stop(why: string): never {
  console.error(`bench: ${why}`);
  process.exit(2);
}
