/** The stop-watch for whole processes: timer.c, compiled and held open. */

import { join } from "node:path";
import type { Namespace } from "../support/namespace.ts";

/** A program to start, with the file it reads as standard input and its whole environment. */
export interface Program {
  path: string;
  stdin: string;
  environment: Record<string, string>;
}

/** What one process cost, the children it waited for included. */
export interface Cost {
  wallMs: number;
  cpuMs: number;
  peakMib: number;
  /** Minor page faults; major ones are of a cold page cache and not counted here. */
  faults: number;
  exitStatus: number;
}

export interface Outcome {
  /** From the first start to the last end. */
  makespanMs: number;
  costs: Cost[];
}

/** Compiles a C source of this directory; returns the program's path. */
export function compile(source: string, directory: string, defines: Record<string, string> = {}): string {
  const output = join(directory, source.replace(/\.c$/, ""));
  const options = Object.entries(defines).map(([name, value]) => `-D${name}=${value}`);
  const { exitCode, stderr } = Bun.spawnSync([
    ...["gcc", "-O2", "-Wall", "-Wextra", ...options],
    ...["-o", output, join(import.meta.dir, source)],
  ]);
  if (exitCode !== 0) throw new Error(`gcc ${source}:\n${stderr}`);
  return output;
}

/** Runs programs in a network namespace and tells what they cost. `await using` ends it. */
export class Timer implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #lines: AsyncIterator<string>;
  readonly #errorLines: AsyncIterator<string>;

  /** `executable` is timer.c compiled; without a namespace programs run where this one does. */
  constructor(executable: string, namespace?: Namespace) {
    const enter = namespace === undefined ? [] : ["ip", "netns", "exec", namespace.name];
    this.#child = Bun.spawn([...enter, executable], { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
    this.#lines = linesOf(this.#child.stdout);
    this.#errorLines = linesOf(this.#child.stderr);
  }

  /** Starts all programs at once and waits for their ends. */
  async run(programs: Program[]): Promise<Outcome> {
    for (const { path, stdin, environment } of programs) {
      const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
      this.#child.stdin.write(`run\t${[stdin, path, ...variables].join("\t")}\n`);
    }
    this.#child.stdin.write("go\n");
    await this.#child.stdin.flush();
    const makespanMs = Number(await this.#line()) / 1e6;
    const costs: Cost[] = [];
    for (const _ of programs) costs.push(costOf(await this.#line()));
    return { makespanMs, costs };
  }

  #line(): Promise<string> {
    return nextOf(this.#lines);
  }

  /** The next line that a program printed on standard error. */
  errorLine(): Promise<string> {
    return nextOf(this.#errorLines);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await this.#child.exited;
  }
}

function costOf(line: string): Cost {
  const [wall, user, system, peak, minor, , status] = line.split(" ").map(Number) as [number, ...number[]];
  return {
    wallMs: wall / 1e6,
    cpuMs: (user! + system!) / 1e3,
    peakMib: peak! / 1024,
    faults: minor!,
    exitStatus: status!,
  };
}

async function nextOf(lines: AsyncIterator<string>): Promise<string> {
  const { done, value } = await lines.next();
  if (done) throw new Error("the timer has ended early");
  return value;
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + new TextDecoder().decode(chunk)).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
