import { IFF_UP } from "../../wasm/uapi.ts";
import { Failure } from "../error.ts";
import { addressesOf, type KernelRoute, type Link, linkByName, routesOf } from "../linux/rtnetlink.ts";
import {
  formatAddress,
  formatPrefix,
  type IpAddress,
  networkOf,
  prefixContains,
  sameAddress,
} from "../net/ip.ts";
import type { Interface, IpConfig, Result, Route } from "../net/result.ts";
import type { Call } from "./call.ts";
import { MODES, modeOf } from "./link.ts";
import { gatewayOf } from "./route.ts";
import { findVlan } from "./vlan.ts";
import { closeWorld, openWorld, type World } from "./world.ts";

/**
 * CHECK: the endpoint is as ADD left it: link, kind, parent, mode, MTU, MAC, up, addresses and routes. What later plugins
 * of the chain added is not looked at. Throws a Failure that names the first difference.
 */
export async function check(call: Call): Promise<void> {
  const world = openWorld(call.attachment.netns, call.mayBeOwnNamespace);
  try {
    await call.ipam?.check();
    const { prevResult } = call;
    if (prevResult === undefined) {
      throw new Failure("config", '"prevResult" is required for CHECK', { remedy: "pass the result of ADD" });
    }
    const { index, recorded } = findInterface(prevResult, call);
    const link = checkLink(world, call, recorded);
    const ips = prevResult.ips.filter((ip) => ip.interface === index || ip.interface === undefined);
    checkAddresses(world, link, ips);
    const others = prevResult.ips.filter((ip) => !ips.includes(ip));
    const routes = prevResult.routes.filter((route) => isOurs(route, ips, others));
    for (const family of [4, 6] as const) checkRoutes(world, link, family, routes, ips);
  } finally {
    closeWorld(world);
  }
}

function findInterface(result: Result, call: Call): { index: number; recorded: Interface } {
  const { ifName, netns } = call.attachment;
  const index = result.interfaces.findIndex((entry) => entry.name === ifName && entry.sandbox === netns);
  const recorded = result.interfaces[index];
  if (recorded === undefined)
    throw differs(`prevResult has no interface "${ifName}" in namespace "${netns}"`);
  return { index, recorded };
}

function differs(message: string): Failure {
  return new Failure("check", message, { remedy: "run DEL and ADD again to restore the endpoint" });
}

function checkLink(world: World, call: Call, recorded: Interface): Link {
  const { endpoint } = call;
  const { ifName } = call.attachment;
  const link = linkByName(world.inside, ifName);
  if (link === undefined) throw differs(`the container has no interface "${ifName}"`);
  if (link.kind !== LINK_KIND)
    throw differs(`interface "${ifName}" is of kind ${link.kind ?? "physical"}, not ipvlan`);
  checkParent(world, call, link);
  const mode = modeOf(link);
  if (mode !== MODES[endpoint.mode]) {
    const word = Object.entries(MODES).find(([, number]) => number === mode)?.[0] ?? `${mode}`;
    throw differs(`interface "${ifName}" is in mode ${word}, not ${endpoint.mode}`);
  }
  const mtu = endpoint.mtu ?? recorded.mtu;
  if (mtu !== undefined && link.mtu !== mtu)
    throw differs(`interface "${ifName}" has MTU ${link.mtu}, not ${mtu}`);
  if (recorded.mac !== undefined && recorded.mac.toLowerCase() !== link.mac) {
    throw differs(`interface "${ifName}" has the MAC address ${link.mac}, not ${recorded.mac}`);
  }
  if ((link.flags & IFF_UP) === 0) throw differs(`interface "${ifName}" is down`);
  return link;
}

/** Only a master that is named, and still there, can be compared: the default route may have moved since ADD. */
function checkParent(world: World, call: Call, link: Link): void {
  const { endpoint } = call;
  if (endpoint.master === undefined) return;
  const socket = endpoint.linkInContainer ? world.inside : world.host;
  const named = linkByName(socket, endpoint.master);
  if (named === undefined) return;
  const { vlan } = endpoint.options ?? {};
  const master = vlan === undefined ? named : findVlan(socket, named.index, vlan);
  if (master === undefined) throw differs(`master "${endpoint.master}" has no VLAN ${vlan}`);
  const isMasterInside = endpoint.linkInContainer || world.container.identity === world.home.identity;
  if (!isOn(link, master, isMasterInside)) {
    throw differs(`interface "${link.name}" is not on master "${endpoint.master}"`);
  }
}

function isOn(link: Link, master: Link, isMasterInside: boolean): boolean {
  if (master.kind === LINK_KIND) {
    // A link on an ipvlan link is made on that one's own master. Where that is can be compared from inside only.
    return (
      link.linkIndex === master.linkIndex && (!isMasterInside || link.linkNetnsid === master.linkNetnsid)
    );
  }
  const isParentInside = link.linkNetnsid === undefined;
  return link.linkIndex === master.index && isParentInside === isMasterInside;
}

function checkAddresses(world: World, link: Link, ips: IpConfig[]): void {
  const present = addressesOf(world.inside, link.index);
  for (const { address } of ips) {
    const found = present.some(
      (entry) => sameAddress(entry.address, address) && entry.prefixLength === address.length,
    );
    if (!found) throw differs(`interface "${link.name}" lacks the address ${formatPrefix(address)}`);
  }
}

function checkRoutes(world: World, link: Link, family: 4 | 6, routes: Route[], ips: IpConfig[]): void {
  const expected = routes.filter((route) => route.dst.family === family);
  if (expected.length === 0) return;
  const present = routesOf(world.inside, family, link.index);
  for (const route of expected) {
    if (!present.some((entry) => matches(entry, route, ips))) {
      const via = route.gw === undefined ? "" : ` via ${formatAddress(route.gw)}`;
      throw differs(`interface "${link.name}" lacks the route ${formatPrefix(networkOf(route.dst))}${via}`);
    }
  }
}

/**
 * A result does not say whose its routes are. Where other interfaces of the chain have addresses too, only a route whose
 * gateway is within reach of ours, and not of theirs, is surely ours.
 */
function isOurs(route: Route, ips: IpConfig[], others: IpConfig[]): boolean {
  const gateway = gatewayOf(route, ips);
  if (gateway === undefined) return !others.some(({ address }) => address.family === route.dst.family);
  return others.length === 0 || (isReached(gateway, ips) && !isReached(gateway, others));
}

function isReached(gateway: IpAddress, ips: IpConfig[]): boolean {
  return ips.some(
    (ip) =>
      prefixContains(ip.address, gateway) || (ip.gateway !== undefined && sameAddress(ip.gateway, gateway)),
  );
}

/** A later plugin may have moved the route to another table (source based routing does), so only a given one counts. */
function matches(entry: KernelRoute, route: Route, ips: IpConfig[]): boolean {
  const dst = networkOf(route.dst);
  const gateway = gatewayOf(route, ips);
  return (
    sameAddress(entry.dst, dst) &&
    entry.dst.length === dst.length &&
    (gateway === undefined
      ? entry.gateway === undefined
      : entry.gateway !== undefined && sameAddress(entry.gateway, gateway)) &&
    (!route.table || entry.table === route.table) &&
    (!route.priority || entry.priority === route.priority)
  );
}
