/** One fault after another, at each system call of each verb, on each attachment. */

import { expect, test } from "bun:test";
import { ATTACHMENTS, FaultGround, type FaultVerb, VERBS } from "./fault-ground.ts";
import { isCampaign, type Point, sample } from "./faults.ts";

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

/** One test for each verb on each attachment, alone and beside another one. */
export function sweeps<Fault extends string>(word: string, sweep: Sweep<Fault>): void {
  for (const { name, isBeside } of situations)
    for (const verb of isCampaign ? VERBS : sweep.verbsOfSample) {
      const title = `${name}${isBeside ? ", beside another" : ""}: ${verb}, ${word} at any system call`;
      test(title, () => run(title, name, isBeside, verb, sweep), 7_200_000);
    }
}

async function run<Fault extends string>(
  title: string,
  name: string,
  isBeside: boolean,
  verb: FaultVerb,
  sweep: Sweep<Fault>,
): Promise<void> {
  let ground = await FaultGround.make(name, isBeside);
  try {
    const broken: string[] = [];
    let tried = 0;
    let met = 0;
    const calls = await ground.points(verb);
    const points = sample(sweep.choose?.(calls) ?? calls, sweep.pointsOfSample);
    for (const [index, point] of points.entries())
      for (const fault of sweep.faults(index)) {
        tried++;
        const outcome = await sweep
          .attempt(ground, verb, point, fault)
          .catch((thrown: unknown) => ({ met: true, wrong: String(thrown) }));
        if (outcome.met) met++;
        if (outcome.wrong === undefined) continue;
        const where = `${fault} at ${point.name} ${point.count}, ${point.text.slice(0, 160)}`;
        broken.push(`${where}\n${outcome.wrong}`);
        // At once, because the end may be hours away.
        console.log(`${title}: ${broken.at(-1)}`);
        // What is left would spoil the rest.
        await ground[Symbol.asyncDispose]();
        ground = await FaultGround.make(name, isBeside);
      }
    console.log(
      `${title}: ${calls.length} calls, ${points.length} tried with ${tried} faults, ${met} met, ${broken.length} wrong`,
    );
    expect(broken.slice(0, SHOWN).join("\n\n")).toBe("");
    expect(points.length).toBeGreaterThan(0);
    expect(met).toBeGreaterThan(0.9 * tried);
  } finally {
    await ground[Symbol.asyncDispose]();
  }
}
