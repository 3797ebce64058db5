/** Each system call of ADD, DEL, CHECK and GC fails once, in each of many ways: one answer, and nothing left of an ADD. */

import { difference, type FaultGround, type FaultVerb } from "../../support/fault-ground.ts";
import { extent } from "../../support/fault-plan.ts";
import { sweeps } from "../../support/fault-sweep.ts";
import { ERRORS, failing } from "../../support/faults.ts";
import { type CniResult, errorOf, succeeded } from "../../support/network.ts";
import type { Answer } from "../../support/plugin.ts";

sweeps("failing", {
  verbsOfSample: ["ADD", "DEL"],
  pointsOfSample: 3,
  choose: failing,
  faults: (index) => (extent === "all" ? [...ERRORS] : [ERRORS[index % ERRORS.length]!]),
  attempt: async (ground, verb, point, error) => {
    await ground.prepare(verb);
    const answer = await ground.runFaulty(verb, point, error);
    const met = ground.hasMetError;
    const isUnheard = point.text.startsWith("write(1,") && answer.stdout === "";
    if (answer.exitCode !== 0 && !isUnheard) errorOf(answer);
    return { met, wrong: whatIsSaid(verb, answer) ?? (await whatIsLeft(ground, verb, answer)) };
  },
});

/** Success is silent, but for that of an ADD. */
function whatIsSaid(verb: FaultVerb, { exitCode, stdout, json }: Answer): string | undefined {
  if (exitCode !== 0) return undefined;
  const isRight = verb === "ADD" ? Array.isArray((json as CniResult | undefined)?.interfaces) : stdout === "";
  return isRight ? undefined : `  success, but on standard output: ${stdout}`;
}

async function whatIsLeft(
  ground: FaultGround,
  verb: FaultVerb,
  { exitCode, json }: Answer,
): Promise<string | undefined> {
  if (verb === "CHECK") return difference(await ground.state(), ground.attached);
  if (verb === "ADD" && exitCode === 0) {
    // An error that was overcome leaves a whole endpoint.
    ground.result = json as CniResult;
    succeeded(await ground.run("CHECK"));
  }
  // Only an ADD that went well leaves something, and only a DEL or GC that failed.
  const isSomethingLeft = (verb === "ADD") === (exitCode === 0);
  if (isSomethingLeft) await (verb === "GC" ? ground.collect() : ground.detach());
  return difference(await ground.state(), ground.before);
}
