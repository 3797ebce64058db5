import * as v from "valibot";
import { Failure } from "../error.ts";
import { isObject } from "../json.ts";
import { formatPrefix, type IpAddress, type IpPrefix, parseAddress, parsePrefix } from "../net/ip.ts";
import { arrayOf, text } from "../schema.ts";
import { show } from "../text.ts";

/**
 * What Podman and netavark say, key by key as they spell it. An absent field may be left out or null: netavark up to
 * 1.17 sends null, 2.x leaves out. Unknown fields are passed over.
 */
export interface Network {
  name: string;
  id: string;
  driver: string;
  internal: boolean;
  dns_enabled: boolean;
  network_interface: string | undefined;
  options: Record<string, string>;
  ipam_options: Record<string, string>;
  subnets: Subnet[];
  routes: Route[];
  network_dns_servers: IpAddress[];
}

export interface Subnet {
  subnet: IpPrefix;
  gateway: IpAddress | undefined;
  lease_range: { start_ip: IpAddress | undefined; end_ip: IpAddress | undefined } | undefined;
}

export interface Route {
  destination: IpPrefix;
  gateway: IpAddress | undefined;
  metric: number | undefined;
  route_type: string | undefined;
}

/** What belongs to one container on one network. A MAC address cannot be asked for: it is the parent's. */
export interface PerNetworkOptions {
  interface_name: string;
  static_ips: IpAddress[];
  /** Whether there is such a list at all: someone assigned addresses, be it none. */
  assigned: boolean;
  options: Record<string, string>;
}

const IP_SYNTAX = "invalid IP address syntax";
const METRIC_MAX = 0xffff_ffff;

const address = v.pipe(
  text,
  v.check((written) => parseAddress(written) !== undefined, IP_SYNTAX),
  v.transform((written) => parseAddress(written) as IpAddress),
);
const prefix = v.pipe(
  text,
  v.check((written) => parsePrefix(written) !== undefined, IP_SYNTAX),
  v.transform((written) => parsePrefix(written) as IpPrefix),
);
const optionalAddress = orUndefined(address);
const optionalText = orUndefined(text);
const flag = v.nullish(v.boolean("must be true or false"), false);
// A list is a record too, to valibot.
const texts = v.nullish(
  v.pipe(v.custom<object>(isObject, "must be an object of strings"), v.record(v.string(), text)),
  () => ({}),
);
const metric = v.pipe(
  v.number("must be an integer"),
  v.integer("must be an integer"),
  v.minValue(0, `must be from 0 to ${METRIC_MAX}`),
  v.maxValue(METRIC_MAX, `must be from 0 to ${METRIC_MAX}`),
);

/** Null counts as absent. */
function orUndefined<Schema extends v.GenericSchema>(schema: Schema) {
  return v.nullish(schema, () => undefined);
}

function listOf<Schema extends v.GenericSchema>(schema: Schema) {
  return v.nullish(arrayOf(schema), () => []);
}

function object<Entries extends v.ObjectEntries>(entries: Entries) {
  return v.object(entries, "must be an object");
}

const subnet = object({
  subnet: prefix,
  gateway: optionalAddress,
  lease_range: orUndefined(object({ start_ip: optionalAddress, end_ip: optionalAddress })),
});

/** One route. */
export const routeSchema = object({
  destination: prefix,
  gateway: optionalAddress,
  metric: orUndefined(metric),
  route_type: optionalText,
});

/** A network with all that its setup depends on. */
export const networkSchema: v.GenericSchema<unknown, Network> = object({
  name: text,
  id: text,
  driver: text,
  internal: flag,
  dns_enabled: flag,
  network_interface: optionalText,
  options: texts,
  ipam_options: texts,
  subnets: listOf(subnet),
  routes: listOf(routeSchema),
  network_dns_servers: listOf(address),
});

export const perNetworkSchema: v.GenericSchema<unknown, PerNetworkOptions> = v.pipe(
  object({ interface_name: text, static_ips: orUndefined(arrayOf(address)), options: texts }),
  v.transform(({ interface_name, static_ips, options }) => ({
    interface_name,
    static_ips: static_ips ?? [],
    assigned: static_ips !== undefined,
    options,
  })),
);

/** A JSON object by its keys, not looked into. Throws a `decode` Failure for anything else. */
export function objectAt(value: unknown, name: string): Record<string, unknown> {
  if (isObject(value)) return value as Record<string, unknown>;
  throw new Failure("decode", `invalid ${name} ${show(value)}: must be an object`);
}

/** A subnet as messages name it. */
export function subnetText({ subnet }: Subnet): string {
  return formatPrefix(subnet);
}
