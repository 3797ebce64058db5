import type { Ipam } from "../ipam/ipam.ts";
import type { IpamOptions } from "../ipam/options.ts";
import { type Fields, fold, isObject } from "../json.ts";
import type { NetworkConfig } from "./config.ts";
import { delegate, findPlugin } from "./delegate.ts";
import type { Environment } from "./environment.ts";

type Variables = Record<string, string | undefined>;

/** IPAM plugins that are inside this program; the names are the reference's. */
export type BuiltIn = "host-local" | "static";

/** True for the name of an IPAM plugin that is inside this program. */
export function isBuiltIn(type: string): type is BuiltIn {
  return type === "host-local" || type === "static";
}

/**
 * Who gives the network's addresses; undefined when nobody does. `variables` are what a plugin that is executed gets.
 * Throws when an ADD could not find its plugin: then nothing has been touched yet. Every other verb has work to do
 * without it.
 */
export function ipamFor(
  config: NetworkConfig,
  environment: Environment,
  variables: Variables,
): Ipam | undefined {
  if (config.ipam === undefined) return undefined;
  const { type, fields } = config.ipam;
  if (isBuiltIn(type) && !wantsExternal(fields, variables))
    return builtIn(type, optionsOf(config, environment));
  if (environment.command === "ADD") findPlugin(type, environment.path);
  return delegate({
    type,
    path: environment.path,
    cniVersion: config.cniVersion,
    execution: { stdin: config.bytes, variables },
  });
}

/** The program of that name in CNI_PATH is wanted, `"external": true` in `ipam` or IPVLAN_EXTERNAL_IPAM says. */
function wantsExternal({ external }: Fields, variables: Variables): boolean {
  return external === true || /^(1|true)$/i.test(variables.IPVLAN_EXTERNAL_IPAM ?? "");
}

/** The IPAM of that name inside this program; its code is loaded when it is asked for something. */
export function builtIn(type: BuiltIn, options: IpamOptions): Ipam {
  let loaded: Promise<Ipam> | undefined;
  const load = () => {
    loaded ??= type === "static" ? loadStatic(options) : loadHostLocal(options);
    return loaded;
  };
  return {
    add: async () => (await load()).add(),
    del: async () => (await load()).del(),
    check: async () => (await load()).check(),
    status: async () => (await load()).status(),
    gc: async () => (await load()).gc(),
  };
}

async function loadHostLocal(options: IpamOptions): Promise<Ipam> {
  return (await import("../ipam/host-local/host-local.ts")).hostLocal(options);
}

async function loadStatic(options: IpamOptions): Promise<Ipam> {
  return (await import("../ipam/static.ts")).staticIpam(options);
}

type IpamInput = Pick<
  NetworkConfig,
  "name" | "cniVersion" | "ipam" | "args" | "runtimeConfig" | "prevResult" | "validAttachments"
>;

/** What an IPAM inside this program is told. */
export function optionsOf(config: IpamInput, environment: Environment): IpamOptions {
  const { containerId, netns, ifName } = environment;
  const { cni } = config.args;
  return {
    network: config.name,
    cniVersion: config.cniVersion,
    config: config.ipam?.fields ?? {},
    attachment: { containerId, netns, ifName },
    cniArgs: environment.args,
    argsIps: isObject(cni) ? fold(cni).ips : undefined,
    runtimeIps: config.runtimeConfig.ips,
    runtimeIpRanges: config.runtimeConfig.ipranges,
    prevResult: config.prevResult,
    validAttachments: config.validAttachments,
  };
}
