import type * as v from "valibot";
import { Failure } from "../../error.ts";
import { fold, isObject } from "../../json.ts";
import { type IpAddress, parseAddress, parsePrefix } from "../../net/ip.ts";
import { plainAddress, plainList, plainPrefix, plainRoutes, plainText, plainTexts } from "../../net/plain.ts";
import type { Route } from "../../net/result.ts";
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

type Schemas = typeof import("./config-schema.ts");
type Fields = Schemas["FIELDS"];
type Config = { [Key in keyof Fields]?: v.InferOutput<ReturnType<Fields[Key]>> };

/** What recognises the usual values without a schema, by key, in the order of the checks. */
export const PLAIN: { [Key in keyof Fields]: (value: unknown) => Config[Key] | undefined } = {
  subnet: plainPrefix,
  rangestart: plainAddress,
  rangeend: plainAddress,
  gateway: plainAddress,
  exclude: () => undefined,
  ranges: plainSets,
  routes: plainRoutes,
  resolvconf: plainText,
};

function plainSets(value: unknown): RangeConfig[][] | undefined {
  return plainList(value, (set) => plainList(set, plainRange));
}

function plainRange(value: unknown): RangeConfig | undefined {
  if (!isObject(value)) return undefined;
  const range: { [Key in keyof RangeConfig]?: RangeConfig[Key] | undefined } = { exclude: [] };
  for (const [key, item] of Object.entries(value)) {
    const name = key.toLowerCase();
    if (name === "subnet") range.subnet = plainPrefix(item);
    else if (name === "rangestart" || name === "rangeend" || name === "gateway")
      range[name] = plainAddress(item);
    else return undefined;
    if (range[name] === undefined) return undefined;
  }
  return range.subnet === undefined ? undefined : (range as RangeConfig);
}

function readFields(config: object): Config {
  const fields = fold(config);
  const read: Record<string, unknown> = {};
  for (const [key, plain] of Object.entries(PLAIN)) {
    const value = fields[key];
    if (value === undefined || value === null) continue;
    read[key] = readAs<unknown>(value, "ipam", key, plain, ({ FIELDS }) => FIELDS[key as keyof Fields]());
  }
  return read;
}

/** The valid value of that key. The schemas are loaded when `plain` does not recognise it. */
function readAs<Output>(
  value: unknown,
  parent: string,
  key: string,
  plain: (value: unknown) => Output | undefined,
  schema: (schemas: Schemas) => v.GenericSchema<unknown, Output>,
): Output {
  const recognised = plain(value);
  if (recognised !== undefined) return recognised;
  const schemas = require("./config-schema.ts") as Schemas;
  const { SPELLING: spelling, validate } = schemas;
  return validate(schema(schemas), value, `${parent}.${spelling[key] ?? key}`, { spelling });
}

/** The directory under which the network's own is; nothing else of the configuration need be right for it. */
export function readDataDir(config: object): string {
  const { datadir } = fold(config);
  if (datadir === undefined || datadir === null) return DATA_DIR;
  return readAs(datadir, "ipam", "datadir", plainText, ({ text }) => text) || DATA_DIR;
}

/** The whole configuration, checked in the reference's order. */
export function readConfig(options: IpamOptions): HostLocalConfig {
  const config = readFields(options.config);
  const requested = readRequested(options);
  const runtimeSets =
    options.runtimeIpRanges === undefined || options.runtimeIpRanges === null
      ? []
      : readAs(options.runtimeIpRanges, "runtimeConfig", "ipRanges", plainSets, ({ rangeSets }) =>
          rangeSets(),
        );
  const { subnet, rangestart, rangeend, gateway, exclude = [], ranges = [], routes = [] } = config;
  const single: RangeConfig[][] = subnet ? [[{ subnet, rangestart, rangeend, gateway, exclude }]] : [];
  const sets = [...runtimeSets, ...single, ...ranges];
  if (sets.length === 0)
    throw new Failure("config", "no IP ranges specified", { remedy: 'give ipam a "subnet" or "ranges"' });
  // Beside `ranges`, a list of exclusions at the top has no subnet of its own: it is for all of them.
  const resolved = resolveSets(sets, subnet ? [] : exclude);
  const families: (4 | 6)[] = [];
  for (const set of resolved) families.push(set[0]!.subnet.family);
  checkAddressCount(families, options.cniVersion);
  return { sets: resolved, routes, resolvConf: config.resolvconf || undefined, requested };
}

/** Requested addresses in the order given, each once; a prefix length is read and not used. */
function readRequested({ cniArgs, argsIps, runtimeIps }: IpamOptions): IpAddress[] {
  if (cniArgs === "" && (argsIps ?? runtimeIps ?? undefined) === undefined) return [];
  const { IP } = readCniArgs(cniArgs, ["IP"]);
  const given = [
    ...(IP === undefined || IP === "" ? [] : [IP]),
    ...readTexts(argsIps, "args.cni"),
    ...readTexts(runtimeIps, "runtimeConfig"),
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

function readTexts(value: unknown, parent: string): string[] {
  if (value === undefined || value === null) return [];
  return readAs<string[] | null | undefined>(value, parent, "ips", plainTexts, ({ texts }) => texts) ?? [];
}

function notAnAddress(given: string, isFromArgs: boolean): Failure {
  const message = `invalid IP address ${given}`;
  return isFromArgs
    ? new Failure("environment", `ARGS: error parsing value of pair "IP=${given}": ${message}`)
    : new Failure("config", message);
}
