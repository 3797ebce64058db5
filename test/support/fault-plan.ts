/** How much of a campaign of faults is tried, in which order and for how long, as test/run.ts says it in the environment. */

const {
  IPVLAN_FAULTS: wanted,
  IPVLAN_FAULTS_SEED: seedText = "1",
  IPVLAN_FAULTS_PART: partText = "1/1",
  IPVLAN_FAULTS_SECONDS: secondsText,
  IPVLAN_FAULTS_STAND_IN: standIn,
} = process.env;

/** A sample of the calls (by default), each call with one error or another ("each"), each call with every error ("all"). */
export const extent = wanted === "all" || wanted === "each" ? wanted : "sample";
export const isCampaign = extent !== "sample";

/** The plugin makes macvlan links, because the kernel has no ipvlan. */
export const isStandIn = standIn !== undefined;

/** What the order of a campaign follows from. */
export const seed = Number(seedText);

/** "2/5": the second of five parts, which together are all of it. */
const [partIndex = 1, partCount = 1] = partText.split("/").map(Number);

/** When a campaign that has only so much time is to be over. */
const deadline = secondsText === undefined ? Number.POSITIVE_INFINITY : now() + Number(secondsText);

/** Some of a list, spread evenly over it: all of it in a campaign. */
export function sample<T>(list: T[], size: number): T[] {
  if (isCampaign || list.length <= size) return list;
  return Array.from({ length: size }, (_, index) => list[Math.floor(((index + 0.5) * list.length) / size)]!);
}

/** In a campaign, this part of the list in an order by chance, so that a campaign cut short has been everywhere a little. */
export function planned<T>(list: T[]): T[] {
  if (!isCampaign) return list;
  const random = randomNumbers(seed);
  const order = list.map((item) => ({ item, key: random() })).sort((a, b) => a.key - b.key);
  return order.filter((_, index) => index % partCount === partIndex - 1).map(({ item }) => item);
}

/** When a test has to be over so that those after it get as much of the time that is left. */
export function shareOfTime(testsLeft: number): number {
  return now() + (deadline - now()) / testsLeft;
}

/** Seconds. */
export function now(): number {
  return performance.now() / 1000;
}

/** Numbers from 0 to 1, the same for the same seed (the generator of Park and Miller). */
function randomNumbers(start: number): () => number {
  const modulus = 2 ** 31 - 1;
  let state = (start % (modulus - 1)) + 1;
  const next = () => {
    state = (state * 48_271) % modulus;
    return state / modulus;
  };
  // The first ones of small seeds are alike.
  for (let skipped = 0; skipped < 8; skipped++) next();
  return next;
}
