import { RTN_BLACKHOLE, RTN_PROHIBIT, RTN_UNICAST, RTN_UNREACHABLE, RTPROT_STATIC } from "../../wasm/uapi.ts";
import { Failure } from "../error.ts";
import { refuseMode } from "../ipam/dhcp/mode.ts";
import type { EndpointOrder } from "../ipvlan/endpoint.ts";
import type { RouteAdd } from "../linux/codec.ts";
import { formatAddress, type IpAddress, type IpPrefix, networkOf, prefixContains } from "../net/ip.ts";
import type { Network, PerNetworkOptions, Route } from "./input.ts";
import { readOptions, refuseUnknownOptions } from "./options.ts";
import {
  checkContainerId,
  checkContainerInterface,
  checkRoute,
  checkSubnets,
  NAME,
  type RouteType,
} from "./rules.ts";

/** One container on one network, as both of Podman's protocols describe it. */
export interface Connection {
  containerId: string;
  netns: string;
  network: Network;
  options: PerNetworkOptions;
}

/** An address of the container, and the gateway that Podman shows with it. */
export interface Assignment {
  address: IpPrefix;
  gateway: IpAddress | undefined;
}

/** All that setup will do, checked before it does anything. */
export interface Plan extends EndpointOrder {
  /** The addresses, gateways and routes below are none: a DHCP server gives them. */
  isDynamic: boolean;
  /** The network shall have no default route. */
  noDefaultRoute: boolean;
  assignments: Assignment[];
  /** One a family at most, already without those that the network shall not use. */
  defaultGateways: IpAddress[];
  metric: number;
  staticRoutes: RouteAdd[];
}

const STATIC_ROUTE_METRIC = 100;

const TYPE_NUMBERS: Record<RouteType, number> = {
  unicast: RTN_UNICAST,
  blackhole: RTN_BLACKHOLE,
  unreachable: RTN_UNREACHABLE,
  prohibit: RTN_PROHIBIT,
};

/** Checks everything that can be checked without looking at the kernel. Throws a Failure, mostly of kind `config`. */
export function planOf({ containerId, netns, network, options }: Connection): Plan {
  const ifName = options.interface_name;
  checkContainerInterface(ifName);
  checkContainerId(containerId);
  // A typo on the command line of one container; what the network's file says has been checked when it was made.
  refuseUnknownOptions(options.options);
  const driver = readOptions({ ...network.options, ...options.options });
  const { assignments, gateways, routes } = addressesOf(network, options);
  const isDynamic = network.ipam_options.driver === "dhcp";
  if (isDynamic) refuseMode(driver.mode);
  const noDefaultRoute = network.internal || driver.noDefaultRoute;
  return {
    network: recordName(network.name),
    attachment: { containerId, netns, ifName },
    endpoint: {
      // As netavark has it: a container may start before its host is on the network.
      options: { allowMasterDown: true },
      master: network.network_interface || network.options.parent || undefined,
      mode: driver.mode,
      flag: driver.flag,
      mtu: driver.mtu,
      linkInContainer: false,
    },
    isDynamic,
    noDefaultRoute,
    assignments,
    defaultGateways: noDefaultRoute ? [] : gateways,
    metric: driver.metric,
    staticRoutes: routes,
  };
}

/** A network's name among those of the CNI face, whose names have no colon: neither face cleans up the other's. */
export function recordName(name: string): string {
  if (!NAME.test(name)) throw new Failure("config", `invalid network name "${name}"`);
  return `netavark:${name}`;
}

interface Addressing {
  assignments: Assignment[];
  gateways: IpAddress[];
  routes: RouteAdd[];
}

function addressesOf(network: Network, options: PerNetworkOptions): Addressing {
  const driver = network.ipam_options.driver || "host-local";
  switch (driver) {
    case "host-local":
      return assignedAddresses(network, options);
    case "dhcp":
    case "none": {
      const [unwanted] = options.static_ips;
      if (unwanted === undefined) return { assignments: [], gateways: [], routes: [] };
      const text = formatAddress(unwanted);
      throw new Failure(
        "config",
        `static IP ${text} on network ${network.name}, ${driver === "dhcp" ? "whose addresses a DHCP server gives" : "which has no subnet to take its prefix length from"}`,
      );
    }
    default:
      throw new Failure("unsupported", `unsupported ipam driver ${driver}`);
  }
}

/** Podman has chosen the addresses; each gets its prefix length and gateway from the subnet it lies in. */
function assignedAddresses(network: Network, { static_ips, assigned }: PerNetworkOptions): Addressing {
  if (!assigned) throw new Failure("config", "no static ips provided");
  checkSubnets(network.subnets);
  const assignments = network.subnets.flatMap(({ subnet, gateway }) =>
    static_ips
      .filter((ip) => prefixContains(subnet, ip))
      .map((ip) => ({ address: { ...ip, length: subnet.length }, gateway })),
  );
  if (assignments.length !== static_ips.length) {
    throw new Failure(
      "config",
      `not all static IPs matched a subnet: expected ${static_ips.length}, got ${assignments.length}`,
    );
  }
  const gateways = ([4, 6] as const).flatMap(
    (family) => network.subnets.find(({ gateway }) => gateway?.family === family)?.gateway ?? [],
  );
  return { assignments, gateways, routes: network.routes.map(staticRoute) };
}

/** The kernel finds out by which interface its gateway is reached; that need not be ours. */
export function staticRoute(route: Route): RouteAdd {
  const { destination, gateway, metric } = route;
  return {
    dst: networkOf(destination),
    gateway,
    priority: metric ?? STATIC_ROUTE_METRIC,
    protocol: RTPROT_STATIC,
    type: TYPE_NUMBERS[checkRoute(route)],
  };
}
