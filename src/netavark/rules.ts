import { Failure } from "../error.ts";
import { formatPrefix, networkOf, prefixContains } from "../net/ip.ts";
import { type Route, type Subnet, subnetText } from "./input.ts";

/** What networks, containers and interfaces may be called; none of these holds a slash, so they make safe file names. */
export const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
/** IFNAMSIZ of linux/if.h less the NUL. */
const INTERFACE_NAME_MAX_BYTES = 15;

/** Throws a `config` Failure for a name that the kernel gives no interface. */
export function checkInterfaceName(name: string): void {
  if (Buffer.byteLength(name) > INTERFACE_NAME_MAX_BYTES)
    throw new Failure(
      "config",
      `Interface name is too long: interface names must be 15 characters or less: ${name}`,
    );
  if (name === "." || name === "..") throw new Failure("config", "Interface name cannot be . or ..");
  const wrong = /[\s/:\0]/.exec(name)?.[0];
  if (wrong !== undefined)
    throw new Failure("config", `Interface name cannot contain ${JSON.stringify(wrong)}`);
}

/** As `checkInterfaceName`; one there must be. */
export function checkContainerInterface(name: string): void {
  if (name === "") throw new Failure("config", "no container interface name given");
  checkInterfaceName(name);
}

/** Throws a `config` Failure for what would make no safe file name. */
export function checkContainerId(id: string): void {
  if (!NAME.test(id)) throw new Failure("config", `invalid container id ${JSON.stringify(id)}`);
}

/** Throws a `config` Failure when two subnets share addresses. */
export function checkSubnets(subnets: Subnet[]): void {
  for (const [index, first] of subnets.entries()) {
    for (const second of subnets.slice(index + 1)) {
      const [one, other] = [networkOf(first.subnet), networkOf(second.subnet)];
      if (!prefixContains(one, other) && !prefixContains(other, one)) continue;
      if (one.length === other.length)
        throw new Failure("config", `duplicate subnet defined: ${subnetText(first)}`);
      throw new Failure("config", `overlapping subnets: ${subnetText(first)} and ${subnetText(second)}`);
    }
  }
}

const ROUTE_TYPES = ["unicast", "blackhole", "unreachable", "prohibit"] as const;
export type RouteType = (typeof ROUTE_TYPES)[number];

/** The route's type, once it and its gateway suit each other; else throws a `config` Failure. */
export function checkRoute({ destination, gateway, route_type }: Route): RouteType {
  const type = ROUTE_TYPES.find((known) => known === (route_type || "unicast"));
  if (type === undefined) throw new Failure("config", `invalid route type "${route_type}"`);
  const text = `route ${formatPrefix(destination)}`;
  if (type === "unicast" && gateway === undefined)
    throw new Failure("config", `${text} requires a gateway for type unicast`);
  if (type !== "unicast" && gateway !== undefined)
    throw new Failure("config", `${text} must not have a gateway for type ${type}`);
  if (gateway !== undefined && gateway.family !== destination.family)
    throw new Failure("config", `${text} has a gateway of the other IP family`);
  return type;
}

/** The refusal of a network that says nothing of addresses: netavark itself would take that for DHCP. */
export function dhcpFailure(): Failure {
  return new Failure("unsupported", "ipam driver dhcp is not supported with ipvlan", {
    details:
      "unless it is asked for: its links share the parent's MAC address, and a daemon must keep their leases",
    remedy:
      "give the network a --subnet, or --ipam-driver none, or dhcp with `ipvlan dhcp-daemon` on the node",
  });
}
