/** Writes docs/conformance.md from differences.ts: bun test/conformance/document.ts */

import { join } from "node:path";
import { attachments } from "./cases/attach.ts";
import { upkeep } from "./cases/keep.ts";
import { refusals } from "./cases/refuse.ts";
import { Beginning, type Difference, something } from "./compare.ts";
import { type Kind, kinds } from "./differences.ts";

export const path = join(import.meta.dir, "../../docs/conformance.md");

const count = attachments.length + refusals.length + upkeep.length;

const opening = `# Compared with the reference plugin

<!-- Made from test/conformance/differences.ts by: bun test/conformance/document.ts -->

Whoever replaces the reference \`ipvlan\` plugin of the CNI project by this one keeps configurations, IPAM plugins and
leases as they are. This page lists what is different afterwards, all of it as far as we know.

It is no promise on paper: the tests carry ${count} cases out with both plugins, each in a world of its own with the real
driver, and compare exit status, answer, links, addresses, routes, kernel settings, and every file in the lease store.
The reference is release 1.1.1 under Debian 12's kernel 6.1, and release 1.9.1 under sid's 7.x. A difference that is not in the
tables below fails the tests, and so does one in the tables that no longer shows.

In the tables, "nothing" means that the link, route, file or key is not there, "…" that the rest of a text or the value
does not matter. \`@container\`, \`@host\` and \`@mac\` stand for names and addresses of the test's world.
`;

/** The whole document. */
export function conformanceDocument(): string {
  return [opening, ...kinds.map(section)].join("\n");
}

function section({ title, reason, differences }: Kind): string {
  const rows = differences.flatMap(row);
  return `## ${title}

${reason}

| case | what | reference | this plugin |
|---|---|---|---|
${rows.join("\n")}
`;
}

function row({ cases, where, releases, ...values }: Difference): string {
  const named = cases === "*" ? "any" : cases.map(cell).join("<br>");
  const only = releases ? ` (${releases.join(", ")} only)` : "";
  const [reference, ours] = (["reference", "ours"] as const).map((who) =>
    who in values ? inWords(values[who]) : "…",
  );
  return `| ${named}${only} | ${cell(place(where))} | ${cell(reference ?? "")} | ${cell(ours ?? "")} |`;
}

/** "after ADD > container > links > eth0" reads "after ADD: container, links, eth0". */
function place(where: string): string {
  const [call = "", ...names] = where.split(" > ").map((name) => name.replaceAll("*", "…"));
  return names.length === 0 ? call : `${call}: ${names.join(", ")}`;
}

function inWords(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === something) return "…";
  if (value instanceof Beginning) return `${value.text.trimEnd()} …`;
  // The observations count lines; one line is there.
  if (value === 1) return "it is there";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

if (import.meta.main) await Bun.write(path, conformanceDocument());
