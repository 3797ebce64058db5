/** How many inputs a property is tried with: so many, or as many times more as `bun run repeat 1 --runs 20` asks for. */
export function inputs(usual: number): { numRuns: number } {
  return { numRuns: Math.ceil(usual * Number(process.env.IPVLAN_PROPERTY_RUNS ?? 1)) };
}
