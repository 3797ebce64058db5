import { Failure } from "../error.ts";
import { formatAddress, formatPrefix } from "../net/ip.ts";
import { type Dns, isDnsEmpty, type Result } from "../net/result.ts";
import { formatJson } from "./json.ts";
import { LAYOUTS } from "./result.ts";
import type { CniVersion } from "./version.ts";

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
  return {
    cniVersion: version,
    dns: isDnsEmpty(dns) ? undefined : toCurrentDns(dns),
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

function toCurrentDns(dns: Dns): object {
  const { domain, nameservers, options, search } = toDns(dns);
  return { domain, nameservers, options, search };
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
