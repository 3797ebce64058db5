/**
 * Runs the tests, all of them or a part:
 *
 *   bun test/run.ts                              everything
 *   bun test/run.ts lint types build host e2e    only these lanes
 *   bun test/run.ts e2e --kernel 7               on one kernel
 *   bun test/run.ts --kernel 7 test/e2e/add.test.ts test/unit/ip.test.ts
 *                                                only these files (each in the lane it belongs to)
 *   bun test/run.ts podman                       real Podman of three Debian releases, which "everything"
 *                                                leaves out: it fetches a gigabyte, once
 *   bun test/run.ts podman --release trixie      of one release
 *   bun test/run.ts fault                        every system call of every verb killed, and failed with one error, on kernel 7
 *                                                or the one named; "everything" has a sample of it
 *     --all          each call fails with every error
 *     --stand-in     on the running kernel, with macvlan links in place of ipvlan: five times as quick
 *     --minutes N    as much as that allows; the share that was tried is printed
 *     --part I/N     one of N parts, which together are the whole
 *     --seed N       another order (1)
 *   bun test/run.ts soak                         crowds, churn and an hour of ADD and DEL at full length, which "everything" has
 *                                                in short
 *   -t TEXT       only tests whose name matches
 *   --native      on the running kernel instead of the test kernels
 *   --no-build    with dist/ipvlan as it is
 *   --verbose     show what lanes print even when they pass
 *
 * The last line is `N passed, N failed`; the exit status is 1 when anything failed.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type FaultLane, faultLanes, faultTimeoutSeconds, mistakeIn } from "./fault/campaign.ts";
import {
  binary,
  type Guest,
  guestCommand,
  hasNativeDriver,
  type Kernel,
  kernels,
  nativeCommand,
  podmanRoots,
  releases,
  repository,
  setUp,
} from "./kernel/environment.ts";
import { type Conditions, countsOf, execute, stopAll } from "./lanes/execute.ts";
import { Outcomes } from "./lanes/outcomes.ts";
import { inTurns, limit, type Slot, spread } from "./lanes/schedule.ts";
import { inputs } from "./support/inputs.ts";

/** Folders whose tests need the ipvlan driver. */
const driverFolders = ["e2e", "conformance", "netavark", "clients", "fault/steps", "endurance"];
/** Folders whose tests make hundreds of calls: on the slower kernel, where each takes a second, they run when they are named. */
const quickKernelFolders = ["endurance"];
/** Folders whose tests take minutes: they run when they are named. */
const namedFolders = ["release"];
const podmanFolder = "podman";
const lanes = ["lint", "types", "build", "host", "e2e", "podman", "fault", "soak"];
/** Lanes that run only when they are named. */
const lanesApart = ["podman", "fault", "soak"];

/** Property tests take longer when they are to try more; see test/support/inputs.ts. */
const moreInputs = inputs(1).numRuns;
/** In how many guests the files for a kernel are spread; the slower kernel in more. */
const guestsFor: Record<Kernel, number> = { "6": 8, "7": 4 };
/** These limits are for what hangs: a machine that has other work besides takes several times as long as an idle one. */
const guestTimeoutSeconds = 1200;
/** Containers, their image and Bun all live in the guest's memory. */
const podmanMemory = "3G";
const podmanTestTimeout = 120_000;
const hostTimeoutSeconds = 1200 * moreInputs;
/** The hour of ADD and DEL has the time it takes. */
const soakTimeoutSeconds = 12 * 3600;
const soakMemory = "2G";
/** A system call is slow under a test kernel, more so when it shares a core. */
const driverTestTimeout = 180_000;
const hostTestTimeout = 180_000 * moreInputs;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kernel: { type: "string", multiple: true, default: [...kernels] },
    native: { type: "boolean", default: false },
    all: { type: "boolean", default: false },
    "stand-in": { type: "boolean", default: false },
    minutes: { type: "string" },
    part: { type: "string" },
    seed: { type: "string" },
    release: { type: "string", multiple: true, default: [...releases] },
    "no-build": { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
    t: { type: "string", short: "t" },
  },
});
const unknownKernel = options.kernel.find((name) => !kernels.includes(name as Kernel));
if (unknownKernel !== undefined) stop(`there is no kernel ${unknownKernel}; choose ${kernels.join(" or ")}`);

const unknownRelease = options.release.find((name) => !(releases as readonly string[]).includes(name));
if (unknownRelease !== undefined)
  stop(`there is no release ${unknownRelease}; choose ${releases.join(", ")}`);

const mistake = mistakeIn(options);
if (mistake !== undefined) stop(mistake);

const allFiles = [...new Bun.Glob("test/**/*.test.ts").scanSync({ cwd: repository })].sort();
const chosenFiles = positionals.filter((word) => !lanes.includes(word)).map(fileNamed);
const chosenLanes = positionals.filter((word) => lanes.includes(word));
const usualFiles = allFiles.filter((file) => !namedFolders.some((folder) => isIn(file, folder)));
const files = chosenFiles.length > 0 ? chosenFiles : usualFiles;
const driverFiles = files.filter(needsDriver);
const podmanFiles = files.filter(isPodmans);
const hostFiles = files.filter((file) => !needsDriver(file) && !isPodmans(file));

const scratch = mkdtempSync(join(tmpdir(), "ipvlan-check."));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
/** An hour that went well has figures to tell. */
const isVerbose = options.verbose || isWanted("soak");
const outcomes = new Outcomes(isVerbose);
await runLanes().catch((error) => outcomes.refuse("run", Bun.inspect(error)));
stopAll();
outcomes.summarize();

async function runLanes(): Promise<void> {
  // Fetching the kernels waits for the network while the first lanes use the processors.
  const tools = isWanted("e2e") && !options.native ? setUp() : null;
  // A guest that waits leaves its processor to somebody, and two of them to two.
  const slot = limit(availableParallelism() + 2);
  const built = buildLane(slot);
  await Promise.all([
    built,
    isWanted("lint") && slot(() => commandLane("lint", [npmTool("biome"), "ci", "."])),
    isWanted("types") && slot(() => commandLane("types", [npmTool("tsc"), "--noEmit"])),
    isWanted("host") && hostLane(slot, built),
    isWanted("e2e") && driverLanes(slot, built, tools),
    isWanted("podman") && podmanLanes(slot, built),
    isWanted("fault") && campaignOfFaults(slot, built),
    isWanted("soak") && soak(slot, built),
  ]);
}

/** What runs by default: all, or the lanes named, or those that the named files belong to. */
function isWanted(lane: string): boolean {
  if (chosenLanes.length > 0) return chosenLanes.includes(lane);
  if (chosenFiles.length === 0) return !lanesApart.includes(lane);
  const needed: Record<string, string[]> = { host: hostFiles, e2e: driverFiles, podman: podmanFiles };
  return (needed[lane]?.length ?? 0) > 0;
}

/** After the build, since both make the codec when there is none. */
async function hostLane(slot: Slot, built: Promise<boolean>): Promise<void> {
  await built;
  await slot(() => testLane("host", hostFiles, hostTestTimeout, (command) => command));
}

async function buildLane(slot: Slot): Promise<boolean> {
  if (options["no-build"] || !["build", "e2e", ...lanesApart].some(isWanted)) return true;
  return slot(() => commandLane("build", [process.execPath, "run", "build.ts"]));
}

/** A command that either succeeds or not counts as one test. */
async function commandLane(lane: string, command: string[]): Promise<boolean> {
  const run = await execute(lane, command, conditions());
  outcomes.record(lane, run, run.exitCode === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 });
  return run.exitCode === 0;
}

async function driverLanes(slot: Slot, built: Promise<boolean>, tools: Promise<string | null> | null) {
  const cache = await tools;
  if (!(await built)) return outcomes.refuse("e2e", "not run, because the build failed");
  const clients = driverFiles.some((file) => isIn(file, "clients"));
  if (cache && clients && !(await commandLane("clients", [join(repository, "test/clients/setup")]))) return;
  if (cache) {
    const environment = { IPVLAN_BINARY: binary, IPVLAN_REFERENCE: cache, CI: process.env.CI ?? "" };
    const guest = { timeoutSeconds: guestTimeoutSeconds, writable: scratch, environment };
    const jobsOfEach = options.kernel.map((name) => {
      const kernel = name as Kernel;
      const wrap = (command: string[]) => guestCommand({ ...guest, kernel }, command);
      // A name may match tests of one file only, and a guest without any test counts as failed.
      const guests = options.t === undefined ? guestsFor[kernel] : 1;
      const suited = driverFiles.filter((file) => kernel === "7" || !isForQuickKernel(file));
      return spread(suited, guests).map((part) => ({
        lane: `e2e, kernel ${kernel}`,
        part,
        wrap,
      }));
    });
    // Tests on kernel 7 wait more, beside which the others find a processor free; and a short one comes last.
    const jobs = inTurns(jobsOfEach);
    if (jobs.length === 0) return outcomes.refuse("e2e", "there are no such tests");
    await Promise.all(
      jobs.map(({ lane, part, wrap }) => slot(() => testLane(lane, part, driverTestTimeout, wrap))),
    );
  } else if (hasNativeDriver()) {
    await slot(() => testLane("e2e, running kernel", driverFiles, driverTestTimeout, nativeCommand));
  } else {
    outcomes.refuse(
      "e2e",
      "no ipvlan driver: the test kernels could not be set up (see above; they need Debian on x86_64),\n" +
        "and the running kernel has no ipvlan driver that this user may use (be root; modprobe ipvlan)",
    );
  }
}

/** One guest after another, each with a Debian release of its own as its root. */
async function podmanLanes(slot: Slot, built: Promise<boolean>): Promise<void> {
  const roots = await podmanRoots(options.release);
  if (!(await built)) return outcomes.refuse("podman", "not run, because the build failed");
  if (roots === null) return outcomes.refuse("podman", "the releases could not be fetched, see above");
  for (const release of options.release) {
    const guest: Guest = {
      kernel: "7",
      root: join(roots, release),
      memory: podmanMemory,
      timeoutSeconds: guestTimeoutSeconds,
      writable: scratch,
      environment: { IPVLAN_BINARY: binary, IPVLAN_PODMAN: release },
    };
    const wrap = (command: string[]) => guestCommand(guest, command);
    await slot(() => testLane(`podman, ${release}`, podmanFiles, podmanTestTimeout, wrap));
  }
}

/** The campaign of faults: on the quick kernel, unless one is named. */
async function campaignOfFaults(slot: Slot, built: Promise<boolean>): Promise<void> {
  const cache = await setUp();
  if (!(await built)) return outcomes.refuse("fault", "not run, because the build failed");
  if (cache === null) return outcomes.refuse("fault", "the test kernels could not be set up, see above");
  const named: Kernel = options.kernel.length === 1 ? (options.kernel[0] as Kernel) : "7";
  const kernel = options["stand-in"] ? "stand-in" : named;
  const campaign = { ...options, isWhole: options.all, kernel, scratch, references: cache } as const;
  const run = ({ name, file, wrap }: FaultLane) =>
    slot(() => testLane(name, [file], driverTestTimeout, wrap));
  const some = driverFiles.filter((file) => isIn(file, "fault/steps"));
  await Promise.all((await faultLanes(campaign, some)).map(run));
}

/** Crowds, churn and the hour at full length: on the quick kernel, unless one is named; each file in a guest of its own. */
async function soak(slot: Slot, built: Promise<boolean>): Promise<void> {
  const cache = await setUp();
  if (!(await built)) return outcomes.refuse("soak", "not run, because the build failed");
  if (cache === null) return outcomes.refuse("soak", "the test kernels could not be set up, see above");
  const kernel: Kernel = options.kernel.length === 1 ? (options.kernel[0] as Kernel) : "7";
  const guest: Guest = {
    kernel,
    memory: soakMemory,
    timeoutSeconds: soakTimeoutSeconds,
    writable: scratch,
    environment: { IPVLAN_BINARY: binary, IPVLAN_REFERENCE: cache, IPVLAN_ENDURANCE: "long" },
  };
  const wrap = (command: string[]) => guestCommand(guest, command);
  const some = driverFiles.filter((file) => isIn(file, "endurance"));
  await Promise.all(
    some.map((file) => slot(() => testLane(`soak, kernel ${kernel}`, [file], driverTestTimeout, wrap))),
  );
}

/** Runs test files in one `bun test`, started through `wrap`. */
async function testLane(
  lane: string,
  part: string[],
  timeout: number,
  wrap: (command: string[]) => string[],
) {
  if (part.length === 0) return outcomes.refuse(lane, "there are no such tests");
  const report = join(scratch, `${Bun.randomUUIDv7()}.xml`);
  const pattern = options.t === undefined ? [] : ["--test-name-pattern", options.t];
  const run = await execute(
    lane,
    wrap([
      ...[process.execPath, "test", `--timeout=${timeout}`, ...pattern],
      ...["--reporter=junit", `--reporter-outfile=${report}`, ...part.map((file) => `./${file}`)],
    ]),
    conditions(),
  );
  const count = await countsOf(report, run.exitCode);
  // Without a report it died half way, and the last test that passed shows where.
  const showPassed = isVerbose || count === null;
  if (!showPassed) run.log = run.log.replace(/^\(pass\) .*\n/gm, "");
  if (count === null)
    run.log += `\nIt ended before its report was written. It was to run:\n${part.join("\n")}\n`;
  outcomes.record(lane, run, count ?? { passed: 0, failed: 1 });
}

function conditions(): Conditions {
  const isSoak = isWanted("soak");
  const usual = Math.max(hostTimeoutSeconds, guestTimeoutSeconds);
  return {
    scratch,
    timeoutSeconds: isWanted("fault") ? faultTimeoutSeconds : isSoak ? soakTimeoutSeconds : usual,
    isShown: isSoak || isWanted("fault"),
  };
}

// --- small tools ------------------------------------------------------------------------------

function needsDriver(file: string): boolean {
  return driverFolders.some((folder) => isIn(file, folder));
}

function isForQuickKernel(file: string): boolean {
  return chosenFiles.length === 0 && quickKernelFolders.some((folder) => isIn(file, folder));
}

function isPodmans(file: string): boolean {
  return isIn(file, podmanFolder);
}

function isIn(file: string, folder: string): boolean {
  return file.startsWith(`test/${folder}/`);
}

function fileNamed(word: string): string {
  const file = relative(repository, resolve(word));
  return allFiles.includes(file)
    ? file
    : stop(`${word} is neither a test file nor one of: ${lanes.join(", ")}`);
}

function npmTool(name: string): string {
  return join(repository, "node_modules/.bin", name);
}

function stop(why: string): never {
  console.error(`run: ${why}`);
  process.exit(2);
}
