/** The tables of configuration keys, in Markdown. */

import { usageOf } from "../cli/command.ts";
import { COMMANDS } from "../cli/commands.ts";
import { type Key, LIST, SECTIONS } from "../cli/configuration.ts";
import { VARIABLES } from "./variables.ts";

/** docs/configuration.md, whole. */
export function optionsDocument(): string {
  const sections = [...SECTIONS, LIST].flatMap(({ title, keys }) => [
    `## ${title}`,
    "",
    table(["key", "values", "default", "meaning"], keys.map(rowOf)),
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
  const [network] = SECTIONS;
  return table(
    ["key", "values", "default", "meaning"],
    network!.keys.filter(({ byRuntime }) => !byRuntime).map(rowOf),
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
