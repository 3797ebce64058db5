/** What many runs of one thing come to. */
export interface Spread {
  runs: number;
  median: number;
  p10: number;
  p90: number;
  min: number;
}

/** A figure: what was measured of whom, in which unit. */
export interface Figure extends Spread {
  part: string;
  /** "ADD, wall" */
  name: string;
  contender: string;
  unit: string;
}

/** A line of the table of targets: a figure that must not be above `target`. */
export interface Target extends Spread {
  name: string;
  target: number;
  unit: string;
  /** The same figure of the least that a program of this runtime can do; where that was measured. */
  least?: number;
}

/** What a part of the suite found out. */
export interface Findings {
  figures: Figure[];
  targets: Target[];
  /** What a reader must know of how it was measured. */
  notes: string[];
}

export function noFindings(): Findings {
  return { figures: [], targets: [], notes: [] };
}

/** The items in an order by chance, so that what follows what is another each round. */
export function shuffled<T>(items: T[]): T[] {
  return items
    .map((item) => ({ item, key: Math.random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

/** Median and spread of the samples; there must be one at least. */
export function spreadOf(samples: number[]): Spread {
  const sorted = samples.toSorted((a, b) => a - b);
  return {
    runs: sorted.length,
    median: quantile(sorted, 0.5),
    p10: quantile(sorted, 0.1),
    p90: quantile(sorted, 0.9),
    min: sorted[0]!,
  };
}

/** The value below which that share of the sorted samples lies, interpolated. */
function quantile(sorted: number[], share: number): number {
  const place = (sorted.length - 1) * share;
  const below = Math.floor(place);
  const rest = place - below;
  return sorted[below]! * (1 - rest) + sorted[Math.ceil(place)]! * rest;
}

/**
 * How two series compare that were measured in turn, pair by pair: the ratio of their medians, with the spread of the
 * single ratios, in which a machine that is slow for a while is slow for both.
 */
export function ratioOf(ours: number[], theirs: number[]): Spread {
  const ratios = spreadOf(ours.map((each, index) => each / theirs[index]!));
  return { ...ratios, median: spreadOf(ours).median / spreadOf(theirs).median };
}

/** The difference of the medians, with the spread of the single differences. */
export function differenceOf(ours: number[], theirs: number[]): Spread {
  const differences = spreadOf(ours.map((each, index) => each - theirs[index]!));
  return { ...differences, median: spreadOf(ours).median - spreadOf(theirs).median };
}

/** The spread of a number that is the same each time. */
export function exactly(value: number): Spread {
  return { runs: 1, median: value, p10: value, p90: value, min: value };
}

/** The spread with each number changed by the same monotonic rule. */
export function mapped(spread: Spread, change: (value: number) => number): Spread {
  const { runs, median, p10, p90, min } = spread;
  return { runs, median: change(median), p10: change(p10), p90: change(p90), min: change(min) };
}
