import { Failure, type FailureKind, messageOf } from "../error.ts";
import type { Ipam, ValidAttachment } from "../ipam/ipam.ts";
import { statx } from "../linux/libc.ts";
import type { Result } from "../net/result.ts";
import { type Execution, execute, kindOf, NotStarted, quote, Rejection } from "./execute.ts";
import type { Command } from "./gate.ts";
import { fold, isObject, parseJson } from "./json.ts";
import { isPluginName } from "./name.ts";
import type { CniVersion } from "./version.ts";

export interface DelegateOptions {
  /** The file's name. */
  type: string;
  /** CNI_PATH. */
  path: string;
  cniVersion: CniVersion;
  execution: Execution;
}

/** An IPAM plugin of CNI_PATH, executed as spec section 4 ("Plugin Delegation") demands. */
export function delegate(options: DelegateOptions): Ipam {
  const run = (command: Command) =>
    execute(findPlugin(options.type, options.path), command, options.execution);
  return {
    add: () => add(options),
    del: async () => void (await run("DEL")),
    check: async () => void (await run("CHECK")),
    status: () => askNewcomer(options, "STATUS"),
    gc: (alsoValid = []) =>
      askNewcomer(alsoValid.length === 0 ? options : extended(options, alsoValid), "GC"),
  };
}

/** The same with further attachments that are valid, where the runtime named some at all. */
function extended(options: DelegateOptions, alsoValid: ValidAttachment[]): DelegateOptions {
  const config = fold(parseJson(Buffer.from(options.execution.stdin).toString()) as object);
  const more = alsoValid.map(({ containerId, ifName }) => ({ containerID: containerId, ifname: ifName }));
  for (const key of ["cni.dev/valid-attachments", "cni.dev/attachments"]) {
    const valid = config[key];
    if (Array.isArray(valid)) config[key] = [...valid, ...more];
  }
  const stdin = Buffer.from(JSON.stringify(config));
  return { ...options, execution: { ...options.execution, stdin } };
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
  const path = findPlugin(options.type, options.path);
  try {
    const stdout = await execute(path, "ADD", options.execution);
    return readResult(stdout, path, options);
  } catch (thrown) {
    if (!(thrown instanceof NotStarted)) {
      try {
        await execute(path, "DEL", options.execution);
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
  const { parseResult } = require("./result-in.ts") as typeof import("./result-in.ts");
  return parseResult(value, { assume: cniVersion, name: `result of ${path}`, kind: "ipam" });
}

/**
 * STATUS or GC, which came with spec 1.1.0: a plugin from before may answer with any error. Then its VERSION tells
 * whether it can be used at all: one that does not speak the configuration's version would refuse ADD too, so
 * STATUS says so, and has nothing that GC could ask for.
 */
async function askNewcomer(options: DelegateOptions, command: "STATUS" | "GC"): Promise<void> {
  const path = findPlugin(options.type, options.path, kindOf(command));
  try {
    await execute(path, command, options.execution);
  } catch (thrown) {
    if (!(thrown instanceof Rejection)) throw thrown;
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
    const answer = parseJson(await execute(path, "VERSION", options.execution));
    const versions = isObject(answer) ? fold(answer).supportedversions : undefined;
    if (Array.isArray(versions) && versions.every((item) => typeof item === "string")) return versions;
  } catch {
    // Not even VERSION: the error it gave first stands.
  }
  return undefined;
}

const AT_FDCWD = -100;
const STATX_TYPE = 1;
const S_IFMT = 0o170000;
const S_IFREG = 0o100000;

/**
 * The first regular file of that name in `path`, which is CNI_PATH; an empty element of it is the working directory.
 * Throws a `config` Failure for what is no name, a Failure of that kind when there is no such file.
 */
export function findPlugin(type: string, path: string, kind: FailureKind = "ipam"): string {
  if (type === "") throw new Failure("config", "no plugin name provided");
  if (!isPluginName(type))
    throw new Failure("config", `invalid plugin name: ${type}`, {
      remedy: "ipam.type must be the name of a file in CNI_PATH",
    });
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
