import * as v from "valibot";
import { Failure, type FailureKind } from "../error.ts";
import { emptyResult, type Interface, type IpConfig, type Result } from "../net/result.ts";
import { dnsSchema, optionalAddress, prefix, present, routesSchema } from "../net/schema.ts";
import { show } from "../text.ts";
import { LAYOUTS } from "./result.ts";
import { arrayOf, integer, object, objectOf, text, validate } from "./schema.ts";
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

function onePerFamilySchema() {
  const ip = v.nullish(objectOf({ ip: prefix, gateway: optionalAddress, routes: routesSchema() }));
  return v.object({ ip4: ip, ip6: ip, dns: v.nullish(dnsSchema()) });
}

function fromOnePerFamily({ ip4, ip6, dns }: v.InferOutput<ReturnType<typeof onePerFamilySchema>>): Result {
  const both = [ip4, ip6].filter((ip) => ip !== null && ip !== undefined);
  return {
    interfaces: [],
    ips: both.map(({ ip, gateway }) => present<IpConfig>({ address: ip, gateway }, ["address", "gateway"])),
    routes: both.flatMap(({ routes }) => routes),
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
    routes: parsed.routes,
    dns: parsed.dns ?? {},
  };
}
