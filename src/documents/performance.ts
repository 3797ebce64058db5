/** The figures of the documents, out of what the benchmark last saved. */

import { table } from "./options.ts";

/** What `bun run bench --save` writes, as far as it is read here. */
export interface Baseline {
  date: string;
  machine: Record<string, string>;
  figures: { name: string; contender: string; median: number }[];
  targets: Target[];
}

interface Target {
  name: string;
  /** What the median must not be above. */
  target: number;
  unit: string;
  median: number;
  p10: number;
  p90: number;
  /** The same of the least that a program of this runtime can do. */
  least?: number;
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

/** The README's table with a sentence on where it is from: ratios of medians. Each cell: ours in times of theirs; under 1 is less. */
export function performanceText({ date, machine, figures }: Omit<Baseline, "targets">): string {
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
  return `${table(["this plugin, in times of", "the reference 1.9.1", "an empty Bun program", "the same calls in C"], rows)}

Medians, all contenders in turn in one run: ${place({ date, machine })}.`;
}

/** Each figure that has a target, beside it; for docs/performance.md. */
export function targetsText({ date, machine, targets }: Omit<Baseline, "figures">): string {
  const rows = targets.map(({ name, target, unit, median, p10, p90, least }) => [
    name,
    `≤ ${target}`,
    `${digits(median)} ${unit}`.trim(),
    `${digits(p10)} to ${digits(p90)}`,
    least === undefined ? "" : digits(least),
    median <= target ? "holds" : "missed",
  ]);
  return `${table(["figure", "target", "measured", "p10 to p90", "least Bun", ""], rows)}

${place({ date, machine })}.`;
}

/** Three digits that count. */
function digits(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function place({ date, machine }: Pick<Baseline, "date" | "machine">): string {
  const { processor = "", kernel = "", bun = "" } = machine;
  return `${processor}, ${kernel}, Bun ${bun}, ${date}`;
}
