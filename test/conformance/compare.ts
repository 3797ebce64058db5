/** Compares two observations, and what differs with what is declared to differ. */

import { isDeepStrictEqual } from "node:util";
import type { Release } from "../support/plugin.ts";
import type { Observation } from "./observe.ts";

/** One place in which two observations differ; undefined stands for "not there". */
export interface Found {
  /** Names from the outside inwards, joined by " > ". */
  where: string;
  reference: unknown;
  ours: unknown;
}

/** Every place in which they differ; of something that only one has, the outermost. */
export function compare(reference: Observation, ours: Observation): Found[] {
  const found: Found[] = [];
  walk([], reference, ours, found);
  return found;
}

function walk(path: string[], reference: unknown, ours: unknown, found: Found[]): void {
  if (isDeepStrictEqual(reference, ours)) return;
  if (Array.isArray(reference) && Array.isArray(ours) && reference.length === ours.length) {
    for (const index of reference.keys()) walk([...path, `${index}`], reference[index], ours[index], found);
    return;
  }
  if (!isPlain(reference) || !isPlain(ours)) {
    found.push({ where: path.join(" > "), reference, ours });
    return;
  }
  // Where one succeeds and the other does not, nothing else of the answers can be compared.
  const names =
    "answer" in reference && reference.exit !== ours.exit
      ? ["answer"]
      : new Set([...Object.keys(reference), ...Object.keys(ours)]);
  for (const name of names) {
    // A result that differs is written down differently too.
    if (name === "layout" && !isDeepStrictEqual(reference.result, ours.result)) continue;
    walk([...path, name], reference[name], ours[name], found);
  }
}

function isPlain(value: unknown): value is Observation {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A difference that is meant. */
export interface Difference {
  /** The cases that show it, each of them; or "*" for those in which it turns up, one at least of each group. */
  cases: "*" | string[];
  /** With "*": only in these groups of cases. */
  groups?: Group[];
  /** The place; "*" in it stands for anything. */
  where: string;
  /** What each has there: a value, `begins`, `something`, or undefined for nothing; left out where any will do. */
  reference?: unknown;
  ours?: unknown;
  /** Only against these releases of the reference. */
  releases?: Release[];
}

export const groups = ["attach", "refuse", "keep"] as const;
export type Group = (typeof groups)[number];

/** Whether what was found in a case is what is declared. */
export function matches(difference: Difference, some: string, found: Found): boolean {
  return (
    (difference.cases === "*" || difference.cases.includes(some)) &&
    new RegExp(`^${difference.where.split("*").map(RegExp.escape).join(".*")}$`).test(found.where) &&
    (!("reference" in difference) || isAsDeclared(found.reference, difference.reference)) &&
    (!("ours" in difference) || isAsDeclared(found.ours, difference.ours))
  );
}

function isAsDeclared(value: unknown, declared: unknown): boolean {
  if (declared === something) return value !== undefined;
  if (declared instanceof Beginning) return typeof value === "string" && value.startsWith(declared.text);
  return isDeepStrictEqual(value, declared);
}

/** Whatever is there, as long as something is. */
export const something = Symbol("something");

export class Beginning {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A text with this beginning; what follows differs from release to release, or from run to run. */
export function begins(text: string): Beginning {
  return new Beginning(text);
}
