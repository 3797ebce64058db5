import { Failure, messageOf } from "../error.ts";
import { isObject, parseJson } from "../json.ts";
import { statusOf } from "../linux/file.ts";
import type { StatusBlock } from "./attach.ts";

/** A plugin of `--plugin-directory`: it serves the networks whose driver has its file's name. */
export interface Plugin {
  name: string;
  path: string;
}

type Command = ["create"] | ["setup" | "teardown", netns: string];

/** A status block or a network; a megabyte is a thousand times either. */
const OUTPUT_LIMIT_BYTES = 1 << 20;
const EXECUTABLE_BY_ANYONE = 0o111;

/** The first executable file of that name in the directories; undefined when there is none. */
export function findPlugin(driver: string, directories: string[]): Plugin | undefined {
  // A driver's name comes out of a network's configuration: it must not lead out of the directories.
  if (driver === "" || driver.includes("/") || driver.includes("\0") || /^\.\.?$/.test(driver))
    return undefined;
  for (const directory of directories) {
    const path = `${directory}/${driver}`;
    if (isExecutable(path)) return { name: driver, path };
  }
  return undefined;
}

function isExecutable(path: string): boolean {
  try {
    const status = statusOf(path);
    return status?.type === "file" && (status.mode & EXECUTABLE_BY_ANYONE) !== 0;
  } catch {
    // A directory that cannot be looked into has no plugins for us.
    return false;
  }
}

/**
 * Runs the plugin and returns what it prints, as JSON where it has to (teardown need not print anything). Its standard
 * error is ours. Throws a Failure in netavark's words, or when it prints more than a megabyte. Nothing bounds its time: a plugin may wait for a lease.
 */
export function runPlugin(plugin: Plugin, command: Command, input: object): unknown {
  const { stdout, exitCode, exitedDueToMaxBuffer } = spawn(plugin, command, JSON.stringify(input));
  if (exitedDueToMaxBuffer) throw failure(plugin, `it printed more than ${OUTPUT_LIMIT_BYTES} bytes`);
  const output = stdout.toString();
  if (exitCode === 0) return command[0] === "teardown" ? undefined : decode(plugin, output);
  if (exitCode === null) throw failure(plugin, `plugin "${plugin.name}" killed by signal`);
  throw failure(plugin, errorOf(plugin, output, exitCode));
}

function spawn({ name, path }: Plugin, command: Command, input: string) {
  try {
    return Bun.spawnSync([path, ...command], {
      stdin: Buffer.from(input),
      stdout: "pipe",
      stderr: "inherit",
      env: withoutBunVariables(),
      maxBuffer: OUTPUT_LIMIT_BYTES,
      killSignal: "SIGKILL",
      // A terminal's interrupt goes to the process group; it shall not stop a removal halfway.
      detached: command[0] === "teardown",
    });
  } catch (thrown) {
    throw failure({ name, path }, `cannot execute ${path}: ${messageOf(thrown)}`);
  }
}

/** These would turn a plugin that is a Bun executable, as we are, into something else. */
function withoutBunVariables(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("BUN_")));
}

function decode(plugin: Plugin, output: string): unknown {
  try {
    return parseJson(output);
  } catch (thrown) {
    throw failure(plugin, `JSON Decoding error: ${messageOf(thrown)}`);
  }
}

function errorOf({ name }: Plugin, output: string, exitCode: number): string {
  const status = `exit code ${exitCode}`;
  try {
    const document = parseJson(output);
    if (isObject(document) && "error" in document && typeof document.error === "string")
      return `${status}, message: ${document.error}`;
    throw new TypeError('no "error" in it');
  } catch (thrown) {
    return `plugin "${name}": ${status}, parse error: ${messageOf(thrown)}`;
  }
}

function failure({ name }: Plugin, why: string): Failure {
  return new Failure("unavailable", `plugin "${name}" failed: ${why}`);
}

/** A plugin's answer to setup with the three keys that Podman reads, as netavark passes it on. */
export function readStatusBlock(plugin: Plugin, answer: unknown): StatusBlock {
  if (!isObject(answer)) throw failure(plugin, "JSON Decoding error: a status block must be an object");
  const { dns_search_domains, dns_server_ips, interfaces } = answer as Partial<StatusBlock>;
  return {
    dns_search_domains: dns_search_domains ?? null,
    dns_server_ips: dns_server_ips ?? null,
    interfaces: interfaces ?? null,
  };
}
