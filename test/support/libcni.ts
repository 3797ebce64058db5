/**
 * Drives plugins the way libcni does, which is how containerd, CRI-O and Podman drive them: all six variables always
 * there even when empty, configurations with sorted keys, `prevResult` handed from plugin to plugin and kept for CHECK
 * and DEL, `runtimeConfig` from capabilities (which stay in), DEL in reverse, errors read from standard output.
 */

import { command } from "./command.ts";
import type { Namespace } from "./namespace.ts";

export interface PluginConfig {
  type: string;
  capabilities?: Record<string, boolean>;
  [key: string]: unknown;
}

/** A network as in a .conflist file. */
export interface NetworkList {
  cniVersion: string;
  name: string;
  plugins: PluginConfig[];
}

/** What a runtime knows of one attachment. */
export interface Runtime {
  containerId: string;
  netns: string;
  ifName: string;
  args?: [string, string][];
  capabilityArgs?: Record<string, unknown>;
}

/** A plugin said no. */
export class PluginError extends Error {
  readonly code: number;
  readonly details: string;

  constructor({ code = 0, msg = "", details = "" }: { code?: number; msg?: string; details?: string }) {
    super(msg);
    this.code = code;
    this.details = details;
  }
}

type Json = Record<string, unknown>;

export class Libcni {
  private readonly host: Namespace;
  private readonly directories: string[];
  private readonly environment: Record<string, string>;
  private readonly cache = new Map<string, Json>();

  /** Plugins are looked for in `directories`; `environment` is the runtime's own. */
  constructor(host: Namespace, directories: string[], environment: Record<string, string> = {}) {
    this.host = host;
    this.directories = directories;
    this.environment = { PATH: process.env.PATH ?? "", ...environment };
  }

  /** The versions a plugin speaks. */
  async versions(type: string): Promise<string[]> {
    const dummy = { containerId: "", netns: "dummy", ifName: "dummy" };
    const answer = await this.execute(type, "VERSION", { cniVersion: "1.1.0" }, dummy, ["dummy"]);
    return (answer as { supportedVersions: string[] }).supportedVersions;
  }

  async add(list: NetworkList, runtime: Runtime): Promise<Json> {
    let result: Json | undefined;
    for (const plugin of list.plugins) {
      result = (await this.execute(
        plugin.type,
        "ADD",
        this.config(list, plugin, runtime, result),
        runtime,
      )) as Json;
      if (result === undefined) throw new Error(`${plugin.type} printed no result`);
    }
    this.cache.set(key(list, runtime), result as Json);
    return result as Json;
  }

  async check(list: NetworkList, runtime: Runtime): Promise<void> {
    const result = this.cache.get(key(list, runtime));
    for (const plugin of list.plugins)
      await this.execute(plugin.type, "CHECK", this.config(list, plugin, runtime, result), runtime);
  }

  async del(list: NetworkList, runtime: Runtime): Promise<void> {
    const result = this.cache.get(key(list, runtime));
    for (const plugin of list.plugins.toReversed())
      await this.execute(plugin.type, "DEL", this.config(list, plugin, runtime, result), runtime);
    this.cache.delete(key(list, runtime));
  }

  async status(list: NetworkList): Promise<void> {
    for (const plugin of list.plugins)
      await this.execute(plugin.type, "STATUS", this.config(list, plugin), nobody);
  }

  /** First a DEL for each attachment it knows that is not valid, then GC of every plugin. */
  async gc(list: NetworkList, valid: Runtime[]): Promise<void> {
    const attachments = valid.map(({ containerId, ifName }) => ({
      containerID: containerId,
      ifname: ifName,
    }));
    for (const plugin of list.plugins) {
      const config = this.config(list, plugin);
      config["cni.dev/valid-attachments"] = attachments;
      config["cni.dev/attachments"] = attachments;
      await this.execute(plugin.type, "GC", config, nobody);
    }
  }

  private config(list: NetworkList, plugin: PluginConfig, runtime?: Runtime, prevResult?: Json): Json {
    const config: Json = { ...plugin, name: list.name, cniVersion: list.cniVersion };
    if (prevResult !== undefined) config.prevResult = prevResult;
    const wanted = Object.entries(runtime?.capabilityArgs ?? {}).filter(
      ([name]) => plugin.capabilities?.[name],
    );
    if (wanted.length > 0) config.runtimeConfig = Object.fromEntries(wanted);
    return config;
  }

  private async execute(type: string, verb: string, config: Json, runtime: Runtime, path = this.directories) {
    const { exitCode, stdout, stderr } = await this.host.run([await this.find(type)], {
      stdin: JSON.stringify(sorted(config)),
      environment: {
        ...this.environment,
        CNI_COMMAND: verb,
        CNI_CONTAINERID: runtime.containerId,
        CNI_NETNS: runtime.netns,
        CNI_ARGS: (runtime.args ?? []).map((pair) => pair.join("=")).join(";"),
        CNI_IFNAME: runtime.ifName,
        CNI_PATH: path.join(":"),
      },
      timeoutMs: 60_000,
    });
    if (exitCode !== 0) {
      if (stdout === "") throw new PluginError({ msg: `netplugin failed: ${stderr}` });
      throw new PluginError(JSON.parse(stdout));
    }
    // Anything after the one document is an error, as in libcni.
    return stdout === "" ? undefined : (JSON.parse(stdout) as unknown);
  }

  private async find(type: string): Promise<string> {
    for (const directory of this.directories) {
      const { exitCode } = await command(["test", "-f", `${directory}/${type}`]);
      if (exitCode === 0) return `${directory}/${type}`;
    }
    throw new Error(`failed to find plugin ${type}`);
  }
}

const nobody: Runtime = { containerId: "", netns: "", ifName: "" };

function key(list: NetworkList, { containerId, ifName }: Runtime): string {
  return `${list.name}-${containerId}-${ifName}`;
}

/** Keys at every level in alphabetical order, as Go writes a map. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, item]) => [name, sorted(item)]),
  );
}
