/** The README's figures: ratios of medians, out of what the benchmark last saved. */

import { table } from "./options.ts";

/** What `bun run bench --save` writes, as far as it is read here. */
export interface Baseline {
  date: string;
  machine: Record<string, string>;
  figures: { name: string; contender: string; median: number }[];
}

const US = "plugin";
const REFERENCE = "Go 1.9.1";

/** What is told, in words, and the figure's name in the benchmark. */
const ROWS: [words: string, name: string][] = [
  ["ADD, wall clock", "ADD, wall"],
  ["ADD, processor time", "ADD, CPU"],
  ["DEL, wall clock", "DEL, wall"],
  ["ten ADDs at once", "10 ADDs at once"],
  ["an address among 10,000 leases", "ADD among 10000 leases, CPU"],
  ["ADD, system calls", "ADD, system calls"],
  ["ADD, netlink messages sent", "ADD, netlink sends"],
  ["ADD, peak memory", "ADD, peak memory"],
];

/** The table with a sentence on where it is from. Each cell: ours in times of theirs; under 1 is less. */
export function performanceText({ date, machine, figures }: Baseline): string {
  const medianOf = (name: string, contender: string) =>
    figures.find((figure) => figure.name === name && figure.contender === contender)?.median;
  const ratio = (name: string, contender: string) => {
    const [ours, theirs] = [medianOf(name, US), medianOf(name, contender)];
    return ours === undefined || !theirs ? "" : `${(ours / theirs).toPrecision(2)} ×`;
  };
  const rows = ROWS.map(([words, name]) => [
    words,
    ...[REFERENCE, "empty Bun", "C"].map((c) => ratio(name, c)),
  ]);
  const { processor = "", kernel = "", bun = "" } = machine;
  return `${table(["this plugin, in times of", "the reference 1.9.1", "an empty Bun program", "the same calls in C"], rows)}

Medians, all contenders in turn in one run: ${processor}, ${kernel}, Bun ${bun}, ${date}.`;
}
