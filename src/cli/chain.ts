import { findPlugin } from "../cni/delegate.ts";
import { Failure, messageOf } from "../error.ts";
import { isObject } from "../json.ts";
import type { ByHand } from "./attachment.ts";

/** Where runtimes look for plugins when nobody says. */
export const PLUGIN_PATH = "/opt/cni/bin:/usr/lib/cni:/usr/libexec/cni";

export function pluginPath(): string {
  return process.env.CNI_PATH || PLUGIN_PATH;
}

/** ADD of each plugin in turn, each with the result of the one before. Undone when one of them fails. */
export function addChain(attachment: ByHand): unknown {
  let result: object | undefined;
  const done: Record<string, unknown>[] = [];
  for (const plugin of attachment.network.plugins) {
    done.unshift(plugin);
    try {
      const answer = callPlugin("ADD", attachment, plugin, result);
      result = isObject(answer) ? answer : undefined;
    } catch (thrown) {
      for (const each of done) forgive(() => callPlugin("DEL", attachment, each, result));
      throw thrown;
    }
  }
  return result;
}

/** DEL of each plugin, the last one first; all are tried. Throws the first failure. */
export function delChain(attachment: ByHand, result: object | undefined): void {
  const failures = attachment.network.plugins
    .toReversed()
    .map((plugin) => forgive(() => callPlugin("DEL", attachment, plugin, result)))
    .filter((failure) => failure !== undefined);
  if (failures.length > 0) throw failures[0];
}

export function checkChain(attachment: ByHand, result: object): void {
  for (const plugin of attachment.network.plugins) callPlugin("CHECK", attachment, plugin, result);
}

function forgive(work: () => void): unknown {
  try {
    work();
    return undefined;
  } catch (thrown) {
    return thrown;
  }
}

function callPlugin(
  command: "ADD" | "DEL" | "CHECK",
  attachment: ByHand,
  plugin: Record<string, unknown>,
  prevResult: object | undefined,
): unknown {
  const { network, containerId, netns, ifName } = attachment;
  const type = String(plugin.type ?? "");
  const path = type === "ipvlan" && attachment.isOurs ? process.execPath : programOf(type);
  const { capabilities, ...rest } = plugin;
  const runtimeConfig = wantedCapabilities(capabilities);
  const config = {
    ...rest,
    name: network.name,
    cniVersion: network.cniVersion,
    ...(runtimeConfig === undefined ? {} : { runtimeConfig }),
    ...(prevResult === undefined ? {} : { prevResult }),
  };
  const child = Bun.spawnSync([path], {
    stdin: Buffer.from(JSON.stringify(config)),
    stderr: "inherit",
    env: {
      ...process.env,
      CNI_COMMAND: command,
      CNI_CONTAINERID: containerId,
      CNI_NETNS: netns,
      CNI_IFNAME: ifName,
      CNI_PATH: pluginPath(),
    },
  });
  const output = child.stdout.toString();
  if (child.exitCode !== 0) throw refusal(`${command} of ${type}`, output, child.exitCode);
  if (output.trim() === "") return undefined;
  try {
    return JSON.parse(output);
  } catch (thrown) {
    throw new Failure("decode", `${command} of ${type} printed no JSON: ${messageOf(thrown)}`);
  }
}

/** Nothing need be installed to try this plugin. */
function programOf(type: string): string {
  try {
    return findPlugin(type, pluginPath());
  } catch (thrown) {
    if (type === "ipvlan") return process.execPath;
    throw thrown;
  }
}

function refusal(what: string, output: string, exitCode: number | null): Failure {
  try {
    const { code, msg, details } = JSON.parse(output) as { code?: number; msg?: string; details?: string };
    return new Failure("internal", `${what}: ${msg} (code ${code})`, { details });
  } catch {
    return new Failure("internal", `${what} ended with exit status ${exitCode}`, { details: output.trim() });
  }
}

/** Of CAP_ARGS, a JSON object, what the plugin says it takes. */
function wantedCapabilities(capabilities: unknown): Record<string, unknown> | undefined {
  const text = process.env.CAP_ARGS;
  if (!text || !isObject(capabilities)) return undefined;
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (thrown) {
    throw new Failure("environment", `CAP_ARGS is no JSON: ${messageOf(thrown)}`);
  }
  const wanted = Object.entries(capabilities).filter(([, wants]) => wants === true);
  return Object.fromEntries(
    wanted.flatMap(([name]) => {
      const value = (given as Record<string, unknown>)[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
