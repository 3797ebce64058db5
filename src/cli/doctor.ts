import type { CommandInput } from "./command.ts";
import type { Diagnosis, Level } from "./doctor/diagnosis.ts";
import { examineKernel } from "./doctor/kernel.ts";
import { examineEndpoints, examineState } from "./doctor/leftovers.ts";
import { examineMasters } from "./doctor/masters.ts";
import { examineFiles } from "./doctor/networks.ts";
import { examineDirectories, examinePlugins } from "./doctor/plugins.ts";
import { endpointsOfHost } from "./endpoints.ts";
import { missingHere } from "./privileges.ts";
import { type Paint, painter, type Style, wantsColour, wrap } from "./terminal.ts";

const STYLE_OF: Record<Level, Style> = { ok: "green", warning: "yellow", error: "red" };
const WIDTH = 110;

/** `ipvlan doctor [FILE...]` */
export function doctor({ operands, has }: CommandInput): number {
  const findings: Diagnosis[] = [];
  const paint = painter(wantsColour(process.stdout));
  // Told as it is found: looking into every namespace of a big host takes its time.
  const report = (some: Diagnosis[]) => {
    findings.push(...some);
    if (!has("json")) for (const each of some) console.log(format(each, paint));
  };
  report(examineKernel());
  const endpoints = endpointsOfHost();
  report(examineMasters(endpoints));
  report(examinePlugins());
  report(examineDirectories());
  report(examineFiles(operands, endpoints));
  // Where namespaces cannot be looked into, every endpoint would seem gone; the capabilities' finding says so.
  if (!missingHere().includes("CAP_SYS_ADMIN")) report(examineEndpoints(endpoints));
  report(examineState());
  const errors = findings.filter(({ level }) => level === "error").length;
  if (has("json")) console.log(JSON.stringify({ healthy: errors === 0, findings }, null, 2));
  else console.log(summary(findings));
  return errors === 0 ? 0 : 1;
}

function format({ subject, level, message, remedy }: Diagnosis, paint: Paint): string {
  const head = `${paint(STYLE_OF[level], level.padEnd(8))}${paint("bold", subject)}: ${message}`;
  return remedy === undefined ? head : `${head}\n${wrap(`-> ${remedy}`, WIDTH, "          ")}`;
}

function summary(findings: Diagnosis[]): string {
  const count = (level: Level) => findings.filter((finding) => finding.level === level).length;
  return `\n${count("ok")} ok, ${count("warning")} warnings, ${count("error")} errors`;
}
