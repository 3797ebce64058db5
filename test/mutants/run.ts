/**
 * Finds tests that cannot fail: makes one small mistake at a time in the sources and looks whether any test minds.
 *
 *   bun run mutants                     a sample of the codec and of the verbs
 *   bun run mutants wasm src/ipvlan     only of these folders, files, or lines (src/ipvlan/del.ts:40)
 *   --share 0.05   how large a sample (default 0.05; 1 is every mutant)
 *   --seed 1       which sample
 *   --host 120     for how many seconds of tests each is tried on the host
 *   --guest 240    for how many a survivor of these is tried on a real driver (0: not at all)
 *   --minutes 30   begins no further mutant after so long; those before are a sample, too, since their order is random
 *   --only TEXT    only mutants whose description begins so, as in the list of survivors
 *   --tests FILES  only these test files, with commas between them, without looking first which of them can see a mutant
 *   --list         only lists the mutants
 *
 * The sources are changed in a copy. Ends with a table and the survivors; the exit status is 1 when fewer than nine of
 * ten are killed. Mutants that the types or the compiler refuse do not count.
 */

import { parseArgs } from "node:util";
import { type Fate, Judge, type Verdict } from "./judge.ts";
import { described, type Mutant, mutantsOf } from "./mutations.ts";
import { measureReach, reachOf, subjects } from "./reach.ts";
import { parse } from "./syntax.ts";

/** The share that has to be killed. */
const wantedShare = 0.9;

/** Mutants that share a guest, at most. */
const guestBatch = 6;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    share: { type: "string", default: "0.05" },
    seed: { type: "string", default: "1" },
    host: { type: "string", default: "120" },
    guest: { type: "string", default: "240" },
    minutes: { type: "string", default: "Infinity" },
    only: { type: "string", default: "" },
    tests: { type: "string" },
    list: { type: "boolean", default: false },
  },
});
const seconds = { host: Number(options.host), guest: Number(options.guest) };

const files = subjects().filter(
  (file) => positionals.length === 0 || positionals.some((word) => concerns(word, file)),
);
const trees = await parse(files);
const all = [...trees].flatMap(([file, tree]) => mutantsOf(file, tree)).filter(isWanted);
const sample = shuffled(all, Number(options.seed)).slice(0, Math.ceil(all.length * Number(options.share)));
console.log(`${sample.length} of ${all.length} mutants, seed ${options.seed}`);
if (options.list) for (const mutant of sample) console.log(placeOf(mutant));
else summarize(await judge());

async function judge(): Promise<Verdict[]> {
  const reach =
    options.tests === undefined
      ? await measureReach(seconds.guest > 0 ? ["host", "guest"] : ["host"])
      : reachOf(options.tests.split(","));
  const judge = new Judge(reach, seconds);
  await judge.prepare();
  const verdicts: Verdict[] = [];
  const waiting: Mutant[] = [];
  let isHostDone = false;
  const guests = async () => {
    while (!isHostDone || waiting.length > 0) {
      const some = waiting.splice(0, guestBatch);
      if (some.length === 0) await Bun.sleep(500);
      else verdicts.push(...(await judge.inGuest(some)).map(tell));
    }
  };
  const inGuests = guests();
  const deadline = performance.now() + 60_000 * Number(options.minutes);
  for (const mutant of sample) {
    if (performance.now() > deadline) break;
    const verdict = await judge.onHost(mutant);
    if (verdict.fate === "survived" && seconds.guest > 0) waiting.push(mutant);
    else verdicts.push(tell(verdict));
  }
  isHostDone = true;
  await inGuests;
  return verdicts;
}

function tell(verdict: Verdict): Verdict {
  const by = verdict.by === undefined ? "" : `  by ${verdict.by}`;
  console.log(`${verdict.fate.padEnd(10)}  ${placeOf(verdict.mutant)}${by}`);
  return verdict;
}

function placeOf(mutant: Mutant): string {
  return `${mutant.file}:${mutant.line}  ${described(mutant)}`;
}

function summarize(verdicts: Verdict[]): void {
  const count = (some: Verdict[], ...fates: Fate[]) => some.filter(({ fate }) => fates.includes(fate)).length;
  const row = (name: string, some: Verdict[]) => {
    const killed = count(some, "killed", "hung");
    const survived = count(some, "survived");
    const share = killed + survived === 0 ? "" : `${((100 * killed) / (killed + survived)).toFixed(1)} %`;
    const cells = [killed, survived, share, count(some, "equivalent"), count(some, "refused", "same code")];
    console.log([name.padEnd(34), ...cells.map((cell) => String(cell).padStart(9))].join(" "));
    return killed / (killed + survived || 1);
  };
  console.log(`\n${"file".padEnd(34)}    killed  survived     share     equal   refused`);
  for (const file of files) {
    const some = verdicts.filter(({ mutant }) => mutant.file === file);
    if (some.length > 0) row(file, some);
  }
  const codec = verdicts.filter(({ mutant }) => mutant.file.startsWith("wasm/"));
  if (codec.length > 0) row("wasm, all", codec);
  if (codec.length < verdicts.length)
    row(
      "src, all",
      verdicts.filter((verdict) => !codec.includes(verdict)),
    );
  const share = row("all", verdicts);
  const survivors = verdicts.filter(({ fate }) => fate === "survived");
  if (survivors.length > 0) console.log("\nsurvivors");
  for (const { mutant } of survivors) console.log(`${placeOf(mutant)}\n    ${mutant.text}`);
  process.exitCode = share < wantedShare ? 1 : 0;
}

/** A path of a folder or file, or a line of one. */
function concerns(word: string, file: string): boolean {
  const path = word.replace(/:\d+$/, "");
  return file === path || file.startsWith(`${path}/`);
}

function isWanted(mutant: Mutant): boolean {
  const isNamed = (word: string) =>
    concerns(word, mutant.file) && (!/:\d+$/.test(word) || word.endsWith(`:${mutant.line}`));
  return (
    described(mutant).startsWith(options.only) && (positionals.length === 0 || positionals.some(isNamed))
  );
}

/** The same order for the same seed. */
function shuffled<T>(items: T[], seed: number): T[] {
  const keyed = items.map((item, index) => ({ item, key: Bun.hash(`${seed} ${index}`) as bigint }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ item }) => item);
}
