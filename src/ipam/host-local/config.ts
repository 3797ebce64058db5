import * as v from "valibot";
import { Failure } from "../../error.ts";
import { bitsOf, type IpAddress, type IpPrefix, parseAddress, parsePrefix } from "../../net/ip.ts";
import type { Route } from "../../net/result.ts";
import { checkAddressCount, readCniArgs } from "../args.ts";
import { address, fields, list, prefix, read, routes, text } from "../input.ts";
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
    addIssue({ message: `neither an address nor a prefix: ${dataset.value}` });
    return NEVER;
  }),
);

const rangeEntries = { rangestart: address, rangeend: address, gateway: address, exclude: list(exclusion) };
const range = fields({ subnet: prefix, ...rangeEntries });
const rangeSets = list(list(range));
const ipam = fields({
  subnet: v.optional(v.union([v.literal(""), prefix])),
  ...rangeEntries,
  ranges: rangeSets,
  routes,
  resolvconf: v.optional(text, ""),
});
const place = fields({ datadir: v.optional(text, "") });

/** The directory under which the network's own is; nothing else of the configuration need be right for it. */
export function readDataDir(config: object): string {
  return read(place, config, "ipam").datadir || DATA_DIR;
}

/** The whole configuration, checked in the reference's order. */
export function readConfig(options: IpamOptions): HostLocalConfig {
  const config = read(ipam, options.config, "ipam");
  const requested = readRequested(options);
  const runtimeSets = read(rangeSets, options.runtimeIpRanges ?? [], "runtimeConfig.ipRanges");
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
  const texts = [
    ...(IP === undefined || IP === "" ? [] : [IP]),
    ...read(list(text), argsIps ?? [], "args.cni.ips"),
    ...read(list(text), runtimeIps ?? [], "runtimeConfig.ips"),
  ];
  const requested: IpAddress[] = [];
  for (const given of texts) {
    const found = parseAddress(given) ?? parsePrefix(given);
    if (found === undefined)
      throw new Failure(given === IP ? "environment" : "config", `invalid IP address ${given}`);
    const { family, value } = found;
    if (!requested.some((one) => one.family === family && one.value === value))
      requested.push({ family, value });
  }
  return requested;
}
