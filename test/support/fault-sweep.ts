/** One fault after another, at each system call of each verb, on each attachment. */

import { afterAll, expect, test } from "bun:test";
import { ATTACHMENTS, FaultGround, type FaultVerb, VERBS } from "./fault-ground.ts";
import { isCampaign, isChosen, now, planned, sample, seed, shareOfTime } from "./fault-plan.ts";
import type { Point } from "./faults.ts";

export interface Sweep<Fault extends string> {
  /** What is tried, and at how many calls of each, when it is not a campaign. */
  verbsOfSample: FaultVerb[];
  pointsOfSample: number;
  /** The calls where a fault makes a difference; all of them when left out. */
  choose?(points: Point[]): Point[];
  /** What is to be tried at the call of that number. */
  faults(index: number): Fault[];
  /** `met`: the fault happened. `wrong`: which promise it broke, and then what is left does not matter. */
  attempt(
    ground: FaultGround,
    verb: FaultVerb,
    point: Point,
    fault: Fault,
  ): Promise<{ met: boolean; wrong: string | undefined }>;
}

/** How many broken promises of one test are shown. */
const SHOWN = 30;

const situations = isCampaign
  ? Object.keys(ATTACHMENTS).flatMap((name) => [false, true].map((isBeside) => ({ name, isBeside })))
  : [{ name: Object.keys(ATTACHMENTS).at(-1)!, isBeside: false }];

/** How many faults there are, and what came of them. */
class Tally {
  calls = 0;
  points = 0;
  faults = 0;
  tried = 0;
  met = 0;
  wrong = 0;

  add(other: Tally): void {
    for (const key of Object.keys(other) as (keyof Omit<Tally, "add" | "toString">)[])
      this[key] += other[key];
  }

  toString(): string {
    const share = Math.floor((100 * this.tried) / this.faults);
    return (
      `${this.calls} calls, ${this.points} to be tried with ${this.faults} faults, ` +
      `${this.tried} tried (${share} %), ${this.met} met, ${this.wrong} wrong`
    );
  }
}

/** One test for each verb on each attachment, alone and beside another one. */
export function sweeps<Fault extends string>(word: string, sweep: Sweep<Fault>): void {
  const verbs = isCampaign ? VERBS : sweep.verbsOfSample;
  const total = new Tally();
  const tests = situations
    .flatMap((situation) => verbs.map((verb) => ({ ...situation, verb })))
    .map(({ name, isBeside, verb }) => {
      const title = `${name}${isBeside ? ", beside another" : ""}: ${verb}, ${word} at any system call`;
      return { title, name, isBeside, verb };
    })
    .filter(({ title }) => isChosen(title));
  let testsLeft = tests.length;
  for (const { title, name, isBeside, verb } of tests) {
    const work = () => run(title, name, isBeside, verb, sweep, shareOfTime(testsLeft--), total);
    test(title, work, 43_200_000);
  }
  afterAll(() => {
    if (isCampaign) console.log(`${word} in all, seed ${seed}: ${total}, in ${Math.round(now())} s`);
  });
}

async function run<Fault extends string>(
  title: string,
  name: string,
  isBeside: boolean,
  verb: FaultVerb,
  sweep: Sweep<Fault>,
  deadline: number,
  total: Tally,
): Promise<void> {
  const tally = new Tally();
  const broken: string[] = [];
  let ground = await FaultGround.make(name, isBeside);
  /** What is left of a broken promise would spoil the rest. */
  const renew = async (what: string) => {
    broken.push(what);
    // At once, because the end may be hours away.
    console.log(`${title}: ${what}`);
    await ground[Symbol.asyncDispose]();
    ground = await FaultGround.make(name, isBeside);
  };
  try {
    const calls = await ground.points(verb);
    const points = sample(sweep.choose?.(calls) ?? calls, sweep.pointsOfSample);
    const attempts = points.flatMap((point, index) => sweep.faults(index).map((fault) => ({ point, fault })));
    tally.calls = calls.length;
    tally.points = points.length;
    tally.faults = attempts.length;
    for (const { point, fault } of planned(attempts)) {
      if (now() > deadline) break;
      tally.tried++;
      const outcome = await sweep
        .attempt(ground, verb, point, fault)
        .catch((thrown: unknown) => ({ met: true, wrong: String(thrown) }));
      if (outcome.met) tally.met++;
      if (outcome.wrong !== undefined)
        await renew(
          `${fault} at ${point.name} ${point.count}, ${point.text.slice(0, 160)}\n${outcome.wrong}`,
        );
    }
    const left = await ground.leave();
    if (left !== undefined) await renew(`after all of it\n${left}`);
    tally.wrong = broken.length;
    console.log(`${title}: ${tally}`);
    expect(broken.slice(0, SHOWN).join("\n\n")).toBe("");
    expect(tally.points).toBeGreaterThan(0);
    expect(tally.met).toBeGreaterThanOrEqual(0.9 * tally.tried);
  } finally {
    total.add(tally);
    await ground[Symbol.asyncDispose]();
  }
}
