import { debug } from "../debug.ts";
import { refuseMode } from "../ipam/dhcp/mode.ts";
import { hostLocal } from "../ipam/host-local/host-local.ts";
import { HOST_CONTAINER_ID, type Ipam } from "../ipam/ipam.ts";
import type { IpamOptions } from "../ipam/options.ts";
import { type Fields, fold, isObject } from "../json.ts";
import { isYes } from "../text.ts";
import type { NetworkConfig } from "./config.ts";
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
  const isInside = (isBuiltIn(type) || type === "dhcp") && !wantsExternal(fields, variables);
  debug?.step("IPAM is chosen", {
    type,
    runs: isInside ? "inside this process" : "as a program of CNI_PATH",
  });
  if (isInside)
    return type === "dhcp"
      ? dhcpFor(config, environment)
      : builtIn(type as BuiltIn, optionsOf(config, environment));
  const { delegate, findPlugin } = require("./delegate.ts") as typeof import("./delegate.ts");
  if (environment.command === "ADD") findPlugin(type, environment.path);
  return delegate({
    type,
    path: environment.path,
    cniVersion: config.cniVersion,
    execution: { stdin: config.bytes, variables },
  });
}

/**
 * The same for the host's own endpoint of that name: what was asked for the container (addresses, arguments) is not asked
 * for it. undefined where the IPAM would give it the container's very addresses.
 */
export function hostIpamFor(
  config: NetworkConfig,
  environment: Environment,
  variables: Variables,
  name: string,
): Ipam | undefined {
  // A DHCP client talks over a link that is there already; the host's is not yet.
  if (config.ipam?.type === "static" || config.ipam?.type === "dhcp") return undefined;
  const identity = { CNI_CONTAINERID: HOST_CONTAINER_ID, CNI_IFNAME: name, CNI_ARGS: "" };
  return ipamFor(
    { ...config, args: fold({}), runtimeConfig: fold({}), bytes: withoutRequests(config.bytes) },
    { ...environment, containerId: HOST_CONTAINER_ID, ifName: name, args: "" },
    { ...variables, ...identity },
  );
}

function withoutRequests(bytes: Uint8Array): Uint8Array {
  const requests = ["args", "runtimeconfig", "prevresult"];
  const config = JSON.parse(Buffer.from(bytes).toString()) as object;
  const kept = Object.entries(config).filter(([key]) => !requests.includes(key.toLowerCase()));
  return Buffer.from(JSON.stringify(Object.fromEntries(kept)));
}

/** The program of that name in CNI_PATH is wanted, `"external": true` in `ipam` or IPVLAN_EXTERNAL_IPAM says. */
function wantsExternal({ external }: Fields, variables: Variables): boolean {
  return external === true || isYes(variables.IPVLAN_EXTERNAL_IPAM);
}

/** The IPAM of that name inside this program; the rarer one's code is loaded when it is asked for something. */
export function builtIn(type: BuiltIn, options: IpamOptions): Ipam {
  return type === "host-local" ? hostLocal(options) : loadedOnDemand(() => loadStatic(options));
}

/** An IPAM whose code is loaded when it is asked for something. */
function loadedOnDemand(load: () => Promise<Ipam>): Ipam {
  let loading: Promise<Ipam> | undefined;
  const ipam = () => {
    loading ??= load();
    return loading;
  };
  return {
    add: async () => (await ipam()).add(),
    del: async () => (await ipam()).del(),
    check: async () => (await ipam()).check(),
    status: async () => (await ipam()).status(),
    gc: async (alsoValid) => (await ipam()).gc(alsoValid),
  };
}

/** Addresses from a DHCP server. Throws when an ADD asks for what cannot work: then nothing has been touched yet. */
function dhcpFor(config: NetworkConfig, environment: Environment): Ipam {
  const { mode, mtu } = config.endpoint;
  if (environment.command === "ADD") refuseMode(mode);
  const options = { ...optionsOf(config, environment), mode, mtu };
  return loadedOnDemand(async () => (await import("../ipam/dhcp/dhcp.ts")).dhcp(options));
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
