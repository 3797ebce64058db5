import { readFileSync } from "node:fs";
import { messageOf } from "../error.ts";
import type { CommandInput } from "./command.ts";
import { type Paint, painter, wantsColour } from "./terminal.ts";
import { checkFile } from "./validate/document.ts";
import { type Finding, Findings } from "./validate/finding.ts";

/** `ipvlan validate FILE...`: 0 when no file has an error. */
export function validateFiles({ operands, has }: CommandInput): number {
  const findings = operands.flatMap(validateFile);
  const failed = findings.some(({ level }) => level === "error");
  if (has("json")) {
    console.log(JSON.stringify({ valid: !failed, findings }, null, 2));
    return failed ? 1 : 0;
  }
  const paint = painter(wantsColour(process.stdout));
  for (const finding of findings) console.log(format(finding, paint));
  for (const path of operands)
    if (!findings.some(({ file }) => file === path)) console.log(`${path}: ${paint("green", "valid")}`);
  return failed ? 1 : 0;
}

/** What there is to say about one file; "-" is standard input. */
export function validateFile(path: string): Finding[] {
  const findings = new Findings(path);
  try {
    checkFile(path, readFileSync(path === "-" ? 0 : path, "utf8"), findings);
  } catch (thrown) {
    findings.add("error", { line: 1, column: 1 }, `cannot be read: ${messageOf(thrown)}`);
  }
  return findings.sorted();
}

/** As compilers write it, so that editors find the place. */
function format({ file, line, column, level, message, remedy }: Finding, paint: Paint): string {
  const mark = paint(level === "error" ? "red" : "yellow", `${level}:`);
  return `${file}:${line}:${column}: ${mark} ${message}${remedy === undefined ? "" : `\n  ${remedy}`}`;
}
