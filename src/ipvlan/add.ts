import { debug } from "../debug.ts";
import { Failure } from "../error.ts";
import type { Ipam } from "../ipam/ipam.ts";
import type { Link } from "../linux/rtnetlink.ts";
import { formatAddress, type IpAddress } from "../net/ip.ts";
import { emptyResult, type Interface, type Result, type Route } from "../net/result.ts";
import { mark } from "../profile.ts";
import { announce } from "./announce.ts";
import type { Call } from "./call.ts";
import { configureLink } from "./configure.ts";
import { createEndpoint } from "./endpoint.ts";
import { checkHostAccess, hostName, joinHost } from "./host-access.ts";
import { findClaimed } from "./probe.ts";
import { readRecord, updateRecord } from "./record.ts";
import { routeThrough, shapeRoutes } from "./route.ts";
import { Undo } from "./undo.ts";
import { closeWorld, openWorld, type World } from "./world.ts";

/** How many addresses that turn out to be in use are passed over. */
const PROBE_TRIES = 5;

/**
 * ADD: creates the endpoint and returns what the attachment then has: the chain's own result with this endpoint appended.
 * Throws a Failure; no link, address or lease of this call is left then.
 */
export async function add(call: Call): Promise<Result> {
  const world = openWorld(call.attachment.netns, call.mayBeOwnNamespace);
  if (PROFILE) mark("namespaces and sockets");
  const undo = new Undo();
  try {
    return await build(call, world, undo);
  } catch (thrown) {
    const leftovers = await undo.unwind();
    if (leftovers.length > 0) console.error("ipvlan: undoing a failed ADD:", ...leftovers.map(String));
    throw thrown;
  } finally {
    closeWorld(world);
  }
}

async function build(call: Call, world: World, undo: Undo): Promise<Result> {
  const { mode, options = {} } = call.endpoint;
  if (options.hostAccess) checkHostAccess(call.endpoint);
  const created = await createEndpoint(world, call, undo);
  const taken = await takeAddresses(call, world, created, undo);
  if (PROFILE) mark("addresses are taken");
  const addresses = taken.ips.map((ip) => ip.address);
  const toHost = options.hostAccess ? await reachHost(call, world, created, addresses) : [];
  const given = { ...taken, routes: [...shapeRoutes(taken, options), ...toHost] };
  debug?.step("addresses are given", { ...given });
  const settings = {
    addresses: given.ips.map(({ address, lifetimeSeconds }) => ({ ...address, lifetimeSeconds })),
    routes: given.routes.map((route) => routeThrough(created.index, route, given.ips)),
    acceptRa: options.acceptRa ?? false,
    dad: options.dad ?? "auto",
    hasIpv6Gateway: given.ips.some((ip) => ip.address.family === 6 && ip.gateway !== undefined),
  } as const;
  const link = configureLink(world, created, settings, undo);
  if (PROFILE) mark("link is configured");
  // Endpoints in l3 and l3s are no stations of the segment: nobody there asks for their MAC address. Unless more is asked
  // for, the kernel's announcement at link-up is enough: closing a packet socket waits for a grace period, 3 to 15 ms.
  if (mode === "l2") announce(world, link, addresses, options.announce ?? 0);
  return assemble(call, link, given);
}

/** Gives the host its endpoint beside this one; what the record then says is what `forget` undoes. */
async function reachHost(call: Call, world: World, created: Link, addresses: IpAddress[]): Promise<Route[]> {
  const { network, attachment, endpoint, hostIpam } = call;
  const identity = { network, ...attachment };
  const name = hostName(network, readRecord(identity)?.port ?? "");
  updateRecord(identity, { host: { name, containers: addresses.map(formatAddress) } });
  return joinHost(world.host, created.linkIndex ?? 0, endpoint, name, addresses, hostIpam?.(name));
}

/** The addresses of the endpoint: the IPAM's, or those the chain brought, or none at all for a plain L2 endpoint. */
async function takeAddresses(call: Call, world: World, link: Link, undo: Undo): Promise<Result> {
  const { ipam, prevResult, endpoint } = call;
  if (ipam === undefined) return prevResult ?? emptyResult();
  const given = await ipam.add();
  undo.push(() => ipam.del());
  return endpoint.options?.probe ? await passOver(given, ipam, call, world, link) : checkGiven(given);
}

function checkGiven(given: Result): Result {
  if (given.ips.length === 0) {
    throw new Failure("ipam", "the IPAM plugin returned no address", {
      remedy: 'give it an address to hand out, or set "ipam": {} for an endpoint without addresses',
    });
  }
  return given;
}

/** Gives addresses that the segment already has back, and takes the next ones. */
async function passOver(first: Result, ipam: Ipam, call: Call, world: World, link: Link): Promise<Result> {
  const namespace = call.endpoint.linkInContainer ? world.container : world.home;
  // The endpoint's link names its master, and bears its MAC address.
  const master = { index: link.linkIndex ?? 0, mac: link.mac };
  const refused = new Set<string>();
  for (let given = checkGiven(first); ; given = checkGiven(await ipam.add())) {
    const addresses = given.ips.map((ip) => ip.address);
    const claimed = findClaimed(namespace, world.home, master, addresses);
    if (claimed === undefined) return given;
    const text = formatAddress(claimed);
    const isOfferedAgain = refused.has(text);
    refused.add(text);
    if (isOfferedAgain || refused.size === PROBE_TRIES) {
      throw new Failure("address", `address ${text} is in use by another station on the segment`, {
        details: `tried: ${[...refused].join(", ")}`,
        remedy: "take what is in use out of the IPAM's range, or find the station",
      });
    }
    await ipam.del();
  }
}

function assemble(call: Call, link: Link, given: Result): Result {
  const chain = call.prevResult ?? emptyResult();
  const own: Interface = {
    name: link.name,
    ...(link.mac === undefined ? {} : { mac: link.mac }),
    mtu: link.mtu,
    sandbox: call.attachment.netns,
  };
  const index = chain.interfaces.length;
  const ips = given.ips.map((ip) => ({ ...ip, interface: index }));
  const carried = call.ipam === undefined ? emptyResult() : chain;
  return {
    interfaces: [...chain.interfaces, own],
    ips: [...carried.ips, ...ips],
    routes: [...carried.routes, ...given.routes],
    dns: given.dns,
  };
}
