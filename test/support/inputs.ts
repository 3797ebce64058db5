/** How many times as many inputs as usual: `bun run repeat 1 --runs 20`. */
const factor = Number(process.env.IPVLAN_PROPERTY_RUNS ?? 1);

/** So much time one property may take; what a busy machine does not get done in it is left out, instead of failing. */
const limitMs = 45_000 * Math.max(1, factor);

/** After so long a property counts as stuck. */
export const propertyTimeoutMs = 120_000 * Math.max(1, factor);

/** How many inputs a property is tried with: so many, or as many times more as is asked for. */
export function inputs(usual: number): { numRuns: number; interruptAfterTimeLimit: number } {
  return { numRuns: Math.ceil(usual * factor), interruptAfterTimeLimit: limitMs };
}
