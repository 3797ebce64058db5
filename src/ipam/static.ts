import * as v from "valibot";
import { Failure } from "../error.ts";
import {
  formatAddress,
  type IpAddress,
  type IpPrefix,
  parseAddress,
  parsePrefix,
  prefixContains,
} from "../net/ip.ts";
import type { IpConfig, Result } from "../net/result.ts";
import { dnsSchema, optionalAddress, routesSchema } from "../net/schema.ts";
import { arrayOf, objectOf, text, texts, validate } from "../schema.ts";
import { checkAddressCount, readCniArgs } from "./args.ts";
import type { Ipam } from "./ipam.ts";
import type { IpamOptions } from "./options.ts";

export const ipamSchema = () =>
  objectOf({
    addresses: v.nullish(arrayOf(objectOf({ address: text, gateway: optionalAddress }))),
    routes: routesSchema(),
    dns: v.nullish(dnsSchema()),
  });

/** Addresses that the configuration names: the reference's `static`, in process. It keeps no state. */
export function staticIpam(options: IpamOptions): Ipam {
  return {
    add: () => resultOf(options),
    del: () => {},
    check: () => checkGateways(options),
    status: () => status(options),
    gc: () => {},
  };
}

function status(options: IpamOptions): void {
  try {
    resultOf(options);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure("unavailable", `static: ${error.message}`, { cause: error, remedy: error.remedy });
  }
}

function resultOf(options: IpamOptions): Result {
  const config = validate(ipamSchema(), options.config, "ipam");
  const configured = (config.addresses ?? []).map(({ address, gateway }) => ({
    address: parseCidr(address, "the 'address' field is expected to be in CIDR notation, got: "),
    gateway,
  }));
  const addresses = override(options, withCniArgs(configured, options.cniArgs));
  checkAddressCount(
    addresses.map(({ address }) => address.family),
    options.cniVersion,
  );
  return {
    interfaces: [],
    ips: addresses.map(
      ({ address, gateway }): IpConfig => ({ address, ...(gateway === undefined ? {} : { gateway }) }),
    ),
    routes: config.routes,
    dns: config.dns ?? {},
  };
}

interface Address {
  address: IpPrefix;
  gateway: IpAddress | undefined;
}

/** CNI_ARGS: `IP` adds addresses, `GATEWAY` is for each address whose subnet it lies in. */
function withCniArgs(configured: Address[], cniArgs: string): Address[] {
  const { IP, GATEWAY } = readCniArgs(cniArgs, ["IP", "GATEWAY"]);
  const added = split(IP).map((given) => ({
    address: parseCidr(given, "the 'ip' field is expected to be in CIDR notation, got: ", "environment"),
    gateway: undefined,
  }));
  const addresses: Address[] = [...configured, ...added];
  for (const given of split(GATEWAY)) {
    const gateway = parseAddress(given);
    if (gateway === undefined) throw new Failure("environment", `invalid gateway address: ${given}`);
    for (const one of addresses) if (prefixContains(one.address, gateway)) one.gateway = gateway;
  }
  return addresses;
}

function split(given: string | undefined): string[] {
  return given === undefined || given === "" ? [] : given.split(",");
}

/**
 * `args.cni.ips` stands for all of the above, and `runtimeConfig.ips` for that. A requested address keeps the gateway
 * of the address it takes the place of, where its subnet is the same.
 */
function override(options: IpamOptions, addresses: Address[]): Address[] {
  const replace = (given: unknown, where: string): Address[] | undefined => {
    const requested = validate(texts, given, where) ?? [];
    if (requested.length === 0) return undefined;
    return requested.map((one) => {
      const address = parseCidr(one, "an entry in the 'ips' field is NOT in CIDR notation, got: ");
      return { address, gateway: addresses.find((other) => sameNetwork(other.address, address))?.gateway };
    });
  };
  return (
    replace(options.runtimeIps, "runtimeConfig.ips") ?? replace(options.argsIps, "args.cni.ips") ?? addresses
  );
}

function sameNetwork(a: IpPrefix, b: IpPrefix): boolean {
  return a.length === b.length && prefixContains(a, b);
}

function parseCidr(given: string, sentence: string, kind: "config" | "environment" = "config"): IpPrefix {
  const found = parsePrefix(given);
  if (found !== undefined) return found;
  throw new Failure(kind, `${sentence}'${given}'`, {
    remedy: "write the address with its prefix length: 10.1.2.3/24",
  });
}

/** What prevResult has of our addresses must have our gateway. */
function checkGateways(options: IpamOptions): void {
  const { prevResult } = options;
  if (prevResult === undefined) throw new Failure("check", "Required prevResult missing");
  for (const { address, gateway } of resultOf(options).ips) {
    const found = prevResult.ips.find(
      (ip) => ip.address.family === address.family && ip.address.value === address.value,
    );
    const name = formatAddress(address);
    if (found === undefined) continue;
    if (found.gateway?.value === gateway?.value && found.gateway?.family === gateway?.family) continue;
    const text = (one: IpAddress | undefined) => (one === undefined ? "none" : formatAddress(one));
    throw new Failure(
      "check",
      `static: Failed to match addr ${name} on interface: gateway ${text(found.gateway)} in prevResult, ${text(gateway)} in the configuration`,
      { remedy: "the configuration was changed since ADD: DEL and ADD the container again" },
    );
  }
}
