import * as v from "valibot";
import { Failure, messageOf } from "../error.ts";
import type { ValidAttachment } from "../ipam/ipam.ts";
import type { EndpointConfig } from "../ipvlan/call.ts";
import type { Dns, Result } from "../net/result.ts";
import { dnsSchema } from "../net/schema.ts";
import { decodeUtf8 } from "../text.ts";
import type { Command } from "./gate.ts";
import { type Fields, fold, isObject, parseJson } from "./json.ts";
import { isIdentifier, isPluginName } from "./name.ts";
import { isSelection, readOptions } from "./options.ts";
import { allowsNoAddress } from "./result.ts";
import { parseResult } from "./result-in.ts";
import { arrayOf, bool, integer, object, objectOf, show, text, validate } from "./schema.ts";
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

/** Which parts of a configuration a wrong value makes a verb fail; elsewhere a wrong value counts as absent. */
interface Strictness {
  endpoint: boolean;
  ipam: boolean;
  prevResult: boolean;
  /** dns, runtimeConfig: what only shapes a new attachment. */
  result: boolean;
}

/**
 * ADD refuses whatever is wrong before it touches anything. CHECK compares the endpoint with its configuration and
 * result. STATUS answers whether ADD would work. DEL and GC must clean up with a configuration that has changed or
 * never worked, so nothing but the network's name can stop them.
 */
const STRICT: Record<Command, Strictness> = {
  ADD: { endpoint: true, ipam: true, prevResult: true, result: true },
  CHECK: { endpoint: true, ipam: true, prevResult: true, result: false },
  STATUS: { endpoint: true, ipam: true, prevResult: false, result: true },
  DEL: { endpoint: false, ipam: false, prevResult: false, result: false },
  GC: { endpoint: false, ipam: false, prevResult: false, result: false },
};

/**
 * Validates the configuration for `command`. Throws a `config` Failure (code 7), or `unsupported` (code 2) for what
 * ipvlan cannot do; for STATUS both are `unavailable` (code 50), because they say that an ADD would fail.
 */
export function networkConfig(raw: RawConfig, cniVersion: CniVersion, command: Command): NetworkConfig {
  return forVerb(command, () => readConfig(raw, cniVersion, command));
}

function forVerb<Config>(command: Command, work: () => Config): Config {
  try {
    return work();
  } catch (thrown) {
    if (command !== "STATUS" || !(thrown instanceof Failure)) throw thrown;
    const { message, details, remedy, path } = thrown;
    throw new Failure("unavailable", message, { details, remedy, path });
  }
}

function readConfig(raw: RawConfig, cniVersion: CniVersion, command: Command): NetworkConfig {
  const { fields } = raw;
  const strict = STRICT[command];
  const ipam = readIpam(fields, strict.ipam);
  const config: NetworkConfig = {
    cniVersion,
    name: raw.name,
    endpoint: readEndpoint(fields, strict.endpoint),
    ipam: ipam === undefined || ipam.type === "" ? undefined : ipam,
    dns: read(fields.dns, "dns", dnsSchema, strict.result) ?? {},
    prevResult: readPrevResult(fields.prevresult, cniVersion, command),
    runtimeConfig: readObject(fields.runtimeconfig, "runtimeConfig", strict.result),
    args: readObject(fields.args, "args", false),
    validAttachments: command === "GC" ? readValidAttachments(fields) : undefined,
    bytes: raw.bytes,
  };
  if (command === "ADD" || command === "STATUS") refuseMac(config.runtimeConfig);
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
  return forVerb(command, () => readIpamConfig(raw, cniVersion, command));
}

function readIpamConfig(raw: RawConfig, cniVersion: CniVersion, command: Command): IpamConfig {
  const { fields } = raw;
  const isTold = command === "ADD" || command === "CHECK" || command === "STATUS";
  const section = read(fields.ipam, "ipam", () => object, isTold);
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

/** The valid value; undefined when it is absent, or wrong and that may be. `schema` is built only when needed. */
function read<Schema extends v.GenericSchema>(
  value: unknown,
  name: string,
  schema: () => Schema,
  strict: boolean,
  remedy?: string,
): v.InferOutput<Schema> | undefined {
  if (value === undefined || value === null) return undefined;
  if (strict) return validate(schema(), value, name, "config", remedy);
  const result = v.safeParse(schema(), value, { abortEarly: true });
  return result.success ? result.output : undefined;
}

function readObject(value: unknown, name: string, strict: boolean): Fields {
  return read(value, name, () => object, strict) ?? fold({});
}

// ---------------------------------------------------------------------------------------------------------------
// The endpoint

function readEndpoint(fields: Fields, strict: boolean): EndpointConfig {
  const options = readOptions(fields, strict);
  const master = isSelection(fields.master) ? undefined : fields.master;
  return {
    ...(options === undefined ? {} : { options }),
    master: read(master, "master", masterSchema, strict) || undefined,
    mode: read(fields.mode, "mode", modeSchema, strict) || "l2",
    flag: read(fields.flag, "flag", flagSchema, strict) || "bridge",
    mtu:
      read(
        fields.mtu,
        "mtu",
        mtuSchema,
        strict,
        "leave mtu out to use the master's, at most that is possible",
      ) || undefined,
    linkInContainer: read(fields.linkincontainer, "linkInContainer", () => bool, strict) ?? false,
  };
}

export const modeSchema = () => v.picklist(["l2", "l3", "l3s", ""], 'must be "l2", "l3" or "l3s"');
export const flagSchema = () =>
  v.picklist(["bridge", "private", "vepa", ""], 'must be "bridge", "private" or "vepa"');

/** An interface's name of up to 15 bytes or an alternative name of up to 127; "/" would lead sysfs paths astray. */
export const masterSchema = () =>
  v.pipe(
    text,
    v.check(
      (name) =>
        Buffer.byteLength(name) <= 127 &&
        !name.includes("/") &&
        !name.includes("\0") &&
        name !== "." &&
        name !== "..",
      "must be the name of an interface",
    ),
  );

/** 0 means "not set". 68 is the least an Ethernet-like link takes, 65535 the most; the master may allow less. */
export const mtuSchema = () =>
  v.pipe(
    integer,
    v.check((mtu) => mtu === 0 || (mtu >= 68 && mtu <= 65_535), "must be from 68 to 65535"),
  );

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
  const fields = read(ipam, "ipam", () => object, strict);
  if (fields === undefined) return undefined;
  return { type: read(fields.type, "ipam.type", () => ipamTypeSchema(type), strict) ?? "", fields };
}

/**
 * The configuration must not choose a program outside of the directories that the runtime names, nor the plugin
 * itself, whose DEL would execute itself without end.
 */
const ipamTypeSchema = (ownType: unknown) =>
  v.pipe(
    text,
    v.check(isPluginName, "must be the name of a file in CNI_PATH"),
    v.check((type) => type === "" || type !== ownType, "must be an IPAM plugin, not this one"),
  );

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

function readPrevResult(value: unknown, cniVersion: CniVersion, command: Command): Result | undefined {
  if (value === undefined || value === null || command === "STATUS" || command === "GC") return undefined;
  try {
    return parseResult(value, { assume: cniVersion, name: "prevResult", kind: "config" });
  } catch (thrown) {
    if (STRICT[command].prevResult) throw thrown;
    return undefined;
  }
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
  const schema = () => arrayOf(objectOf({ containerid: text, ifname: text }));
  return read(fields[name], name, schema, true)?.map((item) => ({
    containerId: item.containerid,
    ifName: item.ifname,
  }));
}
