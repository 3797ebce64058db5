import { Failure } from "../error.ts";
import { isObject } from "../json.ts";
import {
  formatAddress,
  formatPrefix,
  type IpAddress,
  type IpPrefix,
  networkOf,
  prefixContains,
} from "../net/ip.ts";
import { type Network, type Subnet, subnetText } from "./input.ts";
import { readBool, readOptions, refuseUnknownOptions } from "./options.ts";
import { checkInterfaceName, checkRoute, checkSubnets, dhcpFailure } from "./rules.ts";

type Fields = Record<string, unknown>;

/** A network that setup can work with. */
export interface Finished {
  /** What is stored. Keys that are not ours are as they came. */
  document: Fields;
  parent: string | undefined;
  mtu: number | undefined;
}

/**
 * Checks a network for this driver and fills in what its user left open. `written` is what `network` was read from.
 * Throws a Failure, most with netavark's text.
 */
export function complete(written: Fields, network: Network): Finished {
  const ipam = ipamDriverOf(network);
  const { parent, options } = readDriverPart(network);
  checkDriverOptions(options);
  if (network.network_dns_servers.length > 0) {
    throw new Failure("config", "cannot set NetworkDNSServers if DNS is not enabled for the network", {
      remedy: "ipvlan networks have none: give the servers to the containers (--dns)",
    });
  }
  checkSubnets(network.subnets);
  const subnets = network.subnets.map((subnet) => completeSubnet(subnet, network.internal));
  checkRoutes(network);
  const stored = withoutNulls(written) as Fields;
  const document: Fields = {
    ...stored,
    // Nobody serves names on an ipvlan network: Podman shall not promise it.
    dns_enabled: false,
    created: new Date().toISOString(),
    ipam_options: { ...network.ipam_options, driver: ipam },
    ...(parent === undefined ? {} : { network_interface: parent }),
    ...(isObject(stored.options) ? { options } : {}),
    ...(subnets.length === 0 ? {} : { subnets }),
    ...(network.subnets.some(({ subnet }) => subnet.family === 6) ? { ipv6_enabled: true } : {}),
  };
  return { document, parent, mtu: readOptions(options).mtu };
}

/** Podman checks the addresses that its users ask for only where the driver is named. */
function ipamDriverOf({ ipam_options, subnets }: Network): string {
  const asked = ipam_options.driver ?? "";
  switch (asked) {
    case "":
      if (subnets.length === 0) throw dhcpFailure();
      return "host-local";
    case "host-local":
      if (subnets.length > 0) return asked;
      throw new Failure(
        "config",
        "ipvlan driver needs at least one subnet specified when the host-local ipam driver is set",
      );
    case "none":
      if (subnets.length === 0) return asked;
      throw new Failure("config", "None ipam driver is set but subnets are given");
    case "dhcp":
      if (subnets.length > 0) throw new Failure("config", "dhcp ipam driver is set but subnets are given");
      return asked;
    default:
      throw new Failure("unsupported", `Unsupported ipam driver: ${asked}`);
  }
}

/** Podman turns the option `parent` into `network_interface` for netavark's own drivers, for a plugin it does not. */
function readDriverPart(network: Network): { parent: string | undefined; options: Record<string, string> } {
  const { parent: optional, ...options } = network.options;
  const named = network.network_interface || undefined;
  if (named !== undefined && optional && optional !== named)
    throw new Failure("config", `two parents are given: ${named} and, as an option, ${optional}`);
  const parent = named ?? (optional || undefined);
  if (parent !== undefined) checkInterfaceName(parent);
  // Stored as netavark itself reads it.
  if (options.no_default_route !== undefined)
    options.no_default_route = String(readBool("no_default_route", options.no_default_route));
  return { parent, options };
}

function checkDriverOptions(options: Record<string, string>): void {
  refuseUnknownOptions(options);
  readOptions(options);
}

function completeSubnet(subnet: Subnet, internal: boolean): Fields {
  const text = subnetText(subnet);
  const network = networkOf(subnet.subnet);
  const { gateway, lease_range } = subnet;
  if (gateway !== undefined && !prefixContains(network, gateway))
    throw new Failure("config", `gateway ${formatAddress(gateway)} not in subnet ${text}`);
  const chosen = gateway ?? (internal ? undefined : firstAddressOf(network));
  if (lease_range !== undefined) checkLeaseRange(subnet, lease_range);
  return {
    subnet: formatPrefix(network),
    ...(chosen === undefined ? {} : { gateway: formatAddress(chosen) }),
    ...(lease_range === undefined ? {} : { lease_range: formatRange(lease_range) }),
  };
}

function firstAddressOf(network: IpPrefix): IpAddress {
  const { family, value, length } = network;
  // The last prefix length that leaves room for a gateway and a container beside the network's own address.
  const longest = family === 4 ? 30 : 127;
  if (length <= longest) return { family, value: value + 1n };
  throw new Failure(
    "config",
    `could not create gateway for subnet ${formatPrefix(network)} because it has a ${longest + 1} or greater subnet prefix`,
  );
}

type LeaseRange = NonNullable<Subnet["lease_range"]>;

function checkLeaseRange(subnet: Subnet, { start_ip, end_ip }: LeaseRange): void {
  for (const [key, ip] of Object.entries({ start_ip, end_ip })) {
    if (ip !== undefined && !prefixContains(networkOf(subnet.subnet), ip)) {
      throw new Failure(
        "config",
        `lease range ${key} ${formatAddress(ip)} not in subnet ${subnetText(subnet)}`,
      );
    }
  }
  if (start_ip !== undefined && end_ip !== undefined && start_ip.value > end_ip.value) {
    throw new Failure(
      "config",
      `lease range start_ip ${formatAddress(start_ip)} must be less than or equal to end_ip ${formatAddress(end_ip)}`,
    );
  }
}

function formatRange({ start_ip, end_ip }: LeaseRange): Fields {
  return {
    ...(start_ip === undefined ? {} : { start_ip: formatAddress(start_ip) }),
    ...(end_ip === undefined ? {} : { end_ip: formatAddress(end_ip) }),
  };
}

function checkRoutes({ routes }: Network): void {
  for (const route of routes) {
    const { destination } = route;
    if (networkOf(destination).value !== destination.value) {
      throw new Failure("config", `route destination invalid: ${formatPrefix(destination)}`, {
        remedy: `write ${formatPrefix(networkOf(destination))}`,
      });
    }
    checkRoute(route);
  }
}

/** Podman's own files have no nulls; what is absent is left out, on every level. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  const kept = Object.entries(value).filter(([, item]) => item !== null && item !== undefined);
  return Object.fromEntries(kept.map(([key, item]) => [key, withoutNulls(item)]));
}
