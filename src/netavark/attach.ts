import { RTPROT_STATIC } from "../../wasm/uapi.ts";
import { Failure, joinFailures } from "../error.ts";
import type { DhcpOptions } from "../ipam/dhcp/dhcp.ts";
import { hasLeaseFile } from "../ipam/dhcp/lease-file.ts";
import { NOTHING_ASKED } from "../ipam/options.ts";
import { configureLink, deleteRoutes } from "../ipvlan/configure.ts";

import { attempt, forget } from "../ipvlan/del.ts";
import { createEndpoint, type EndpointOrder } from "../ipvlan/endpoint.ts";
import { type NewLink, removeLink } from "../ipvlan/link.ts";

import { temporaryName } from "../ipvlan/record.ts";
import { routeThrough } from "../ipvlan/route.ts";
import type { Undo } from "../ipvlan/undo.ts";
import type { World } from "../ipvlan/world.ts";
import type { RouteAdd } from "../linux/codec.ts";
import { addressesOf, type Link } from "../linux/rtnetlink.ts";
import { formatAddress, formatPrefix, type IpAddress, sameAddress } from "../net/ip.ts";
import type { Dns } from "../net/result.ts";
import type { Plan } from "./plan.ts";
import type { Removal } from "./removal.ts";

/** What Podman is told of one network of one container. */
export interface StatusBlock {
  dns_search_domains: string[] | null;
  dns_server_ips: string[] | null;
  interfaces: Record<string, NetInterface> | null;
}

interface NetInterface {
  mac_address: string;
  subnets: { ipnet: string; gateway: string | null }[];
}

/** Makes the endpoint. Throws a Failure; `undo` takes back what was done until then, and afterwards. */
export async function attach(world: World, plan: Plan, undo: Undo): Promise<StatusBlock> {
  const created = await createEndpoint(world, plan, undo);
  refuseParentsOwn(world, created, plan);
  const given = plan.isDynamic ? await lease(plan, created, undo) : undefined;
  const settings = {
    addresses: given?.addresses ?? plan.assignments.map(({ address }) => address),
    routes: given?.routes ?? [
      ...plan.defaultGateways.map((gateway) => defaultRoute(created, gateway, plan.metric)),
      ...plan.staticRoutes,
    ],
    acceptRa: false,
    loopback: true,
  };
  const assignments = given?.assignments ?? plan.assignments;
  return statusOf(configureLink(world, created, settings, undo), assignments, given?.dns);
}

/** Addresses, routes and names from a DHCP server. */
async function lease(plan: Plan, link: NewLink, undo: Undo) {
  const { dhcp } = await import("../ipam/dhcp/dhcp.ts");
  const ipam = dhcp(dhcpOptions(plan, plan.metric));
  const result = await ipam.add();
  undo.push(() => ipam.del());
  return {
    addresses: result.ips.map(({ address, lifetimeSeconds }) => ({ ...address, lifetimeSeconds })),
    assignments: result.ips.map(({ address, gateway }) => ({ address, gateway })),
    routes: result.routes
      .filter(({ dst }) => dst.length > 0 || !plan.noDefaultRoute)
      .map((route) => ({ ...routeThrough(link.index, route, result.ips), protocol: RTPROT_STATIC })),
    dns: result.dns,
  };
}

/** What the DHCP client is told of an endpoint of Podman's. */
function dhcpOptions({ network, attachment, endpoint }: EndpointOrder, metric: number): DhcpOptions {
  return {
    network,
    attachment,
    mode: endpoint.mode,
    mtu: endpoint.mtu,
    cniVersion: "1.1.0",
    config: { priority: metric },
    ...NOTHING_ASKED,
  };
}

/**
 * Podman gives out addresses without a look at the parent's. The kernel would take one, and the host would lose the
 * packets meant for itself.
 */
function refuseParentsOwn(world: World, link: NewLink, { assignments }: Plan): void {
  if (link.linkIndex === undefined || assignments.length === 0) return;
  const own = addressesOf(world.host, link.linkIndex);
  const taken = assignments.find(({ address }) => own.some((entry) => sameAddress(entry.address, address)));
  if (taken === undefined) return;
  throw new Failure("address", `address ${formatAddress(taken.address)} is the host's own, on the parent`, {
    remedy: "create the network with an --ip-range that leaves it out, or try again for the next address",
  });
}

function defaultRoute(link: NewLink, gateway: IpAddress, metric: number): RouteAdd {
  const dst = { family: gateway.family, value: 0n, length: 0 };
  return { dst, gateway, oif: link.index, priority: metric, protocol: RTPROT_STATIC };
}

function statusOf(link: Link, assignments: Plan["assignments"], dns: Dns = {}): StatusBlock {
  const subnets = assignments.map(({ address, gateway }) => ({
    ipnet: formatPrefix(address),
    gateway: gateway === undefined ? null : formatAddress(gateway),
  }));
  return {
    // Nobody here serves names: without a DHCP server's the container keeps the host's, or those its user gave.
    dns_search_domains: dns.search ?? (dns.domain === undefined ? [] : [dns.domain]),
    dns_server_ips: dns.nameservers ?? [],
    interfaces: { [link.name]: { mac_address: link.mac ?? "", subnets } },
  };
}

/**
 * Removes the endpoint; what is not there needs no removing, nor anything in a namespace that has gone (`world` is
 * undefined). Every step is tried; throws what failed.
 */
export async function detach(world: World | undefined, removal: Removal): Promise<void> {
  const { network, attachment, routes } = removal;
  const failures: unknown[] = [];
  // Before the link goes: the release is sent over it.
  await attempt(failures, () => giveBackLease(removal));
  if (world !== undefined) {
    // Most would go with the link; those that leave by another one, or by none, would not.
    await attempt(failures, () => deleteRoutes(world.inside, routes));
    await attempt(failures, () => removeLink(world, attachment.ifName));
    await attempt(failures, () => removeLink(world, temporaryName(network, attachment)));
  }
  if (failures.length === 0) await attempt(failures, () => forget({ network, ...attachment }, undefined));
  if (failures.length > 0) throw joinFailures(failures);
}

/** Gives back what a DHCP server has given, if there is such a lease: the network may have another driver by now. */
async function giveBackLease({ network, attachment }: Removal): Promise<void> {
  const owner = { network, ...attachment };
  if (!hasLeaseFile(owner)) return;
  await (await import("../ipam/dhcp/dhcp.ts")).giveBack(owner);
}
