import type * as v from "valibot";
import { Failure, messageOf } from "../error.ts";
import type { ValidAttachment } from "../ipam/ipam.ts";
import type { EndpointConfig } from "../ipvlan/call.ts";
import { plainBool, plainObject, plainText } from "../net/plain.ts";
import type { Dns, Result } from "../net/result.ts";
import { decodeUtf8, show } from "../text.ts";
import type { Command } from "./gate.ts";
import { type Fields, fold, isObject, parseJson } from "./json.ts";
import { isIdentifier, isPluginName } from "./name.ts";
import { isSelection, optionsIn } from "./option-keys.ts";
import { allowsNoAddress } from "./result.ts";
import type { CniVersion } from "./version.ts";

/** A configuration of which only what every verb needs has been looked at. */
export interface RawConfig {
  name: string;
  /** The top level, keys in lower case. */
  fields: Fields;
  /** What came on standard input, for plugins that are called in turn. */
  bytes: Uint8Array;
}

/** The `ipam` section. `fields` has its keys in lower case; deeper levels are as written. */
export interface IpamSection {
  type: string;
  fields: Fields;
}

/** A network configuration, valid for one verb. */
export interface NetworkConfig {
  cniVersion: CniVersion;
  name: string;
  endpoint: EndpointConfig;
  /** undefined: nobody gives addresses. */
  ipam: IpamSection | undefined;
  dns: Dns;
  prevResult: Result | undefined;
  /** Capability arguments, keys in lower case; {} when there are none. */
  runtimeConfig: Fields;
  /** `args`, keys in lower case; {} when there are none. */
  args: Fields;
  validAttachments: ValidAttachment[] | undefined;
  /** The namespace of a master that came from prevResult. */
  masterSandbox?: string | undefined;
  bytes: Uint8Array;
}

/**
 * Decodes the bytes of standard input as far as every verb needs them. Throws Failures with the reference's texts:
 * `decode` (code 6) when it is no JSON object, `config` (code 7) for the network's name.
 */
export function decodeConfig(bytes: Uint8Array): RawConfig {
  const fields = decodeObject(bytes);
  const name = decodeText(fields.name, "error unmarshall network config: name");
  if (name === "") throw new Failure("config", "missing network name");
  if (!isIdentifier(name))
    throw new Failure("config", "invalid characters found in network name", { details: name });
  return { name, fields, bytes };
}

/** The configuration's version as written, "0.1.0" when none is. Throws a `decode` Failure when it is no string. */
export function decodeVersion({ fields }: RawConfig): string {
  return decodeText(fields.cniversion, "decoding version from network config: cniVersion") || "0.1.0";
}

function decodeObject(bytes: Uint8Array): Fields {
  let value: unknown;
  try {
    value = parseJson(decodeUtf8(bytes));
  } catch (thrown) {
    throw new Failure("decode", `error unmarshall network config: ${messageOf(thrown)}`);
  }
  // null decodes to "nothing set", as in every plugin written in Go; the missing name is reported then.
  if (value === null) return fold({});
  if (isObject(value)) return fold(value);
  throw new Failure("decode", `error unmarshall network config: must be an object, not ${show(value)}`);
}

function decodeText(value: unknown, name: string): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value;
  throw new Failure("decode", `${name} must be a string, not ${show(value)}`);
}

/**
 * Validates the configuration for `command`. Throws a `config` Failure (code 7), or `unsupported` (code 2) for what
 * ipvlan cannot do; for STATUS both are `unavailable` (code 50), because they say that an ADD would fail.
 */
export function networkConfig(raw: RawConfig, cniVersion: CniVersion, command: Command): NetworkConfig {
  try {
    return readConfig(raw, cniVersion, command);
  } catch (thrown) {
    throw forVerb(command, thrown);
  }
}

/** What is wrong with a configuration, as the verb says it. */
function forVerb(command: Command, thrown: unknown): unknown {
  if (command !== "STATUS" || !(thrown instanceof Failure)) return thrown;
  const { message, details, remedy, path } = thrown;
  return new Failure("unavailable", message, { details, remedy, path });
}

/**
 * ADD refuses whatever is wrong before it touches anything. CHECK compares the endpoint with its configuration and
 * result. STATUS answers whether ADD would work. DEL and GC must clean up with a configuration that has changed or
 * never worked, so nothing but the network's name can stop them: a wrong value counts as absent.
 */
function readConfig(raw: RawConfig, cniVersion: CniVersion, command: Command): NetworkConfig {
  const { fields } = raw;
  const strict = command !== "DEL" && command !== "GC";
  // dns, runtimeConfig: what only shapes a new attachment.
  const strictForNew = command === "ADD" || command === "STATUS";
  const ipam = readIpam(fields, strict);
  const config: NetworkConfig = {
    cniVersion,
    name: raw.name,
    endpoint: readEndpoint(fields, strict),
    ipam: ipam === undefined || ipam.type === "" ? undefined : ipam,
    dns: read<Dns>(fields.dns, "dns", unrecognised, ({ dnsSchema }) => dnsSchema(), strictForNew) ?? {},
    prevResult: readPrevResult(fields.prevresult, cniVersion, command),
    runtimeConfig: readObject(fields.runtimeconfig, "runtimeConfig", strictForNew),
    args: readObject(fields.args, "args", false),
    validAttachments: command === "GC" ? readValidAttachments(fields) : undefined,
    bytes: raw.bytes,
  };
  if (strictForNew) refuseMac(config.runtimeConfig);
  if (command === "ADD") {
    refuseNoAddress(config, ipam !== undefined);
    const { master, options } = config.endpoint;
    if (master === undefined && options?.masters === undefined) takeChainedMaster(config);
  }
  if (command === "CHECK" && config.prevResult === undefined)
    throw new Failure("config", "Required prevResult missing", {
      remedy: "CHECK needs the result of the ADD in prevResult",
    });
  return config;
}

/** What an IPAM plugin is configured with. */
export type IpamConfig = Omit<NetworkConfig, "endpoint" | "dns" | "bytes">;

/**
 * What concerns an IPAM plugin of a configuration whose other keys are another plugin's. Throws as `networkConfig`
 * does.
 */
export function ipamConfig(raw: RawConfig, cniVersion: CniVersion, command: Command): IpamConfig {
  try {
    return readIpamConfig(raw, cniVersion, command);
  } catch (thrown) {
    throw forVerb(command, thrown);
  }
}

function readIpamConfig(raw: RawConfig, cniVersion: CniVersion, command: Command): IpamConfig {
  const { fields } = raw;
  const isTold = command === "ADD" || command === "CHECK" || command === "STATUS";
  const section = read(fields.ipam, "ipam", plainObject, ({ object }) => object, isTold);
  if (section === undefined && isTold) throw new Failure("config", "IPAM config missing 'ipam' key");
  return {
    cniVersion,
    name: raw.name,
    ipam: { type: "", fields: section ?? fold({}) },
    prevResult: command === "CHECK" ? readPrevResult(fields.prevresult, cniVersion, command) : undefined,
    runtimeConfig: readObject(fields.runtimeconfig, "runtimeConfig", command === "ADD"),
    args: readObject(fields.args, "args", false),
    validAttachments: command === "GC" ? readValidAttachments(fields) : undefined,
  };
}

type Schemas = typeof import("./config-schema.ts");

/**
 * The valid value; undefined when it is absent, or wrong and that may be. The schemas are loaded when `plain` does not
 * recognise the value.
 */
function read<Output>(
  value: unknown,
  name: string,
  plain: (value: unknown) => Output | undefined,
  schema: (schemas: Schemas) => v.GenericSchema<unknown, Output>,
  strict: boolean,
  remedy?: string,
): Output | undefined {
  if (value === undefined || value === null) return undefined;
  const recognised = plain(value);
  if (recognised !== undefined) return recognised;
  const schemas = require("./config-schema.ts") as Schemas;
  if (strict) return schemas.validate(schema(schemas), value, name, "config", remedy);
  return schemas.tolerate(schema(schemas), value);
}

function readObject(value: unknown, name: string, strict: boolean): Fields {
  return read(value, name, plainObject, ({ object }) => object, strict) ?? fold({});
}

const unrecognised = () => undefined;

// ---------------------------------------------------------------------------------------------------------------
// The endpoint

function readEndpoint(fields: Fields, strict: boolean): EndpointConfig {
  const options = optionsIn(fields, strict);
  const master = isSelection(fields.master) ? undefined : fields.master;
  const endpoint: EndpointConfig = {
    master: read(master, "master", plainMaster, ({ masterSchema }) => masterSchema(), strict) || undefined,
    mode: read(fields.mode, "mode", plainMode, ({ modeSchema }) => modeSchema(), strict) || "l2",
    flag: read(fields.flag, "flag", plainFlag, ({ flagSchema }) => flagSchema(), strict) || "bridge",
    mtu:
      read(
        fields.mtu,
        "mtu",
        plainMtu,
        ({ mtuSchema }) => mtuSchema(),
        strict,
        "leave mtu out to use the master's, at most that is possible",
      ) || undefined,
    linkInContainer:
      read(fields.linkincontainer, "linkInContainer", plainBool, ({ bool }) => bool, strict) ?? false,
  };
  if (options !== undefined) endpoint.options = options;
  return endpoint;
}

function plainMaster(value: unknown): string | undefined {
  // Long ones have to be counted in bytes.
  const isShort = typeof value === "string" && value.length <= 15;
  return isShort && isPluginName(value) ? value : undefined;
}

function plainMode(value: unknown): "l2" | "l3" | "l3s" | undefined {
  return value === "l2" || value === "l3" || value === "l3s" ? value : undefined;
}

function plainFlag(value: unknown): "bridge" | "private" | "vepa" | undefined {
  return value === "bridge" || value === "private" || value === "vepa" ? value : undefined;
}

function plainMtu(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value >= 68 && value <= 65_535
    ? value
    : undefined;
}

/**
 * Gives a chained ADD that names no master the interface that the plugins before made, if that is one. Later verbs must
 * not ask: then prevResult holds this plugin's interface too.
 */
function takeChainedMaster(config: NetworkConfig): void {
  if (config.prevResult === undefined) return;
  const named = config.prevResult.interfaces.filter(({ name }) => name !== "");
  const [first] = named;
  if (named.length === 1 && first !== undefined) {
    config.endpoint.master = first.name;
    config.masterSandbox = first.sandbox;
    return;
  }
  const names = named.map(({ name }) => name);
  throw new Failure("config", "chained master failure. PrevResult lacks a single named interface", {
    details: `master is not set and prevResult.interfaces has ${names.length === 0 ? "none" : names.join(", ")}`,
    remedy: "set master to the name of the interface to use",
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Addresses

function readIpam({ ipam, type }: Fields, strict: boolean): IpamSection | undefined {
  const fields = read(ipam, "ipam", plainObject, ({ object }) => object, strict);
  if (fields === undefined) return undefined;
  const plain = (value: unknown) => {
    const name = plainText(value);
    return name !== undefined && isPluginName(name) && name !== type ? name : undefined;
  };
  const given = read(fields.type, "ipam.type", plain, ({ ipamTypeSchema }) => ipamTypeSchema(type), strict);
  return { type: given ?? "", fields };
}

function refuseNoAddress({ cniVersion, ipam, prevResult }: NetworkConfig, hasSection: boolean): void {
  if (ipam !== undefined || prevResult?.ips.length) return;
  if (!hasSection)
    throw new Failure(
      "config",
      'ipam is missing and prevResult brings no addresses: set ipam.type, or "ipam": {} for an L2-only endpoint',
    );
  if (!allowsNoAddress(cniVersion))
    throw new Failure(
      "config",
      `invalid cniVersion "${cniVersion}": its results cannot be without an address`,
      {
        remedy: "set ipam.type, or for an L2-only endpoint cniVersion 0.3.0 or newer",
      },
    );
}

/** DEL, GC and STATUS need the namespace and the store, not what ADD said of them. */
function readPrevResult(value: unknown, cniVersion: CniVersion, command: Command): Result | undefined {
  if (value === undefined || value === null || (command !== "ADD" && command !== "CHECK")) return undefined;
  const { parseResult } = require("./result-in.ts") as typeof import("./result-in.ts");
  return parseResult(value, { assume: cniVersion, name: "prevResult", kind: "config" });
}

function refuseMac(runtimeConfig: Fields): void {
  const { mac } = runtimeConfig;
  if (mac === undefined || mac === null || mac === "") return;
  throw new Failure(
    "unsupported",
    `unsupported runtimeConfig.mac ${show(mac)}: an ipvlan link has its master's MAC`,
    {
      remedy: 'remove "mac" from capabilities, or use macvlan',
    },
  );
}

// ---------------------------------------------------------------------------------------------------------------
// Garbage collection

/**
 * What is in use, for GC. Absent and null are undefined ("the runtime did not say"), which is not [] ("nothing is").
 * Strict even though GC is tolerant: an entry misread would free an address that is in use.
 */
function readValidAttachments(fields: Fields): ValidAttachment[] | undefined {
  const KEY = "cni.dev/valid-attachments";
  // The key's name before spec 1.1.0 was final; libcni still sends both.
  const OLD_KEY = "cni.dev/attachments";
  const name = fields[KEY] === undefined || fields[KEY] === null ? OLD_KEY : KEY;
  const found = read(
    fields[name],
    name,
    unrecognised,
    ({ validAttachmentsSchema }) => validAttachmentsSchema(),
    true,
  );
  return found?.map((item) => ({ containerId: item.containerid, ifName: item.ifname }));
}
