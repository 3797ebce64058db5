/** Completion in real shells, as it is typed; those that are not installed are skipped and counted as such. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { binary } from "../kernel/environment.ts";
import { mustRun } from "../support/command.ts";
import { type Namespace, namespace } from "../support/namespace.ts";
import { completions } from "../support/shells.ts";

const directory = mkdtempSync(join(tmpdir(), "ipvlan-completion-"));
const environment = {
  HOME: directory,
  PATH: `${dirname(binary)}:${process.env.PATH}`,
  NETCONFPATH: join(directory, "net.d"),
};
let container: Namespace;

beforeAll(async () => {
  container = await namespace("completed");
  mkdirSync(join(directory, "net.d"));
  mkdirSync(join(directory, "neat"));
  // On one line and on several: names are the program's to find.
  writeFileSync(
    join(directory, "net.d/10-wire.conflist"),
    '{"cniVersion":"1.1.0","name":"wire","plugins":[{"type":"ipvlan"}]}',
  );
  writeFileSync(join(directory, "net.d/20-routed.conf"), '{\n  "name": "routed",\n  "type": "ipvlan"\n}');
  writeFileSync(join(directory, "near.json"), "{}");
});
afterAll(async () => {
  await container[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

const rows: [line: string, offered: string[]][] = [
  ["ipvlan doc", ["doctor"]],
  ["ipvlan de", ["del", "demo"]],
  ["ipvlan help val", ["validate"]],
  ["ipvlan completion ", ["bash", "fish", "zsh"]],
  ["ipvlan add ", ["routed", "wire"]],
  ["ipvlan add --interface eth1 ro", ["routed"]],
  ["ipvlan gc -n ", ["routed", "wire"]],
  ["ipvlan validate near", ["near.json"]],
  ["ipvlan validate near.json ne", ["near.json", "neat", "net.d"]],
  ["ipvlan install --dest ne", ["neat", "net.d"]],
];

const installed = Object.entries(completions).filter(([shell]) => Bun.which(shell) !== null);
const missing = Object.keys(completions).filter((shell) => Bun.which(shell) === null);
if (missing.length > 0) test.skip(`not run, because not installed: ${missing.join(", ")}`, () => {});

test.each(installed)("%s completes commands, options, operands and values", async (shell, complete) => {
  const script = join(directory, `ipvlan.${shell}`);
  writeFileSync(script, await mustRun([binary, "completion", shell]));
  const lines = [...rows.map(([line]) => line), "ipvlan del -i eth1 wire ", "ipvlan list --"];
  const offers = await complete(script, lines, { directory, environment });
  expect(rows.map(([line], index) => [line, offers[index]])).toEqual(rows);
  // A namespace by its path, after the network; bash and zsh offer no files beside it.
  expect(offers.at(-2)).toContain(container.path);
  expect(offers.at(-2)).not.toContain("wire");
  expect(offers.at(-1)?.filter((word) => word !== "--help")).toEqual(["--json", "--leases"]);
});
