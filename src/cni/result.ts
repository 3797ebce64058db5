import * as v from "valibot";
import { Failure, type FailureKind } from "../error.ts";
import { formatAddress, formatPrefix, type IpAddress, parseAddress, parsePrefix } from "../net/ip.ts";
import {
  type Dns,
  emptyResult,
  type Interface,
  type IpConfig,
  isDnsEmpty,
  type Result,
  type Route,
} from "../net/result.ts";
import { formatJson } from "./json.ts";
import { arrayOf, integer, object, objectOf, show, text, texts, validate } from "./schema.ts";
import { type CniVersion, isSupported } from "./version.ts";

/** Two layouts came before today's: one address a family; then addresses that say their family. */
type Layout = "one-per-family" | "with-version" | "current";

const LAYOUTS: Record<CniVersion, Layout> = {
  "0.1.0": "one-per-family",
  "0.2.0": "one-per-family",
  "0.3.0": "with-version",
  "0.3.1": "with-version",
  "0.4.0": "with-version",
  "1.0.0": "current",
  "1.1.0": "current",
};

/** True when a result of this version can be without an address (spec 0.3.0 and newer). */
export function allowsNoAddress(version: CniVersion): boolean {
  return LAYOUTS[version] !== "one-per-family";
}

/** The first that says anything: the configuration's, else IPAM's, else the previous plugin's. */
export function firstDns(...candidates: (Dns | undefined)[]): Dns {
  return candidates.find((dns) => dns !== undefined && !isDnsEmpty(dns)) ?? {};
}

// ---------------------------------------------------------------------------------------------------------------
// Reading

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

// ---------------------------------------------------------------------------------------------------------------
// Writing

/**
 * The result as JSON of that version, the reference's key order included. What the version cannot express is left
 * out; throws a `config` Failure when that is everything (0.1.0 and 0.2.0 need an address).
 */
export function formatResult(result: Result, version: CniVersion): string {
  switch (LAYOUTS[version]) {
    case "one-per-family":
      return formatJson(toOnePerFamily(result, version));
    case "with-version":
      return formatJson(toWithVersion(result, version));
    case "current":
      return formatJson(toCurrent(result, version));
  }
}

function toOnePerFamily({ ips, routes, dns }: Result, version: CniVersion): object {
  const ofFamily = (family: 4 | 6) => {
    const ip = ips.find(({ address }) => address.family === family);
    return (
      ip && {
        ip: formatPrefix(ip.address),
        gateway: ip.gateway && formatAddress(ip.gateway),
        routes: filled(
          routes
            .filter(({ dst }) => dst.family === family)
            .map(({ dst, gw }) => ({ dst: formatPrefix(dst), gw: gw && formatAddress(gw) })),
        ),
      }
    );
  };
  const ip4 = ofFamily(4);
  const ip6 = ofFamily(6);
  if (ip4 === undefined && ip6 === undefined)
    throw new Failure("config", "cannot convert: no valid IP addresses", {
      details: `a result of cniVersion ${version} must have an address`,
      remedy: "set cniVersion to 0.3.0 or newer",
    });
  return { cniVersion: version, ip4, ip6, dns: toDns(dns) };
}

function toWithVersion({ interfaces, ips, routes, dns }: Result, version: CniVersion): object {
  return {
    cniVersion: version,
    interfaces: filled(
      interfaces.map(({ name, mac, sandbox }) => ({
        name,
        mac: mac || undefined,
        sandbox: sandbox || undefined,
      })),
    ),
    ips: filled(
      ips.map((ip) => ({
        version: String(ip.address.family),
        interface: ip.interface,
        address: formatPrefix(ip.address),
        gateway: ip.gateway && formatAddress(ip.gateway),
      })),
    ),
    routes: filled(
      routes.map(({ dst, gw, mtu, advmss, priority, table, scope }) => ({
        dst: formatPrefix(dst),
        gw: gw && formatAddress(gw),
        mtu: mtu || undefined,
        advmss: advmss || undefined,
        priority: priority || undefined,
        table,
        scope,
      })),
    ),
    dns: toDns(dns),
  };
}

/** Keys in alphabetical order: so the reference prints them since spec 1.0. */
function toCurrent({ interfaces, ips, routes, dns }: Result, version: CniVersion): object {
  const { domain, nameservers, options, search } = toDns(dns);
  return {
    cniVersion: version,
    dns: isDnsEmpty(dns) ? undefined : { domain, nameservers, options, search },
    interfaces: filled(
      interfaces.map(({ mac, mtu, name, pciID, sandbox, socketPath }) => ({
        mac: mac || undefined,
        mtu: mtu || undefined,
        name,
        pciID: pciID || undefined,
        sandbox: sandbox || undefined,
        socketPath: socketPath || undefined,
      })),
    ),
    ips: filled(
      ips.map((ip) => ({
        address: formatPrefix(ip.address),
        gateway: ip.gateway && formatAddress(ip.gateway),
        interface: ip.interface,
      })),
    ),
    routes: filled(
      routes.map(({ advmss, dst, gw, mtu, priority, scope, table }) => ({
        advmss: advmss || undefined,
        dst: formatPrefix(dst),
        gw: gw && formatAddress(gw),
        mtu: mtu || undefined,
        priority: priority || undefined,
        scope,
        table,
      })),
    ),
  };
}

function toDns({ nameservers, domain, search, options }: Dns) {
  return {
    nameservers: filled(nameservers),
    domain: domain || undefined,
    search: filled(search),
    options: filled(options),
  };
}

/** Arrays that are empty are not printed. */
function filled<Item>(items: Item[] | undefined): Item[] | undefined {
  return items?.length ? items : undefined;
}
