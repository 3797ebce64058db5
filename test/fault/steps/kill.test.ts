/** ADD, DEL, CHECK and GC are killed before each of their system calls: DEL, or GC, puts everything back. */

import { difference, type FaultGround, type FaultVerb } from "../../support/fault-ground.ts";
import { isCampaign } from "../../support/fault-plan.ts";
import { sweeps } from "../../support/fault-sweep.ts";
import { changing } from "../../support/faults.ts";
import { succeeded } from "../../support/network.ts";

const WAYS = ["DEL", "GC"] as const;

sweeps("killed", {
  verbsOfSample: ["ADD", "DEL", "GC"],
  pointsOfSample: 2,
  choose: changing,
  faults: (index) => (isCampaign ? [...WAYS] : [WAYS[index % 2]!]),
  attempt: async (ground, verb, point, way) => {
    await ground.prepare(verb);
    const { exitCode } = await ground.runFaulty(verb, point, "KILL");
    return { met: exitCode === 137, wrong: await whatIsLeft(ground, verb, way) };
  },
});

async function whatIsLeft(
  ground: FaultGround,
  verb: FaultVerb,
  way: (typeof WAYS)[number],
): Promise<string | undefined> {
  const changed = verb === "CHECK" ? difference(await ground.state(), ground.attached) : undefined;
  succeeded(await ground.run(way));
  if (way === "DEL") await ground.detach();
  return changed ?? difference(await ground.state(), ground.before);
}
