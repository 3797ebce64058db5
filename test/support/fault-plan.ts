/** How much of a campaign of faults is tried, in which order and for how long, as test/run.ts says it in the environment. */

const {
  IPVLAN_FAULTS: wanted,
  IPVLAN_FAULTS_SEED: seedText = "1",
  IPVLAN_FAULTS_PART: partText = "1/1",
  IPVLAN_FAULTS_SECONDS: secondsText,
  IPVLAN_FAULTS_STAND_IN: standIn,
  IPVLAN_FAULTS_ONLY: pattern = "",
} = process.env;

/** A sample of the calls (by default), each call with one error or another ("each"), each call with every error ("all"). */
export const extent = wanted === "all" || wanted === "each" ? wanted : "sample";
export const isCampaign = extent !== "sample";

/** The plugin makes macvlan links, because the kernel has no ipvlan. */
export const isStandIn = standIn !== undefined;

/** Whether a test of that title was asked for: the time is shared among those. */
export function isChosen(title: string): boolean {
  return new RegExp(pattern).test(title);
}

/** What the order of a campaign follows from. */
export const seed = Number(seedText);

/** When a campaign that has only so much time is to be over. */
const deadline = secondsText === undefined ? Number.POSITIVE_INFINITY : now() + Number(secondsText);

/** Some of a list, spread evenly over it: all of it in a campaign. */
export function sample<T>(list: T[], size: number): T[] {
  if (isCampaign || list.length <= size) return list;
  return Array.from({ length: size }, (_, index) => list[Math.floor(((index + 0.5) * list.length) / size)]!);
}

/** What is to be done of a list, and in which order: all of it, unless this is a campaign. */
export function planned<T>(list: T[]): T[] {
  return isCampaign ? partOf(shuffled(list, seed), partText) : list;
}

/** In an order by chance that follows from `start`, so that a campaign cut short has been everywhere a little. */
export function shuffled<T>(list: T[], start: number): T[] {
  const random = randomNumbers(start);
  const keyed = list.map((item) => ({ item, key: random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}

/** "2/5": the second of five parts, which together are all of it. */
export function partOf<T>(list: T[], text: string): T[] {
  const [part = 1, count = 1] = text.split("/").map(Number);
  return list.filter((_, index) => index % count === part - 1);
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
