/** Calls a CNI plugin as a container runtime does. */

import { binary } from "../kernel/environment.ts";
import type { Output } from "./command.ts";
import type { Namespace } from "./namespace.ts";

export type Verb = "ADD" | "DEL" | "CHECK" | "STATUS" | "GC" | "VERSION";

export interface Call {
  /** The container: its namespace, or any path. */
  netns?: Namespace | string;
  containerId?: string;
  ifName?: string;
  /** CNI_ARGS */
  args?: string;
  /** CNI_PATH; by default the reference plugins, for IPAM. */
  path?: string;
  /** Another plugin than ours. */
  program?: string;
  /** A command that is given the plugin as its last argument, and runs it. */
  wrapper?: string[];
  /** Further variables; they win over those above, and undefined removes one. */
  environment?: Record<string, string | undefined>;
  timeoutMs?: number;
}

export interface Answer extends Output {
  /** stdout as JSON; undefined when it is empty or is no JSON. */
  json: unknown;
}

/** The releases of the reference plugins that there are to compare with. */
export type Release = "1.1.1" | "1.9.1";

/** The directory of the reference CNI plugins of a release. */
export function reference(release: Release): string {
  const cache = process.env.IPVLAN_REFERENCE;
  if (!cache) throw new Error("IPVLAN_REFERENCE is not set: start the tests with bun test/run.ts");
  return `${cache}/reference-${release}`;
}

/** Runs one verb in the namespace `host`; `config` goes to stdin, as JSON unless it is text already. */
export async function plugin(
  host: Namespace,
  verb: Verb,
  config: object | string,
  call: Call = {},
): Promise<Answer> {
  const target = typeof call.netns === "object" ? call.netns.path : call.netns;
  // STATUS, GC and VERSION concern no container; a runtime does not name one to them.
  const forContainer = verb === "ADD" || verb === "DEL" || verb === "CHECK";
  const wanted: Record<string, string | undefined> = {
    PATH: process.env.PATH,
    CNI_COMMAND: verb,
    CNI_CONTAINERID: forContainer ? (call.containerId ?? "container-1") : undefined,
    CNI_NETNS: target,
    CNI_IFNAME: forContainer ? (call.ifName ?? "eth0") : undefined,
    CNI_ARGS: call.args,
    CNI_PATH: call.path ?? reference("1.9.1"),
    ...call.environment,
  };
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(wanted)) if (value !== undefined) environment[name] = value;
  const output = await host.run([...(call.wrapper ?? []), call.program ?? binary], {
    stdin: typeof config === "string" ? config : JSON.stringify(config),
    environment,
    timeoutMs: call.timeoutMs ?? 30_000,
  });
  return { ...output, json: parsed(output.stdout) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
