/** The part of guest.ts that runs in the guest: `in-guest.ts JOBS OUTCOMES`. */

import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Job, Outcome } from "./guest.ts";
import { takeHits } from "./instrument.ts";
import { runIn, testCommand } from "./scratch.ts";

const [orders, outcomes] = process.argv.slice(2) as [string, string];
const scratch = join(import.meta.dir, "../..");
const jobs: Job[] = JSON.parse(readFileSync(orders, "utf8"));

for (const [number, { binary, files, count }] of jobs.entries()) {
  const environment = { IPVLAN_BINARY: binary };
  for (const { file, limitSeconds } of files) {
    const begun = performance.now();
    const options = count === undefined ? ["--bail"] : [];
    const { verdict, output } = await runIn(scratch, testCommand([file], options), limitSeconds, environment);
    const seconds = (performance.now() - begun) / 1000;
    const outcome: Outcome = {
      ...{ job: number, file, seconds, verdict, output: verdict === "passed" ? "" : output.slice(-3000) },
      ...(count === undefined ? {} : { hits: takeHits(scratch, count) }),
    };
    appendFileSync(outcomes, `${JSON.stringify(outcome)}\n`);
    if (verdict !== "passed" && count === undefined) break;
    await cleanUp();
  }
  await cleanUp();
}

/** What a mutant leaves behind is nobody else's business. */
async function cleanUp(): Promise<void> {
  const words = "ip -all netns delete; rm -rf /run/ipvlan /run/cni /var/lib/cni/*";
  await runIn(scratch, ["sh", "-c", words], 30);
}
