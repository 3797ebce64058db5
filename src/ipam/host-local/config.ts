import * as v from "valibot";
import { Failure } from "../../error.ts";
import { fold } from "../../json.ts";
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
const exclusion = () =>
  v.pipe(
    text,
    v.rawTransform(({ dataset, addIssue, NEVER }): IpPrefix => {
      const single = parseAddress(dataset.value);
      const found = single ? { ...single, length: bitsOf(single.family) } : parsePrefix(dataset.value);
      if (found !== undefined) return found;
      addIssue({ message: "must be an address or a prefix" });
      return NEVER;
    }),
  );

const rangeSets = () => {
  const exclude = v.nullish(arrayOf(exclusion()), []);
  const range = { rangestart: optionalAddress, rangeend: optionalAddress, gateway: optionalAddress, exclude };
  return arrayOf(arrayOf(objectOf({ subnet: prefix, ...range })));
};

/** By key, in the order of the checks. Most configurations have two or three of them, and only these are built. */
export const FIELDS = {
  // In the single range of old, "" is none.
  subnet: () => v.union([v.literal(""), prefix], 'must be a prefix, such as "10.1.2.0/24"'),
  rangestart: () => optionalAddress,
  rangeend: () => optionalAddress,
  gateway: () => optionalAddress,
  exclude: () => arrayOf(exclusion()),
  ranges: rangeSets,
  routes: routesSchema,
  resolvconf: () => text,
};

type Config = { [Key in keyof typeof FIELDS]?: v.InferOutput<ReturnType<(typeof FIELDS)[Key]>> };

function readFields(config: object): Config {
  const fields = fold(config);
  const read: Record<string, unknown> = {};
  for (const [key, schema] of Object.entries(FIELDS)) {
    const value = fields[key];
    if (value !== undefined && value !== null)
      read[key] = validate<v.GenericSchema>(schema(), value, `ipam.${key}`);
  }
  return read;
}

/** The directory under which the network's own is; nothing else of the configuration need be right for it. */
export function readDataDir(config: object): string {
  const { datadir } = fold(config);
  if (datadir === undefined || datadir === null) return DATA_DIR;
  return validate(text, datadir, "ipam.datadir") || DATA_DIR;
}

/** The whole configuration, checked in the reference's order. */
export function readConfig(options: IpamOptions): HostLocalConfig {
  const config = readFields(options.config);
  const requested = readRequested(options);
  const runtimeSets =
    options.runtimeIpRanges === undefined || options.runtimeIpRanges === null
      ? []
      : validate(rangeSets(), options.runtimeIpRanges, "runtimeConfig.ipRanges");
  const { subnet, rangestart, rangeend, gateway, exclude = [], ranges = [], routes = [] } = config;
  const single: RangeConfig[][] = subnet ? [[{ subnet, rangestart, rangeend, gateway, exclude }]] : [];
  const sets = [...runtimeSets, ...single, ...ranges];
  if (sets.length === 0)
    throw new Failure("config", "no IP ranges specified", { remedy: 'give ipam a "subnet" or "ranges"' });
  // Beside `ranges`, a list of exclusions at the top has no subnet of its own: it is for all of them.
  const resolved = resolveSets(sets, subnet ? [] : exclude);
  const families = resolved.map((set) => set[0]!.subnet.family);
  checkAddressCount(families, options.cniVersion);
  return { sets: resolved, routes, resolvConf: config.resolvconf || undefined, requested };
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
