/** So much time one property may take; what a busy machine does not get done in it is left out, instead of failing. */
const limitMs = 45_000;

/** How many inputs a property is tried with: so many, or as many times more as `bun run repeat 1 --runs 20` asks for. */
export function inputs(usual: number): { numRuns: number; interruptAfterTimeLimit: number } {
  const factor = Number(process.env.IPVLAN_PROPERTY_RUNS ?? 1);
  return { numRuns: Math.ceil(usual * factor), interruptAfterTimeLimit: limitMs * Math.max(1, factor) };
}
