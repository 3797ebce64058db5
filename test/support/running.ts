/** Programs that run beside a test. */

import type { Namespace } from "./namespace.ts";

/** A program that runs in a namespace until it is disposed of; what it prints is gathered. */
export class Running implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  output = "";

  constructor(where: Namespace, words: string[], environment: Record<string, string> = {}) {
    this.#child = Bun.spawn(["ip", "netns", "exec", where.name, ...words], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, ...environment },
    });
    this.#read(this.#child.stdout);
    this.#read(this.#child.stderr);
  }

  async #read(from: ReadableStream<Uint8Array>): Promise<void> {
    for await (const chunk of from) this.output += Buffer.from(chunk).toString();
  }

  get pid(): number {
    return this.#child.pid;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Kills it, as nothing else does that it could prepare for. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }

  /** Waits until it has printed that. */
  async says(text: string | RegExp, seconds = 15): Promise<void> {
    const isThere = () => (typeof text === "string" ? this.output.includes(text) : text.test(this.output));
    await until(() => isThere() || this.hasEnded, `${text} in:\n`, seconds).catch((thrown) => {
      throw new Error(`${thrown.message}${this.output}`);
    });
    if (!isThere()) throw new Error(`it ended without ${text}:\n${this.output}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** Waits until the condition holds. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  seconds = 10,
): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await Bun.sleep(20);
  }
}
