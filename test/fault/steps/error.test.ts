/** Each system call of ADD, DEL, CHECK and GC fails once, in each of many ways: one answer, and nothing left of an ADD. */

import { difference, type FaultGround, type FaultVerb } from "../../support/fault-ground.ts";
import { sweeps } from "../../support/fault-sweep.ts";
import { ERRORS, extent, failing } from "../../support/faults.ts";
import { errorOf } from "../../support/network.ts";
import type { Answer } from "../../support/plugin.ts";

sweeps("failing", {
  verbsOfSample: ["ADD", "DEL"],
  pointsOfSample: 3,
  choose: failing,
  faults: (index) => (extent === "all" ? [...ERRORS] : [ERRORS[index % ERRORS.length]!]),
  attempt: async (ground, verb, point, error) => {
    await ground.prepare(verb);
    const answer = await ground.runFaulty(verb, point, error);
    const isUnheard = point.text.startsWith("write(1,") && answer.stdout === "";
    if (answer.exitCode !== 0 && !isUnheard) errorOf(answer);
    return { met: true, wrong: await whatIsLeft(ground, verb, answer) };
  },
});

async function whatIsLeft(
  ground: FaultGround,
  verb: FaultVerb,
  { exitCode }: Answer,
): Promise<string | undefined> {
  if (verb === "CHECK") {
    const changed = difference(await ground.state(), ground.attached);
    await ground.detach();
    return changed ?? difference(await ground.state(), ground.before);
  }
  // Only an ADD that went well leaves something, and only a DEL or GC that failed.
  const isSomethingLeft = (verb === "ADD") === (exitCode === 0);
  if (isSomethingLeft) await (verb === "GC" ? ground.collect() : ground.detach());
  return difference(await ground.state(), ground.before);
}
