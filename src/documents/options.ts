/** The tables of configuration keys, in Markdown. */

import { usageOf } from "../cli/command.ts";
import { COMMANDS } from "../cli/commands.ts";
import { type Key, keysOf, LIST, SECTIONS, type Section } from "../cli/configuration.ts";
import { OPTION_KEYS } from "../cni/option-keys.ts";
import { VARIABLES } from "./variables.ts";

const HEADINGS = ["key", "values", "default", "meaning"];

/** docs/configuration.md, whole. */
export function optionsDocument(): string {
  const sections = [...SECTIONS, LIST].flatMap(({ title, keys }) => [
    `## ${title}`,
    "",
    table(HEADINGS, keys.map(rowOf)),
    "",
  ]);
  return `${[
    "# Every key",
    "",
    "<!-- Made by `bun run documents` from src/cli/configuration.ts; a test sees to it that it is current. -->",
    "",
    "Keys may be written in any case, `null` counts as absent, and unknown keys are ignored (`ipvlan validate` warns of them).",
    "[ipvlan.schema.json](ipvlan.schema.json) says the same to editors; [options.md](options.md) explains what the reference plugin lacks.",
    "",
    ...sections,
    "## Environment",
    "",
    table(
      ["variable", "meaning"],
      VARIABLES.map(({ name, meaning }) => [`\`${name}\``, meaning]),
    ),
    "",
    "## Commands",
    "",
    table(
      ["command", "does"],
      COMMANDS.map((command) => [`\`ipvlan ${usageOf(command)}\``, command.summary]),
    ),
  ].join("\n")}\n`;
}

/** The table of the README: what people write into a network. */
export function networkTable(): string {
  return table(
    HEADINGS,
    keysOf("network")
      .filter(({ byRuntime }) => !byRuntime)
      .map(rowOf),
  );
}

/** The keys of some sections as one table; the page it is on is about one type. */
export function keysTable(...ids: Section["id"][]): string {
  return table(
    HEADINGS,
    keysOf(...ids)
      .filter(({ name }) => name !== "type")
      .map(rowOf),
  );
}

/** What the reference plugin lacks, in short; docs/options.md explains each. */
export function beyondTable(): string {
  const beyond = ["flag", "master", ...OPTION_KEYS];
  const keys = keysOf("network").filter(({ name }) => beyond.includes(name));
  return table(
    ["key", "values", "default"],
    keys.map((key) => rowOf(key).slice(0, 3)),
  );
}

function rowOf({ name, values, default: fallback, meaning }: Key): string[] {
  return [`\`${name}\``, values, fallback, meaning];
}

/** A table whose columns are as wide as their widest cell. */
export function table(headings: string[], rows: string[][]): string {
  const all = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const line = (cells: string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  return [line(headings), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}
