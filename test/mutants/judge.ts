/** Does any test notice a mutant? The cheapest ways to find out come first. */

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { compilerWords } from "../../build.ts";
import { repository } from "../kernel/environment.ts";
import { equivalents, excuses } from "./equivalent.ts";
import { inGuest, type Job } from "./guest.ts";
import { applied, type Mutant } from "./mutations.ts";
import { type Lane, type Reach, testsThatReach } from "./reach.ts";
import { type Ending, runIn, scratchCopy, testCommand } from "./scratch.ts";

export type Fate =
  /** No program: the compiler or the types lane refuses it. Not counted. */
  | "refused"
  /** The compiler makes the very same codec of it. Not counted. */
  | "same code"
  | "equivalent"
  | "killed"
  /** Killed, by taking for ever. */
  | "hung"
  | "survived";

export interface Verdict {
  mutant: Mutant;
  fate: Fate;
  /** The test file that noticed. */
  by?: string;
}

/** Files of up to so many seconds share one process; of those between two limits, too. */
const quickSeconds = [0.3, 2] as const;

export class Judge {
  readonly scratch: string;
  /** Another copy, whose sources stay as they are: guests run while the next mutant is tried on the host. */
  readonly guestScratch: string;
  readonly reach: Reach;
  readonly seconds: Record<Lane, number>;
  /** How often a test file noticed mutants of a source file: whoever did will again. */
  private readonly successes = new Map<string, number>();
  private original = Buffer.alloc(0);
  /** Quick ones that start the executable: it is built for them first, which takes longer than they do. */
  private readonly needy = new Set<string>();

  /** `seconds` is how long the tests of each lane may take for one mutant, when nothing else runs. */
  constructor(reach: Reach, seconds: Record<Lane, number>) {
    this.scratch = scratchCopy();
    this.guestScratch = scratchCopy();
    this.reach = reach;
    this.seconds = seconds;
    for (const each of [this.scratch, this.guestScratch]) mkdirSync(join(each, "dist"));
  }

  /** To be called once, before anything else. */
  async prepare(): Promise<void> {
    await this.compileCodec();
    this.original = readFileSync(this.codec);
    for (const [file, { lane, seconds }] of this.reach.tests) {
      if (lane !== "host" || seconds >= quickSeconds[1]) continue;
      const { verdict } = await runIn(this.scratch, testCommand([file]), limitOf(seconds));
      if (verdict !== "passed") this.needy.add(file);
    }
  }

  /** What the compilers and the tests of the host say. Of a survivor the executable is kept, for `inGuests`. */
  async onHost(mutant: Mutant): Promise<Verdict> {
    if (equivalents.some((each) => excuses(each, mutant))) return { mutant, fate: "equivalent" };
    const path = join(this.scratch, mutant.file);
    const source = readFileSync(path, "utf8");
    try {
      writeFileSync(path, applied(source, mutant));
      const refusal = mutant.file.startsWith("wasm/") ? await this.compile() : await this.checkTypes();
      return refusal ? { mutant, fate: refusal } : await this.runTests(mutant);
    } finally {
      writeFileSync(path, source);
      writeFileSync(this.codec, this.original);
    }
  }

  /** What the tests on a real driver say of survivors, all in one guest. */
  async inGuest(survivors: Mutant[]): Promise<Verdict[]> {
    const jobs = survivors.map((mutant) => this.jobOf(mutant));
    const outcomes = await inGuest(this.guestScratch, jobs);
    return survivors.map((mutant, job) => {
      rmSync(dirname(this.binaryOf(mutant)), { recursive: true, force: true });
      const failure = outcomes.find((each) => each.job === job && each.verdict !== "passed");
      return failure ? this.noticed(mutant, failure.file, failure.verdict) : { mutant, fate: "survived" };
    });
  }

  private get codec(): string {
    return join(this.scratch, "dist/codec.wasm");
  }

  private get executable(): string {
    return join(this.scratch, "dist/ipvlan");
  }

  private async compile(): Promise<Fate | undefined> {
    if (!(await this.compileCodec())) return "refused";
    return readFileSync(this.codec).equals(this.original) ? "same code" : undefined;
  }

  /** In this process, where the compiler is warm. */
  private async compileCodec(): Promise<boolean> {
    // By a path that the types do not see: the compiler's own would replace those of `console` everywhere.
    const { default: asc } = await import(join(repository, "node_modules/assemblyscript/dist/asc.js"));
    const silence = { write: () => true };
    const words = compilerWords(join(this.scratch, "wasm"), this.codec);
    const { error } = await asc.main(words, { stdout: silence, stderr: silence });
    return error === null;
  }

  private async checkTypes(): Promise<Fate | undefined> {
    // Looks only at what depends on the mutant's file, or on that of the one before.
    const known = ["--incremental", "--tsBuildInfoFile", join(this.scratch, "dist/types")];
    const words = [join(this.scratch, "node_modules/.bin/tsc"), "--noEmit", ...known];
    return (await runIn(this.scratch, words, 120)).verdict === "passed" ? undefined : "refused";
  }

  private async runTests(mutant: Mutant): Promise<Verdict> {
    rmSync(this.executable, { force: true });
    const files = this.testsOf(mutant, "host");
    const [first, second] = quickSeconds;
    const secondsOf = (file: string) => this.secondsOf([file]);
    const quick = files.filter((file) => secondsOf(file) < second && !this.needy.has(file));
    const groups = [
      quick.filter((file) => secondsOf(file) < first),
      quick.filter((file) => secondsOf(file) >= first),
      ...files.filter((file) => !quick.includes(file)).map((file) => [file]),
    ];
    for (const [number, group] of groups.entries()) {
      // From here on some tests start the executable, which without it would fail whatever the mutant is.
      if (number === 2 && !(await this.build())) return { mutant, fate: "killed", by: "the build" };
      const few = group.some((file) => file.includes("/property/"))
        ? await this.runSome(mutant, group, 0.1)
        : undefined;
      const verdict = few ?? (await this.runSome(mutant, group));
      if (verdict) return verdict;
    }
    if (!existsSync(this.executable) && !(await this.build()))
      return { mutant, fate: "killed", by: "the build" };
    const binary = this.binaryOf(mutant);
    mkdirSync(dirname(binary), { recursive: true });
    renameSync(this.executable, binary);
    return { mutant, fate: "survived" };
  }

  /** Undefined when no test minds. With a `share` below 1, properties are tried with that much less than usual. */
  private async runSome(mutant: Mutant, files: string[], share = 1): Promise<Verdict | undefined> {
    if (files.length === 0) return undefined;
    const limitSeconds = limitOf(this.secondsOf(files));
    const { verdict, output } = await runIn(this.scratch, testCommand(files, ["--bail"]), limitSeconds, {
      IPVLAN_PROPERTY_RUNS: String(share),
    });
    if (verdict === "passed") return undefined;
    // Bun names a file before its tests.
    const last = output.match(/^test\/.*\.test\.ts(?=:$)/gm)?.at(-1);
    return this.noticed(mutant, last ?? files[0]!, verdict);
  }

  private async build(): Promise<boolean> {
    // Its exit status tells whether it can say its version, which tests tell as well.
    await runIn(this.scratch, [process.execPath, "run", "build.ts"], 120);
    return existsSync(this.executable);
  }

  /** By its right name in a directory of its own: some tests look for the plugin in a path. */
  private binaryOf({ file, start, after }: Mutant): string {
    return join(this.guestScratch, `dist/${Bun.hash(`${file} ${start} ${after}`)}/ipvlan`);
  }

  private jobOf(mutant: Mutant): Job {
    return {
      binary: this.binaryOf(mutant),
      files: this.testsOf(mutant, "guest").map((file) => ({
        file,
        limitSeconds: 30 + 6 * this.secondsOf([file]),
      })),
    };
  }

  /** Those that can notice, in the order of how likely and how quick. */
  private testsOf({ file, start }: Mutant, lane: Lane): string[] {
    const found = file.startsWith("wasm/") ? this.testsOfCodec() : testsThatReach(this.reach, file, start);
    const likelihood = (name: string) => this.successesOf(file, name) + (isNamesake(name, file) ? 1 : 0);
    const likely = found
      .filter((name) => this.reach.tests.get(name)!.lane === lane)
      .sort((a, b) => likelihood(b) - likelihood(a));
    const affordable: string[] = [];
    for (const name of likely) {
      if (this.secondsOf([...affordable, name]) <= this.seconds[lane]) affordable.push(name);
    }
    return affordable;
  }

  /** Its statements are not counted: on the host its own tests serve, in a guest all others. */
  private testsOfCodec(): string[] {
    const own = [...this.reach.tests.keys()].filter((name) => /\/(golden|fuzz)\/|\/codec/.test(name));
    const others = testsThatReach(this.reach, "src/linux/codec-form.ts", -1);
    return [...own, ...others.filter((name) => this.reach.tests.get(name)!.lane === "guest")];
  }

  private successesOf(file: string, test: string): number {
    return this.successes.get(`${file} ${test}`) ?? 0;
  }

  private noticed(mutant: Mutant, by: string, verdict: Ending["verdict"]): Verdict {
    this.successes.set(`${mutant.file} ${by}`, this.successesOf(mutant.file, by) + 1);
    return { mutant, fate: verdict === "hung" ? "hung" : "killed", by };
  }

  private secondsOf(files: string[]): number {
    return files.reduce((sum, file) => sum + this.reach.tests.get(file)!.seconds, 0);
  }
}

/** How long tests may take that take so long without a mutant, alone. */
function limitOf(seconds: number): number {
  return 20 + 6 * seconds;
}

/** True for a test file that is about that source file, by its name: "vlan.test.ts" and "cni-run.test.ts" are. */
function isNamesake(test: string, source: string): boolean {
  const [folder = "", name = ""] = source.replace(/\.ts$/, "").split("/").slice(-2);
  const about = basename(test, ".test.ts");
  return about === name || about === `${folder}-${name}` || dirname(test).endsWith(`/${folder}`);
}
