/**
 * Looks for tests that fail now and then:
 *
 *   bun run repeat 20              the host's tests twenty times
 *   bun run repeat 3 e2e           another lane, with any options of test/run.ts behind it
 *   bun run repeat 1 --runs 20     property tests with twenty times as many inputs as usual
 *
 * Property tests take another seed each time. Ends with every test that failed and how often; the exit status is 1 when one did.
 */

import { join } from "node:path";

const words = process.argv.slice(2);
const times = Number(words.shift());
if (!Number.isInteger(times) || times < 1) {
  console.error("repeat: say how often: bun run repeat 20 host");
  process.exit(2);
}
const runsAt = words.indexOf("--runs");
const factor = runsAt < 0 ? "1" : (words.splice(runsAt, 2)[1] ?? "1");
const rest = words.length > 0 ? words : ["host"];

const failures = new Map<string, number>();
let failedRuns = 0;
for (let time = 1; time <= times; time++) {
  const begun = performance.now();
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "run.ts"), ...rest], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
    env: { ...process.env, IPVLAN_PROPERTY_RUNS: factor },
  });
  const [output, status] = await Promise.all([child.stdout.text(), child.exited]);
  const seconds = ((performance.now() - begun) / 1000).toFixed(0);
  console.log(`${time} of ${times}: ${output.trim().split("\n").at(-1)}, ${seconds} s`);
  if (status === 0) continue;
  failedRuns++;
  // Everything that there is to know, since it may not come again.
  console.log(output);
  for (const [, name] of output.matchAll(/^ *\(fail\) (.*?)(?: \[[\d.]+m?s\])?$/gm))
    failures.set(name!, (failures.get(name!) ?? 0) + 1);
}
console.log(`${times} runs, ${failedRuns} failed`);
for (const [name, count] of failures) console.log(`${String(count).padStart(3)}  ${name}`);
process.exitCode = failedRuns > 0 ? 1 : 0;
