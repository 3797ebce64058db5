/** The commands of the documents, and which of them no test runs. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repository } from "../kernel/environment.ts";

/** Documents whose commands are run on a host with the driver: test/e2e/commands.test.ts. */
export const onTheDriver = [
  "README.md",
  "docs/by-hand.md",
  "docs/debugging.md",
  "docs/dhcp.md",
  "docs/ipam.md",
  "docs/kubernetes.md",
];

/** Documents whose commands are run with real Podman: test/podman/commands.test.ts. */
export const withPodman = ["docs/podman.md"];

/** Commands that are not run, by how their line begins, and why not. */
export const exceptions: { document: string; command: string; reason: string }[] = [
  {
    document: "README.md",
    command: "npx --yes bun@1.4.5 run demo",
    reason: "installs and builds; what it then starts is test/e2e/demo.test.ts",
  },
  {
    document: "README.md",
    command: "npx --yes bun@1.4.5 run check",
    reason: "is what runs this test",
  },
  {
    document: "README.md",
    command: "npx --yes bun@1.4.5 install --frozen-lockfile",
    reason: "needs the network, which test kernels lack; `bun run check` begins with it",
  },
  {
    document: "README.md",
    command: "npx --yes bun@1.4.5 run build",
    reason: "the build lane runs it, and the tests run what it makes",
  },
  {
    document: "docs/dhcp.md",
    command: "journalctl ",
    reason: "test kernels have no systemd; the units are test/unit/units.test.ts",
  },
  { document: "docs/performance.md", command: "bun run bench", reason: "measures for minutes" },
];

/** A block of code, and the heading it is under. */
export interface Block {
  section: string;
  text: string;
}

/** The blocks of a document in one language, indentation removed. */
export function blocksOf(document: string, language = "sh"): Block[] {
  const text = readFileSync(join(repository, document), "utf8");
  // A comment in a block is no heading.
  const prose = text.replaceAll(/^ *```[\s\S]*?^ *```$/gm, (block) => " ".repeat(block.length));
  return [...text.matchAll(/^( *)```(\w+)\n([\s\S]*?)^ *```$/gm)]
    .filter(([, , written]) => written === language)
    .map(({ index, 1: indent, 3: block }) => ({
      section: [...prose.slice(0, index).matchAll(/^#+ (.*)$/gm)].at(-1)?.[1] ?? "",
      text: block!.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
    }));
}

/** Whether the line is one of the exceptions. */
export function exceptionOf(document: string, line: string) {
  return exceptions.find((each) => each.document === document && line.startsWith(each.command));
}

/** The block without the exceptions. */
export function runnable(document: string, { text }: Block): string {
  return text
    .split("\n")
    .filter((line) => exceptionOf(document, line) === undefined)
    .join("\n");
}
