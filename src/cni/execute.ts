import { debug } from "../debug.ts";
import { Failure, type FailureKind, messageOf } from "../error.ts";
import { check, EAGAIN, errnoText } from "../linux/errno.ts";
import { close, pipe, sleep, writeFrom } from "../linux/libc.ts";
import type { Command } from "./gate.ts";
import { fold, isObject, parseJson } from "./json.ts";

/** Standard output of a delegate is a result or an error document; a megabyte is a thousand times either. */
const OUTPUT_LIMIT_BYTES = 1 << 20;
/** As much of standard error as an error message quotes; all of it is passed on. */
const QUOTE_LIMIT_BYTES = 4096;
/** The dhcp plugin waits up to 208 s for its server; what takes longer than this never ends. */
const TIMEOUT_MS = 300_000;
const BUSY_TRIES = 6;
const BUSY_PAUSE_MS = 1000;
/** How long output is awaited once the plugin itself has ended and something it started keeps the pipe open. */
const DRAIN_MS = 2000;

/** What every execution of a plugin gets. */
export interface Execution {
  /** The configuration, byte for byte as it came. */
  stdin: Uint8Array;
  /** The environment to pass on; CNI_COMMAND is replaced. */
  variables: Record<string, string | undefined>;
  /** For tests: the pause between two tries of a file that is being written. */
  busyPauseMs?: number;
}

/** The plugin never ran, so there is nothing to undo. */
export class NotStarted extends Failure {}

/** The plugin ran, and said no or fell over. */
export class Rejection extends Failure {}

/** What a plugin's failure means to the verb: that an ADD would fail, or that this call does. */
export function kindOf(command: Command | "VERSION"): FailureKind {
  return command === "STATUS" ? "unavailable" : "ipam";
}

/**
 * Runs the plugin once, without arguments, and returns its standard output; its standard error is copied to ours.
 * Throws `Rejection`, `NotStarted`, or a Failure for a limit it broke or a start that failed half-way; then its process
 * group is gone.
 */
export async function execute(
  path: string,
  command: Command | "VERSION",
  execution: Execution,
): Promise<string> {
  debug?.step("execute", { path, command });
  const { child, stdoutFd, stderrFd } = await spawn(path, command, execution);
  const what = `IPAM plugin ${path} (${command})`;
  const timeoutMs = timeoutOf(execution.variables);
  const stopped = Promise.withResolvers<Failure>();
  const stop = (reason: Failure) => {
    killGroup(child.pid);
    stopped.resolve(reason);
  };
  const timer = setTimeout(
    () =>
      stop(
        new Failure("busy", `${what} did not finish within ${timeoutMs} ms`, {
          remedy: "try again; IPVLAN_IPAM_TIMEOUT_MS allows more time",
        }),
      ),
    timeoutMs,
  );
  const stdout = new Output(OUTPUT_LIMIT_BYTES, () =>
    stop(
      new Failure(
        kindOf(command),
        `${what} printed more than ${OUTPUT_LIMIT_BYTES} bytes on standard output`,
      ),
    ),
  );
  const stderr = new Output(QUOTE_LIMIT_BYTES);
  const streams = Promise.all([stdout.collect(stdoutFd), stderr.collect(stderrFd, passOn)]);
  const ended = child.exited.then(() => atMost(DRAIN_MS, streams));
  const reason = await Promise.race([stopped.promise, ended]);
  clearTimeout(timer);
  debug?.step("executed", { path, exitCode: child.exitCode, stdout: stdout.text() });
  if (reason instanceof Failure) {
    // It has been killed; what it held (a lock, a socket) is free once it is gone.
    await atMost(DRAIN_MS, child.exited);
    throw reason;
  }
  if (child.exitCode === 0) return stdout.text();
  const ending = child.exitCode === null ? `signal: ${child.signalCode}` : `exit status ${child.exitCode}`;
  throw diagnose(stdout.text().trim(), stderr.text().trim(), ending, what, kindOf(command));
}

async function atMost(timeoutMs: number, promise: Promise<unknown>): Promise<void> {
  let timer: Timer | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([promise, late]);
  clearTimeout(timer);
}

/** A running plugin and the ends of its pipes to read from. */
interface Running {
  child: Bun.Subprocess;
  stdoutFd: number;
  stderrFd: number;
}

/** <fcntl.h> of x86-64 and arm64 */
const O_CLOEXEC = 0o2000000;

/** What the kernel says of a file that it does not execute; any other error may come after the plugin has started. */
const REFUSALS = ["ENOENT", "ENOTDIR", "EACCES", "ENOEXEC", "ETXTBSY", "ELOOP"];

async function spawn(path: string, command: Command | "VERSION", execution: Execution): Promise<Running> {
  // What Bun calls a pipe is a socket, and a shell script that opens /dev/stderr fails on one.
  const [stdoutFd, stdoutEnd] = openPipe();
  const [stderrFd, stderrEnd] = openPipe();
  let failure: { code?: unknown; errno?: unknown };
  try {
    const env = environmentOf(execution.variables, command);
    // A process group of its own (detached), so that what the plugin starts can be stopped with it.
    const child = start(path, execution, {
      env,
      stdin: execution.stdin,
      stdout: stdoutEnd,
      stderr: stderrEnd,
      detached: true,
    });
    return { child, stdoutFd, stderrFd };
  } catch (thrown) {
    failure = thrown as typeof failure;
  } finally {
    close(stdoutEnd);
    close(stderrEnd);
  }
  const { code, errno } = failure;
  const isRefused = REFUSALS.includes(String(code));
  // Bun has killed it if it ran; what it started ends as after any other end.
  const streams = [stdoutFd, stderrFd].map((fd) => new Output(0).collect(fd));
  await atMost(DRAIN_MS, Promise.all(streams));
  const reason = typeof errno === "number" ? errnoText(Math.abs(errno)) : messageOf(failure);
  const busy = code === "ETXTBSY";
  const Kind = isRefused ? NotStarted : Failure;
  throw new Kind(busy ? "busy" : kindOf(command), `cannot execute ${path}: ${reason}`, {
    remedy: busy ? "try again when the plugin's installation is complete" : undefined,
  });
}

function openPipe(): [readEnd: number, writeEnd: number] {
  const fds = new Int32Array(2);
  check(pipe(fds, O_CLOEXEC), "pipe2");
  return [fds[0]!, fds[1]!];
}

/** Bun.spawn, tried again while an installer is writing the file: it will be done soon. */
function start(
  path: string,
  { busyPauseMs }: Execution,
  options: Bun.SpawnOptions.OptionsObject<Uint8Array, number, number>,
): Bun.Subprocess {
  for (let attempt = 1; ; attempt++) {
    try {
      return Bun.spawn([path], options);
    } catch (thrown) {
      if ((thrown as { code?: unknown }).code !== "ETXTBSY" || attempt === BUSY_TRIES) throw thrown;
      sleep(busyPauseMs ?? BUSY_PAUSE_MS);
    }
  }
}

/**
 * The plugin's environment: ours, with the command. Without BUN_*: these variables would turn a plugin that is a Bun
 * executable, as we are, into something else (BUN_BE_BUN, BUN_OPTIONS).
 */
function environmentOf(
  variables: Record<string, string | undefined>,
  command: string,
): Record<string, string | undefined> {
  const kept = Object.entries(variables).filter(([name]) => !name.startsWith("BUN_"));
  return { ...Object.fromEntries(kept), CNI_COMMAND: command };
}

function timeoutOf(variables: Record<string, string | undefined>): number {
  const text = variables.IPVLAN_IPAM_TIMEOUT_MS ?? "";
  // Nine digits are eleven days; a timer of more than 31 bits would end at once.
  return /^[1-9][0-9]{0,8}$/.test(text) ? Number(text) : TIMEOUT_MS;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has just ended by itself.
  }
}

/** What a stream said, up to a limit. */
class Output {
  readonly #chunks: Uint8Array[] = [];
  readonly #limitBytes: number;
  readonly #onLimit: (() => void) | undefined;
  #lengthBytes = 0;

  constructor(limitBytes: number, onLimit?: () => void) {
    this.#limitBytes = limitBytes;
    this.#onLimit = onLimit;
  }

  /** Reads to the end and closes `fd`. */
  async collect(fd: number, each?: (chunk: Uint8Array) => void): Promise<void> {
    try {
      for await (const chunk of Bun.file(fd).stream()) {
        each?.(chunk);
        const room = this.#limitBytes - this.#lengthBytes;
        if (room > 0) this.#chunks.push(chunk.subarray(0, room));
        this.#lengthBytes += chunk.length;
        if (this.#lengthBytes > this.#limitBytes) this.#onLimit?.();
      }
    } catch {
      // A pipe that breaks has ended; what it said so far is judged as it stands.
    }
    close(fd);
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}

/** Copies to our own standard error, as well as that can be done. */
function passOn(chunk: Uint8Array): void {
  let rest = chunk;
  for (let attempt = 0; rest.length > 0 && attempt < 1000; attempt++) {
    const put = writeFrom(2, rest, rest.length);
    if (put > 0) rest = rest.subarray(put);
    else if (put === -EAGAIN) sleep(1);
    else return;
  }
}

/** The error of a plugin that failed: its own document, or the reference library's sentences for what it left. */
function diagnose(stdout: string, stderr: string, ending: string, what: string, kind: FailureKind): Failure {
  const silent = `netplugin failed with no error message: ${ending}`;
  const details = `${what}: ${ending}`;
  if (stdout === "")
    return new Rejection(kind, stderr === "" ? silent : `netplugin failed: ${quote(stderr)}: ${ending}`, {
      details,
    });
  try {
    const { code, msg, said } = readError(stdout);
    return new Rejection(kind, msg || silent, { code, details: said || (msg ? undefined : details) });
  } catch (thrown) {
    return new Rejection(
      kind,
      `netplugin failed but error parsing its diagnostic message ${quote(stdout)}: ${messageOf(thrown)}`,
      { details },
    );
  }
}

/** An error document; without a code it gets the one of our own. Throws when it is something else. */
function readError(stdout: string): { code: number | undefined; msg: string; said: string } {
  const document = parseJson(stdout);
  if (!isObject(document)) throw new TypeError("not an object");
  const { msg, details, ...fields } = fold(document);
  const code = fields.code ?? undefined;
  if (code === undefined && typeof msg !== "string") throw new TypeError("neither code nor msg");
  if (code !== undefined && !(Number.isSafeInteger(code) && (code as number) >= 0))
    throw new TypeError("code is not a number");
  const textOf = (value: unknown) => (typeof value === "string" ? value : "");
  return { code: code as number | undefined, msg: textOf(msg), said: textOf(details) };
}

export function quote(text: string): string {
  return JSON.stringify(text.length <= QUOTE_LIMIT_BYTES ? text : `${text.slice(0, QUOTE_LIMIT_BYTES)}...`);
}
