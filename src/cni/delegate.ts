import { Failure, messageOf } from "../error.ts";
import type { Ipam } from "../ipvlan/call.ts";
import { EAGAIN, EINTR, errnoText } from "../linux/errno.ts";
import { sleep, statx, writeFrom } from "../linux/libc.ts";
import type { Result } from "../net/result.ts";
import type { Command } from "./gate.ts";
import { fold, isObject, parseJson } from "./json.ts";
import { parseResult } from "./result.ts";
import type { CniVersion } from "./version.ts";

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

export interface DelegateOptions {
  /** The file's name. */
  type: string;
  /** CNI_PATH. */
  path: string;
  /** The configuration, byte for byte as it came. */
  stdin: Uint8Array;
  cniVersion: CniVersion;
  /** The environment to pass on; CNI_COMMAND is replaced. */
  variables: Record<string, string | undefined>;
  /** For tests. */
  busyPauseMs?: number;
}

/** An IPAM plugin of CNI_PATH, executed as spec section 4 ("Plugin Delegation") demands. */
export function delegate(options: DelegateOptions): Ipam {
  const run = (command: Command) => execute(options, command);
  return {
    add: () => add(options),
    del: async () => void (await run("DEL")),
    check: async () => void (await run("CHECK")),
    status: () => askNewcomer(options, "STATUS"),
    gc: () => askNewcomer(options, "GC"),
  };
}

/**
 * ADD; when the plugin fails, or succeeds with a result that cannot be used, it is told DEL (spec section 4).
 *
 * That DEL frees whatever the plugin holds for this container and interface name, so it would free a live lease if
 * ADD were run twice. It cannot be live here: our link of that very name has been created in the container before,
 * which fails when there is one. A "duplicate allocation" is thus the remains of an attachment that is gone, and
 * freeing it lets the runtime's next try succeed. A plugin that could not be started has taken nothing.
 */
async function add(options: DelegateOptions): Promise<Result> {
  const path = find(options, "ADD");
  try {
    const stdout = await executeFile(path, options, "ADD");
    return readResult(stdout, path, options);
  } catch (thrown) {
    if (!(thrown instanceof NotStarted)) {
      try {
        await executeFile(path, options, "DEL");
      } catch {
        // The first error is the one that helps; this one's sentences are on standard error.
      }
    }
    throw thrown;
  }
}

function readResult(stdout: string, path: string, { cniVersion }: DelegateOptions): Result {
  let value: unknown;
  try {
    value = parseJson(stdout);
  } catch (thrown) {
    throw new Failure("ipam", `IPAM plugin ${path} printed no result: ${messageOf(thrown)}`, {
      details: `standard output is ${quote(stdout)}`,
    });
  }
  return parseResult(value ?? {}, { assume: cniVersion, name: `result of ${path}`, kind: "ipam" });
}

/**
 * STATUS or GC, which came with spec 1.1.0: a plugin from before may answer with any error. Then its VERSION tells
 * whether it can be used at all: one that does not speak the configuration's version would refuse ADD too, so
 * STATUS says so, and has nothing that GC could ask for.
 */
async function askNewcomer(options: DelegateOptions, command: "STATUS" | "GC"): Promise<void> {
  const path = find(options, command);
  try {
    await executeFile(path, options, command);
  } catch (thrown) {
    const versions = await supportedVersions(path, options);
    if (versions === undefined || versions.includes(options.cniVersion)) throw thrown;
    if (command === "STATUS")
      throw new Failure(
        "unavailable",
        `IPAM plugin ${path} does not support cniVersion ${options.cniVersion}, only ${versions.join(", ")}`,
        { remedy: "update the plugin, or lower the network's cniVersion", cause: thrown },
      );
  }
}

async function supportedVersions(path: string, options: DelegateOptions): Promise<string[] | undefined> {
  try {
    const answer = parseJson(await executeFile(path, options, "VERSION"));
    const versions = isObject(answer) ? fold(answer).supportedversions : undefined;
    if (Array.isArray(versions) && versions.every((item) => typeof item === "string")) return versions;
  } catch {
    // Not even VERSION: the error it gave first stands.
  }
  return undefined;
}

function execute(options: DelegateOptions, command: Command): Promise<string> {
  return executeFile(find(options, command), options, command);
}

// ---------------------------------------------------------------------------------------------------------------
// Finding

const AT_FDCWD = -100;
const STATX_TYPE = 1;
const S_IFMT = 0o170000;
const S_IFREG = 0o100000;

/**
 * The first regular file of that name in CNI_PATH; an empty element is the working directory. Throws a `config`
 * Failure for a name that would leave the directory, else `ipam`, which for STATUS is `unavailable`.
 */
function find({ type, path }: DelegateOptions, command: Command): string {
  if (type === "") throw new Failure("config", "no plugin name provided");
  // A configuration must not choose a program outside of the directories that the runtime names.
  if (type.includes("/") || type.includes("\0") || type === "." || type === "..")
    throw new Failure("config", `invalid plugin name: ${type}`, {
      remedy: "ipam.type must be the name of a file in CNI_PATH",
    });
  const kind = command === "STATUS" ? "unavailable" : "ipam";
  if (path === "") throw new Failure(kind, "no paths provided", { remedy: "set CNI_PATH" });
  const directories = path.split(":");
  for (const directory of directories) {
    const file = `${directory === "" ? "." : directory}/${type}`;
    if (isRegularFile(file)) return file;
  }
  throw new Failure(kind, `failed to find plugin "${type}" in path [${directories.join(" ")}]`, {
    remedy: "install the IPAM plugin there, or correct ipam.type",
  });
}

function isRegularFile(path: string): boolean {
  const status = new Uint8Array(256);
  if (statx(AT_FDCWD, path, 0, STATX_TYPE, status) < 0) return false;
  // struct statx: __u16 stx_mode at byte 28.
  return (new DataView(status.buffer).getUint16(28, true) & S_IFMT) === S_IFREG;
}

// ---------------------------------------------------------------------------------------------------------------
// Executing

/** The plugin never ran, so there is nothing to undo. */
class NotStarted extends Failure {}

/** Runs the plugin once and returns its standard output. Throws its error, or what kept it from giving one. */
async function executeFile(
  path: string,
  options: DelegateOptions,
  command: Command | "VERSION",
): Promise<string> {
  const child = spawn(path, options, command);
  const what = `IPAM plugin ${path} (${command})`;
  const timeoutMs = timeoutOf(options.variables);
  let stopped: Failure | undefined;
  const stop = (reason: Failure) => {
    stopped ??= reason;
    killGroup(child.pid);
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
  const tooMuch = () =>
    stop(new Failure("ipam", `${what} printed more than ${OUTPUT_LIMIT_BYTES} bytes on standard output`));
  const stdout = new Output(OUTPUT_LIMIT_BYTES, tooMuch);
  const stderr = new Output(QUOTE_LIMIT_BYTES);
  const output = Promise.all([
    stdout.collect(child.stdout),
    stderr.collect(child.stderr, (chunk) => passOn(chunk)),
  ]);
  await child.exited;
  await Promise.race([output, Bun.sleep(DRAIN_MS)]);
  clearTimeout(timer);
  if (stopped !== undefined) throw stopped;
  if (child.exitCode === 0) return stdout.text();
  const ending = child.exitCode === null ? `signal: ${child.signalCode}` : `exit status ${child.exitCode}`;
  throw diagnose(stdout.text().trim(), stderr.text().trim(), ending, what);
}

type Child = Bun.Subprocess<Uint8Array, "pipe", "pipe">;

function spawn(path: string, options: DelegateOptions, command: string): Child {
  for (let attempt = 1; ; attempt++) {
    try {
      return Bun.spawn([path], {
        env: environmentOf(options.variables, command),
        stdin: options.stdin,
        stdout: "pipe",
        stderr: "pipe",
        // A process group of its own, so that what the plugin starts can be stopped with it.
        detached: true,
      });
    } catch (thrown) {
      const { code, errno } = thrown as { code?: unknown; errno?: unknown };
      // An installer is writing the file at this very moment; it will be done soon.
      if (code === "ETXTBSY" && attempt < BUSY_TRIES) {
        sleep(options.busyPauseMs ?? BUSY_PAUSE_MS);
        continue;
      }
      const reason = typeof errno === "number" ? errnoText(Math.abs(errno)) : messageOf(thrown);
      throw new NotStarted(code === "ETXTBSY" ? "busy" : "ipam", `cannot execute ${path}: ${reason}`, {
        remedy: code === "ETXTBSY" ? "try again when the plugin's installation is complete" : undefined,
      });
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

  async collect(stream: ReadableStream<Uint8Array>, each?: (chunk: Uint8Array) => void): Promise<void> {
    for await (const chunk of stream) {
      each?.(chunk);
      const room = this.#limitBytes - this.#lengthBytes;
      if (room > 0) this.#chunks.push(chunk.subarray(0, room));
      this.#lengthBytes += chunk.length;
      if (this.#lengthBytes > this.#limitBytes) this.#onLimit?.();
    }
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
    else if (put === -EAGAIN || put === -EINTR) sleep(1);
    else return;
  }
}

/** The error of a plugin that failed: its own document, or the reference library's sentences for what it left. */
function diagnose(stdout: string, stderr: string, ending: string, what: string): Failure {
  const details = `${what}: ${ending}`;
  if (stdout !== "") return diagnoseOutput(stdout, details);
  if (stderr !== "") return new Failure("ipam", `netplugin failed: ${quote(stderr)}: ${ending}`, { details });
  return new Failure("ipam", `netplugin failed with no error message: ${ending}`, { details });
}

function diagnoseOutput(stdout: string, details: string): Failure {
  const refuse = (reason: string) =>
    new Failure(
      "ipam",
      `netplugin failed but error parsing its diagnostic message ${quote(stdout)}: ${reason}`,
      { details },
    );
  let document: unknown;
  try {
    document = parseJson(stdout);
  } catch (thrown) {
    return refuse(messageOf(thrown));
  }
  if (!isObject(document)) return refuse("not an object");
  const { code, msg, details: said } = fold(document);
  if (typeof msg !== "string" || msg === "") return refuse("no msg");
  return new Failure("ipam", msg, {
    details: typeof said === "string" ? said : undefined,
    code: typeof code === "number" && Number.isSafeInteger(code) && code >= 0 ? code : undefined,
  });
}

function quote(text: string): string {
  return JSON.stringify(text.length <= QUOTE_LIMIT_BYTES ? text : `${text.slice(0, QUOTE_LIMIT_BYTES)}...`);
}
