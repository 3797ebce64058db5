/**
 * Which lines the tests run:
 *
 *   bun run coverage           tests of the host, and on a real driver
 *   bun run coverage host      tests of the host only
 *   --missed   lists the lines that none runs
 *
 * Counted are lines on which a statement begins, or the body of an arrow function, in everything that is linked into the
 * plugin. They are counted in the process of a test and in the executable that tests start, on this machine and in the test kernel.
 * Not seen are processes that are killed, since the count is told at the end; the codec, which is no TypeScript; and
 * the tests of Podman, containerd, releases, faults and endurance, which are not run.
 */

import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { type Lane, measureReach, type Reach, sources } from "./reach.ts";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { missed: { type: "boolean", default: false } },
});
const lanes: Lane[] = positionals.includes("host") ? ["host"] : ["host", "guest"];
const reach = await measureReach(lanes);
const total = linesOf(reach, () => true);
const byLane = lanes.map((lane) => {
  const hits = new Set([...reach.tests.values()].flatMap((test) => (test.lane === lane ? test.hits : [])));
  return linesOf(reach, (unit) => hits.has(unit));
});
const together = new Set(byLane.flatMap((lines) => [...lines]));

console.log(`\n${["".padEnd(24), "lines", ...lanes, "together"].map((cell) => cell.padStart(9)).join(" ")}`);
const folders = [...new Set(sources().map((file) => dirname(file)))].sort();
for (const folder of folders) row(folder, (line) => dirname(line) === folder);
row("all", () => true);
if (options.missed) for (const line of total) if (!together.has(line)) console.log(line);

/** Lines as `file:number`. */
function linesOf({ units }: Reach, isWanted: (unit: number) => boolean): Set<string> {
  return new Set(units.flatMap(({ file, line }, unit) => (isWanted(unit) ? [`${file}:${line}`] : [])));
}

function row(name: string, isIn: (line: string) => boolean): void {
  const count = (lines: Set<string>) => [...lines].filter(isIn).length;
  const all = count(total);
  const shares = [...byLane, together].map((lines) => `${((100 * count(lines)) / all).toFixed(1)} %`);
  console.log([name.padEnd(24), String(all), ...shares].map((cell) => cell.padStart(9)).join(" "));
}
