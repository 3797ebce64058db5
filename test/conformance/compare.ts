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
  /**
   * Names of cases, each of which must show it; "*" at an end stands for anything. A list in an object is only about
   * cases in which it may occur, and one of them must show it.
   */
  cases: string | string[];
  /** The place; "*" stands for anything. */
  where: string;
  /** What each has there: a value, or a pattern for its text; left out where it does not matter. */
  reference?: unknown;
  ours?: unknown;
  /** Only with these releases of the reference. */
  releases?: Release[];
}
