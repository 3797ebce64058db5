import { decodeConfig, decodeVersion, type NetworkConfig, networkConfig } from "../../cni/config.ts";
import { gate } from "../../cni/gate.ts";
import { Failure } from "../../error.ts";
import { readDhcpConfig } from "../../ipam/dhcp/config.ts";
import { refuseMode } from "../../ipam/dhcp/mode.ts";
import { readConfig, readDataDir } from "../../ipam/host-local/config.ts";
import { type IpamOptions, NOTHING_ASKED } from "../../ipam/options.ts";
import { staticIpam } from "../../ipam/static.ts";
import { fold, isObject } from "../../json.ts";
import type { Findings } from "./finding.ts";
import { follow, type Located } from "./json.ts";
import { checkKeys } from "./keys.ts";
import type { Source } from "./source.ts";

/** What a plugin's object does not say itself. */
export interface Surroundings {
  /** Of the list around it, or of the attachment definition. */
  name?: unknown;
  cniVersion?: unknown;
  /** It is called after other plugins, whose result may bring addresses and a master. */
  isChained: boolean;
}

/** A configuration has at most so many wrong values that are worth telling. */
const ERRORS_MAX = 50;

/** Finds what an ADD would refuse in the configuration of an ipvlan plugin, and what has no effect. */
export function checkPlugin(
  plugin: Located,
  { name, cniVersion, isChained }: Surroundings,
  source: Source,
  findings: Findings,
): void {
  checkKeys(plugin, source, findings);
  const fields: Record<string, unknown> = { ...fold(plugin.value as object) };
  if (name !== undefined) fields.name = name;
  if (cniVersion !== undefined) fields.cniversion = cniVersion;
  if (isObject(fields.ipam)) fields.ipam = { ...fold(fields.ipam) };
  // The plugin stops at the first wrong value. It is told, taken out, and the rest is looked at again.
  for (let count = 0; count < ERRORS_MAX; count++) {
    const wrong = firstError(fields, isChained);
    if (wrong === undefined) return;
    const { failure, path } = wrong;
    // What is missing only because it has been taken out is no news.
    if (count > 0 && failure.path === undefined) return;
    const details = failure.details === undefined ? "" : ` (${failure.details})`;
    findings.add(
      "error",
      source.position(follow(plugin, path).at),
      failure.message + details,
      failure.remedy,
    );
    if (failure.path === undefined || !takeOut(fields, failure.path)) return;
  }
}

function takeOut(fields: Record<string, unknown>, path: string): boolean {
  const [first = "", second] = path.toLowerCase().split(/[.[]/);
  const inner = fields[first];
  if (first === "ipam" && second !== undefined && isObject(inner))
    return Reflect.deleteProperty(inner, second);
  return first in fields && Reflect.deleteProperty(fields, first);
}

interface Wrong {
  failure: Failure;
  /** The failure's own, or the part of the configuration that was looked at. */
  path: string;
}

function firstError(fields: Record<string, unknown>, isChained: boolean): Wrong | undefined {
  let stage = "name";
  try {
    const raw = decodeConfig(Buffer.from(JSON.stringify(fields)));
    stage = "cniVersion";
    const version = gate("ADD", decodeVersion(raw));
    stage = "";
    const config = networkConfig(raw, version, isChained ? "STATUS" : "ADD");
    stage = "ipam";
    if (config.ipam?.fields.external !== true)
      checkIpam(config, {
        network: config.name,
        cniVersion: version,
        config: config.ipam?.fields ?? {},
        attachment: { containerId: "validate", netns: "", ifName: "eth0" },
        ...NOTHING_ASKED,
      });
    return undefined;
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    return { failure: thrown, path: thrown.path ?? stage };
  }
}

function checkIpam({ ipam, endpoint }: NetworkConfig, options: IpamOptions): void {
  const type = ipam?.type;
  if (type === "host-local") {
    readConfig(options);
    readDataDir(options.config);
  }
  // It keeps no state: to ask for its addresses is to read its configuration.
  if (type === "static") staticIpam(options).add();
  if (type === "dhcp") {
    readDhcpConfig(options.config, options.network, options.attachment, options.cniArgs);
    refuseMode(endpoint.mode);
  }
}
