import * as v from "valibot";
import { Failure, type FailureKind } from "../error.ts";
import { type IpAddress, parseAddress, parsePrefix } from "../net/ip.ts";
import {
  type Dns,
  emptyResult,
  type Interface,
  type IpConfig,
  type Result,
  type Route,
} from "../net/result.ts";
import { LAYOUTS } from "./result.ts";
import { arrayOf, integer, object, objectOf, show, text, texts, validate } from "./schema.ts";
import { type CniVersion, isSupported } from "./version.ts";

interface ParseOptions {
  /** The version of a result that does not say its own: the configuration's. */
  assume: CniVersion;
  /** Where the result stands, for error messages: "prevResult". */
  name: string;
  /** The kind of Failure that a wrong result is. */
  kind: FailureKind;
}

/**
 * Reads a result of any supported version, whatever the configuration's. null is an empty result. Fields that are
 * null, "" or (where 0 means "not set") 0 become absent. Throws a Failure that names the JSON path.
 */
export function parseResult(value: unknown, { assume, name, kind }: ParseOptions): Result {
  if (value === null) return emptyResult();
  const fields = validate(object, value, name, kind);
  const version = validate(v.nullish(text), fields.cniversion, `${name}.cniVersion`, kind) || assume;
  if (!isSupported(version))
    throw new Failure(kind, `unsupported CNI result version ${show(version)}`, {
      details: `in ${name}.cniVersion`,
    });
  return LAYOUTS[version] === "one-per-family"
    ? fromOnePerFamily(validate(onePerFamilySchema(), fields, name, kind))
    : fromCurrent(validate(currentSchema(), fields, name, kind));
}

/** A DNS section, as in results and configurations. */
export function dnsSchema() {
  const optionalText = v.nullish(text);
  return v.pipe(
    objectOf({ nameservers: texts, domain: optionalText, search: texts, options: texts }),
    v.transform(
      (dns): Dns =>
        present<Dns>({ ...dns, domain: dns.domain || undefined }, [
          "nameservers",
          "domain",
          "search",
          "options",
        ]),
    ),
  );
}

const prefix = v.pipe(
  text,
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const parsed = parsePrefix(dataset.value);
    if (parsed !== undefined) return parsed;
    addIssue({ message: 'must be an address with a prefix length, such as "10.1.2.3/24"' });
    return NEVER;
  }),
);

const optionalAddress = v.pipe(
  v.nullish(text, ""),
  v.rawTransform(({ dataset, addIssue }): IpAddress | undefined => {
    const parsed = parseAddress(dataset.value);
    if (parsed === undefined && dataset.value !== "") addIssue({ message: "must be an IP address" });
    return parsed;
  }),
);

function routesSchema() {
  const optionalInteger = v.nullish(integer);
  return v.nullish(
    arrayOf(
      objectOf({
        dst: prefix,
        gw: optionalAddress,
        mtu: optionalInteger,
        advmss: optionalInteger,
        priority: optionalInteger,
        table: optionalInteger,
        scope: optionalInteger,
      }),
    ),
  );
}

type ParsedRoutes = v.InferOutput<ReturnType<typeof routesSchema>>;

function toRoutes(routes: ParsedRoutes): Route[] {
  return (routes ?? []).map((route) =>
    present<Route>(
      {
        ...route,
        mtu: route.mtu || undefined,
        advmss: route.advmss || undefined,
        priority: route.priority || undefined,
      },
      ["dst", "gw", "mtu", "advmss", "priority", "table", "scope"],
    ),
  );
}

function onePerFamilySchema() {
  const ip = v.nullish(objectOf({ ip: prefix, gateway: optionalAddress, routes: routesSchema() }));
  return v.object({ ip4: ip, ip6: ip, dns: v.nullish(dnsSchema()) });
}

function fromOnePerFamily({ ip4, ip6, dns }: v.InferOutput<ReturnType<typeof onePerFamilySchema>>): Result {
  const both = [ip4, ip6].filter((ip) => ip !== null && ip !== undefined);
  return {
    interfaces: [],
    ips: both.map(({ ip, gateway }) => present<IpConfig>({ address: ip, gateway }, ["address", "gateway"])),
    routes: both.flatMap(({ routes }) => toRoutes(routes)),
    dns: dns ?? {},
  };
}

function currentSchema() {
  const optionalText = v.nullish(text);
  const optionalInteger = v.nullish(integer);
  return v.object({
    interfaces: v.nullish(
      arrayOf(
        objectOf({
          name: v.nullish(text, ""),
          mac: optionalText,
          mtu: optionalInteger,
          sandbox: optionalText,
          socketpath: optionalText,
          pciid: optionalText,
        }),
      ),
    ),
    // The "version" of old layouts is not looked at: the address itself says its family.
    ips: v.nullish(
      arrayOf(objectOf({ address: prefix, gateway: optionalAddress, interface: optionalInteger })),
    ),
    routes: routesSchema(),
    dns: v.nullish(dnsSchema()),
  });
}

function fromCurrent(parsed: v.InferOutput<ReturnType<typeof currentSchema>>): Result {
  return {
    interfaces: (parsed.interfaces ?? []).map((item) =>
      present<Interface>(
        {
          name: item.name,
          mac: item.mac || undefined,
          mtu: item.mtu || undefined,
          sandbox: item.sandbox || undefined,
          socketPath: item.socketpath || undefined,
          pciID: item.pciid || undefined,
        },
        ["name", "mac", "mtu", "sandbox", "socketPath", "pciID"],
      ),
    ),
    ips: (parsed.ips ?? []).map((ip) => present<IpConfig>(ip, ["address", "gateway", "interface"])),
    routes: toRoutes(parsed.routes),
    dns: parsed.dns ?? {},
  };
}

/** Those of the fields, in this order, that are neither null nor undefined. */
function present<T extends object>(
  fields: { [Key in keyof T]?: T[Key] | null | undefined },
  keys: (keyof T)[],
): T {
  const result: Partial<T> = {};
  for (const key of keys) {
    const value = fields[key];
    if (value !== null && value !== undefined) result[key] = value as T[typeof key];
  }
  return result as T;
}
