/** Runs programs for tests: bounded in time, output collected. */

export interface Output {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  stdin?: string;
  /** The whole environment; without it, this process's own. */
  environment?: Record<string, string>;
  timeoutMs?: number;
  /** Where it starts; without it, here. */
  directory?: string;
}

/** Runs a program to its end; throws only when it cannot be started or takes too long. */
export async function command(words: string[], options: CommandOptions = {}): Promise<Output> {
  const timeoutMs = options.timeoutMs ?? 30_000;
  const started = performance.now();
  const child = Bun.spawn(words, {
    stdin: Buffer.from(options.stdin ?? ""),
    stdout: "pipe",
    stderr: "pipe",
    timeout: timeoutMs,
    killSignal: "SIGKILL",
    ...(options.environment && { env: options.environment }),
    ...(options.directory && { cwd: options.directory }),
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  const tookTooLong = child.signalCode === "SIGKILL" && performance.now() - started >= timeoutMs;
  if (tookTooLong) throw new Error(`took longer than ${timeoutMs} ms: ${words.join(" ")}`);
  return { exitCode, stdout, stderr };
}

/** Runs a program that has to succeed and gives what it printed. */
export async function mustRun(words: string[], options: CommandOptions = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await command(words, options);
  if (exitCode !== 0) {
    const input = options.stdin ? `\nstdin:\n${options.stdin}` : "";
    throw new Error(`exit status ${exitCode}: ${words.join(" ")}\n${stderr}${input}`);
  }
  return stdout;
}
