/** Does any test notice a mutant? The cheapest ways to find out come first. */

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compileCodec } from "../../build.ts";
import { equivalents } from "./equivalent.ts";
import { inGuest, type Job } from "./guest.ts";
import { applied, described, type Mutant } from "./mutations.ts";
import { type Lane, type Reach, testsThatReach } from "./reach.ts";
import { type Ending, runIn, testCommand } from "./scratch.ts";

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

/** Files below this share one process. */
const quickSeconds = 2;
/** Mutants that share a guest. */
const guestBatch = 6;

export class Judge {
  readonly scratch: string;
  readonly reach: Reach;
  readonly guestSeconds: number;
  /** How often a test file noticed mutants of a source file: whoever did will again. */
  private readonly successes = new Map<string, number>();
  private readonly original: Buffer;

  /** `guestSeconds` is how long the tests may take in a guest for one mutant, when nothing else runs; 0 is no guest. */
  constructor(scratch: string, reach: Reach, guestSeconds: number) {
    this.scratch = scratch;
    this.reach = reach;
    this.guestSeconds = guestSeconds;
    mkdirSync(join(scratch, "dist"));
    compileCodec(join(scratch, "wasm"), this.codec);
    this.original = readFileSync(this.codec);
  }

  /** What the compilers and the tests of the host say. Of a survivor the executable is kept, for `inGuests`. */
  async onHost(mutant: Mutant): Promise<Verdict> {
    const equivalent = equivalents.some(
      ({ file, text, mutation }) =>
        file === mutant.file && text === mutant.text && mutation === described(mutant),
    );
    if (equivalent) return { mutant, fate: "equivalent" };
    const path = join(this.scratch, mutant.file);
    const source = readFileSync(path, "utf8");
    try {
      writeFileSync(path, applied(source, mutant));
      const refusal = mutant.file.startsWith("wasm/") ? this.compile() : await this.checkTypes();
      return refusal ? { mutant, fate: refusal } : await this.runTests(mutant);
    } finally {
      writeFileSync(path, source);
      writeFileSync(this.codec, this.original);
    }
  }

  /** What the tests on a real driver say of survivors, a few of them in each guest. */
  async *inGuests(survivors: Mutant[]): AsyncGenerator<Verdict> {
    for (let at = 0; at < survivors.length; at += guestBatch) {
      const some = survivors.slice(at, at + guestBatch);
      const jobs = some.map((mutant) => this.jobOf(mutant));
      const outcomes = await inGuest(this.scratch, jobs);
      for (const [job, mutant] of some.entries()) {
        const failure = outcomes.find((each) => each.job === job && each.verdict !== "passed");
        yield failure ? this.noticed(mutant, failure.file, failure.verdict) : { mutant, fate: "survived" };
        rmSync(this.binaryOf(mutant), { force: true });
      }
    }
  }

  private get codec(): string {
    return join(this.scratch, "dist/codec.wasm");
  }

  private get executable(): string {
    return join(this.scratch, "dist/ipvlan");
  }

  private compile(): Fate | undefined {
    try {
      compileCodec(join(this.scratch, "wasm"), this.codec);
    } catch {
      return "refused";
    }
    return readFileSync(this.codec).equals(this.original) ? "same code" : undefined;
  }

  private async checkTypes(): Promise<Fate | undefined> {
    const tsc = join(this.scratch, "node_modules/.bin/tsc");
    return (await runIn(this.scratch, [tsc, "--noEmit"], 60)).verdict === "passed" ? undefined : "refused";
  }

  private async runTests(mutant: Mutant): Promise<Verdict> {
    const files = this.testsOf(mutant, "host");
    const quick = files.filter((file) => this.secondsOf([file]) < quickSeconds);
    const slow = files.filter((file) => !quick.includes(file));
    const quickVerdict = await this.runSome(mutant, quick);
    if (quickVerdict) return quickVerdict;
    // From here on some tests start the executable.
    if (!(await this.build())) return { mutant, fate: "killed", by: "the build" };
    for (const file of slow) {
      const verdict = await this.runSome(mutant, [file]);
      if (verdict) return verdict;
    }
    renameSync(this.executable, this.binaryOf(mutant));
    return { mutant, fate: "survived" };
  }

  /** Undefined when no test minds. */
  private async runSome(mutant: Mutant, files: string[]): Promise<Verdict | undefined> {
    if (files.length === 0) return undefined;
    const limitSeconds = 20 + 6 * this.secondsOf(files);
    const { verdict, output } = await runIn(this.scratch, testCommand(files, ["--bail"]), limitSeconds);
    if (verdict === "passed") return undefined;
    // Bun names a file before its tests.
    const last = output.match(/^test\/.*\.test\.ts(?=:$)/gm)?.at(-1);
    return this.noticed(mutant, last ?? files[0]!, verdict);
  }

  private async build(): Promise<boolean> {
    rmSync(this.executable, { force: true });
    // Its exit status tells whether it can say its version, which tests tell as well.
    await runIn(this.scratch, [process.execPath, "run", "build.ts"], 120);
    return existsSync(this.executable);
  }

  private binaryOf({ file, start, after }: Mutant): string {
    return join(this.scratch, `dist/ipvlan-${Bun.hash(`${file} ${start} ${after}`)}`);
  }

  private jobOf(mutant: Mutant): Job {
    const files: string[] = [];
    for (const file of this.testsOf(mutant, "guest")) {
      if (this.secondsOf([...files, file]) <= this.guestSeconds) files.push(file);
    }
    return {
      binary: this.binaryOf(mutant),
      files: files.map((file) => ({ file, limitSeconds: 30 + 6 * this.secondsOf([file]) })),
    };
  }

  /** Those that can notice, in the order of how likely and how quick. */
  private testsOf({ file, start }: Mutant, lane: Lane): string[] {
    const found = file.startsWith("wasm/") ? this.testsOfCodec() : testsThatReach(this.reach, file, start);
    return found
      .filter((name) => this.reach.tests.get(name)!.lane === lane)
      .sort((a, b) => this.successesOf(file, b) - this.successesOf(file, a));
  }

  /** Its statements are not counted; some tests load it themselves, and all others by way of one file. */
  private testsOfCodec(): string[] {
    const own = [...this.reach.tests.keys()].filter((name) => /\/(golden|fuzz)\/|\/codec/.test(name));
    return [...new Set([...own, ...testsThatReach(this.reach, "src/linux/codec.ts", -1)])];
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
