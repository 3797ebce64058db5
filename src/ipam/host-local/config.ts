import * as v from "valibot";
import { Failure } from "../../error.ts";
import { bitsOf, type IpAddress, type IpPrefix, parseAddress, parsePrefix } from "../../net/ip.ts";
import type { Route } from "../../net/result.ts";
import { optionalAddress, prefix, routesSchema } from "../../net/schema.ts";
import { arrayOf, objectOf, text, texts, validate } from "../../schema.ts";
import { checkAddressCount, readCniArgs } from "../args.ts";
import type { IpamOptions } from "../options.ts";
import { type RangeConfig, type RangeSet, resolveSets } from "./range.ts";

/** Where leases are when the configuration does not say. */
export const DATA_DIR = "/var/lib/cni/networks";

/** What ADD and STATUS need to know. */
export interface HostLocalConfig {
  sets: RangeSet[];
  routes: Route[];
  resolvConf: string | undefined;
  requested: IpAddress[];
}

/** An address or a prefix; the address is a prefix of its full length. */
const exclusion = v.pipe(
  text,
  v.rawTransform(({ dataset, addIssue, NEVER }): IpPrefix => {
    const single = parseAddress(dataset.value);
    const found = single ? { ...single, length: bitsOf(single.family) } : parsePrefix(dataset.value);
    if (found !== undefined) return found;
    addIssue({ message: "must be an address or a prefix" });
    return NEVER;
  }),
);

const rangeEntries = {
  rangestart: optionalAddress,
  rangeend: optionalAddress,
  gateway: optionalAddress,
  exclude: v.nullish(arrayOf(exclusion), []),
};
const rangeSets = v.nullish(arrayOf(arrayOf(objectOf({ subnet: prefix, ...rangeEntries }))), []);
export const ipamSchema = () =>
  objectOf({
    // In the single range of old, "" is none.
    subnet: v.optional(v.union([v.literal(""), v.null(), prefix], 'must be a prefix, such as "10.1.2.0/24"')),
    ...rangeEntries,
    ranges: rangeSets,
    routes: routesSchema(),
    resolvconf: v.nullish(text),
  });

/** The directory under which the network's own is; nothing else of the configuration need be right for it. */
export function readDataDir(config: object): string {
  return validate(objectOf({ datadir: v.nullish(text) }), config, "ipam").datadir || DATA_DIR;
}

/** The whole configuration, checked in the reference's order. */
export function readConfig(options: IpamOptions): HostLocalConfig {
  const config = validate(ipamSchema(), options.config, "ipam");
  const requested = readRequested(options);
  const runtimeSets = validate(rangeSets, options.runtimeIpRanges, "runtimeConfig.ipRanges");
  const { subnet, rangestart, rangeend, gateway, exclude } = config;
  const single: RangeConfig[][] = subnet ? [[{ subnet, rangestart, rangeend, gateway, exclude }]] : [];
  const sets = [...runtimeSets, ...single, ...config.ranges];
  if (sets.length === 0)
    throw new Failure("config", "no IP ranges specified", { remedy: 'Give ipam a "subnet" or "ranges".' });
  // Beside `ranges`, a list of exclusions at the top has no subnet of its own: it is for all of them.
  const resolved = resolveSets(sets, subnet ? [] : exclude);
  const families = resolved.map((set) => set[0]!.subnet.family);
  checkAddressCount(families, options.cniVersion);
  return { sets: resolved, routes: config.routes, resolvConf: config.resolvconf || undefined, requested };
}

/** Requested addresses in the order given, each once; a prefix length is read and not used. */
function readRequested({ cniArgs, argsIps, runtimeIps }: IpamOptions): IpAddress[] {
  const { IP } = readCniArgs(cniArgs, ["IP"]);
  const given = [
    ...(IP === undefined || IP === "" ? [] : [IP]),
    ...(validate(texts, argsIps, "args.cni.ips") ?? []),
    ...(validate(texts, runtimeIps, "runtimeConfig.ips") ?? []),
  ];
  const requested: IpAddress[] = [];
  for (const one of given) {
    const found = parseAddress(one) ?? parsePrefix(one);
    if (found === undefined) throw notAnAddress(one, one === IP);
    const { family, value } = found;
    if (!requested.some((other) => other.family === family && other.value === value))
      requested.push({ family, value });
  }
  return requested;
}

function notAnAddress(given: string, isFromArgs: boolean): Failure {
  const message = `invalid IP address ${given}`;
  return isFromArgs
    ? new Failure("environment", `ARGS: error parsing value of pair "IP=${given}": ${message}`)
    : new Failure("config", message);
}
