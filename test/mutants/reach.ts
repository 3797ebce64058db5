/** Which statements each test file runs, so that a mutant meets only tests that can see it. */

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { repository } from "../kernel/environment.ts";
import { inGuest } from "./guest.ts";
import { instrument, takeHits, type Unit } from "./instrument.ts";
import { runIn, scratchCopy, testCommand } from "./scratch.ts";
import { parse } from "./syntax.ts";

/** Where tests that need no driver are, and those that need one. The campaigns of faults and foreign runtimes take too long. */
const folders = {
  host: ["unit", "golden", "property", "fuzz", "differential", "hostile"],
  guest: ["e2e", "conformance", "netavark"],
} as const;
export type Lane = keyof typeof folders;

export interface TestFile {
  lane: Lane;
  seconds: number;
  passed: boolean;
  hits: number[];
}

export interface Reach {
  units: Unit[];
  tests: Map<string, TestFile>;
}

const limitSeconds = 300;
const assumedSeconds = 5;

export function testFiles(lane: Lane): string[] {
  return folders[lane].flatMap((folder) => filesBelow(`test/${folder}`, "**/*.test.ts"));
}

export function filesBelow(folder: string, pattern = "*.ts"): string[] {
  const found = [...new Bun.Glob(pattern).scanSync({ cwd: join(repository, folder) })];
  return found.map((name) => join(folder, name)).sort();
}

/** The codec, the verbs, and all they say: what mistakes are made in. */
export function subjects(): string[] {
  const folders = ["wasm", "src/ipvlan", "src/cni", "src/netavark", "src/ipam", "src/ipam/host-local"];
  return folders.flatMap((folder) => filesBelow(folder));
}

/** The files of the plugin: all that is linked into it. */
export function sources(): string[] {
  return filesBelow("src", "**/*.ts").filter(
    (file) => !file.endsWith(".d.ts") && !/^src\/(documents|release)\//.test(file),
  );
}

/**
 * Runs every test file once, on instrumented sources. What it found is kept in dist/, and measured again only for a test file
 * that has changed, or for all when a source has. Tests that fail without any mutant are left out.
 */
export async function measureReach(lanes: Lane[]): Promise<Reach> {
  const files = sources();
  const sourcesMark = markOf(files);
  const kept = readKept();
  const known = kept.sourcesMark === sourcesMark ? kept.tests : {};
  const wanted = lanes.flatMap((lane) =>
    testFiles(lane).map((file) => ({ lane, file, mark: markOf([file]) })),
  );
  const missing = wanted.filter(({ file, mark }) => known[file]?.mark !== mark);
  const scratch = scratchCopy();
  const units = instrument(scratch, await parse(files));
  if (missing.length > 0) {
    console.log("what the tests run: seconds, statements, file");
    const counted = await runAll(scratch, missing, units.length);
    // Some watch every system call, or the sources themselves, and see the counting.
    const plain = await runAll(
      scratchCopy(),
      counted.filter((each) => !each.passed),
    );
    const failed = new Set(plain.filter((each) => !each.passed).map((each) => each.file));
    for (const each of counted) {
      if (failed.has(each.file)) console.log(`left out, since it fails without any mutant: ${each.file}`);
      known[each.file] = { ...each, passed: !failed.has(each.file), mark: markOf([each.file]) };
    }
    mkdirSync(dirname(keptPath), { recursive: true });
    writeFileSync(keptPath, JSON.stringify({ sourcesMark, tests: known }));
  }
  const usable = wanted.flatMap(({ file }) => (known[file]?.passed ? [[file, known[file]] as const] : []));
  return { units, tests: new Map(usable) };
}

/** Instead of measuring: these test files, which are taken to reach everything. */
export function reachOf(files: string[]): Reach {
  const guest = new Set(testFiles("guest"));
  const assumed = { seconds: assumedSeconds, passed: true, hits: [] };
  return {
    units: [],
    tests: new Map(files.map((file) => [file, { ...assumed, lane: guest.has(file) ? "guest" : "host" }])),
  };
}

type Named = { file: string; lane: Lane };

async function runAll(scratch: string, tests: Named[], count = 0): Promise<(TestFile & Named)[]> {
  if (tests.length === 0) return [];
  const built = await runIn(scratch, [process.execPath, "run", "build.ts"], 120);
  if (built.verdict !== "passed") throw new Error(`the build failed:\n${built.output}`);
  if (count > 0) takeHits(scratch, count);
  const done: (TestFile & Named)[] = [];
  const keep = (test: TestFile & Named, output: string) => {
    done.push(test);
    const cells = [test.seconds.toFixed(1).padStart(6), String(test.hits.length).padStart(6), test.file];
    console.log(cells.join("  ") + (test.passed ? "" : "  FAILED"));
    if (!test.passed && count === 0) console.log(output.slice(-2000));
  };
  for (const { file, lane } of tests.filter((each) => each.lane === "host")) {
    const begun = performance.now();
    const { verdict, output } = await runIn(scratch, testCommand([file]), limitSeconds);
    const seconds = (performance.now() - begun) / 1000;
    const hits = count > 0 ? takeHits(scratch, count) : [];
    keep({ file, lane, seconds, passed: verdict === "passed", hits }, output);
  }
  const driven = tests.filter((each) => each.lane === "guest");
  if (driven.length === 0) return done;
  // As mutants are tried: where nothing else is.
  const binary = join(scratch, "dist/counted/ipvlan");
  mkdirSync(dirname(binary));
  renameSync(join(scratch, "dist/ipvlan"), binary);
  // A job each, since the first failure ends one.
  const jobs = driven.map(({ file }) => ({
    binary,
    files: [{ file, limitSeconds }],
    ...(count > 0 && { count }),
  }));
  for (const { file, seconds, verdict, output, hits = [] } of await inGuest(scratch, jobs))
    keep({ file, lane: "guest", seconds, passed: verdict === "passed", hits }, output);
  return done;
}

interface Kept {
  sourcesMark: string;
  tests: Record<string, TestFile & { mark: string }>;
}

const keptPath = join(repository, "dist/reach.json");

function readKept(): Kept {
  return existsSync(keptPath) ? JSON.parse(readFileSync(keptPath, "utf8")) : { sourcesMark: "", tests: {} };
}

function markOf(files: string[]): string {
  const hash = new Bun.CryptoHasher("sha256");
  for (const file of files) hash.update(`${file}\0`).update(readFileSync(join(repository, file)));
  return hash.digest("hex");
}

/**
 * The test files that run the statement around a place in a source file, the quickest first. What is run when the file is
 * loaded says little about who uses it: there it is whoever runs anything else of the file.
 */
export function testsThatReach(reach: Reach, file: string, at: number): string[] {
  if (reach.units.length === 0) return [...reach.tests.keys()];
  const inFile = reach.units.flatMap((unit, number) => (unit.file === file ? [{ ...unit, number }] : []));
  const around = inFile
    .filter(({ start, end }) => start <= at && at < end)
    .reduce<(typeof inFile)[number] | undefined>(
      (least, unit) =>
        least === undefined || unit.end - unit.start < least.end - least.start ? unit : least,
      undefined,
    );
  const counted = around === undefined || around.isTop ? inFile.filter((unit) => !unit.isTop) : [around];
  const numbers = new Set((counted.length > 0 ? counted : inFile).map((unit) => unit.number));
  return [...reach.tests]
    .filter(([, test]) => test.hits.some((hit) => numbers.has(hit)))
    .sort(([, a], [, b]) => a.seconds - b.seconds)
    .map(([name]) => name);
}
