import { debug } from "../debug.ts";
import { Failure } from "../error.ts";
import type { Ipam } from "../ipam/ipam.ts";
import type { Link } from "../linux/rtnetlink.ts";
import { formatAddress, type IpAddress } from "../net/ip.ts";
import { emptyResult, type Interface, type Result, type Route } from "../net/result.ts";
import { mark } from "../profile.ts";
import type { Call, EndpointOptions } from "./call.ts";
import { configureLink, type LeasedAddress, type Settings } from "./configure.ts";
import { createEndpoint } from "./endpoint.ts";
import type { NewLink } from "./link.ts";
import { explained } from "./privilege.ts";
import { readRecord, updateRecord } from "./record.ts";
import { routeThrough, shapeRoutes } from "./route.ts";
import { type Undo, unwind } from "./undo.ts";
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
  const undo: Undo = [];
  try {
    return await build(call, world, undo);
  } catch (thrown) {
    const leftovers = await unwind(undo);
    if (leftovers.length > 0) console.error("ipvlan: undoing a failed ADD:", ...leftovers.map(String));
    throw explained(thrown);
  } finally {
    closeWorld(world);
  }
}

async function build(call: Call, world: World, undo: Undo): Promise<Result> {
  const { ipam } = call;
  const { mode, options = {} } = call.endpoint;
  if (options.hostAccess) (await import("./host-access.ts")).checkHostAccess(call.endpoint);
  const created = await createEndpoint(world, call, undo);
  let taken: Result;
  if (ipam === undefined) {
    // Those that the chain brought, or none at all for a plain L2 endpoint.
    taken = call.prevResult ?? emptyResult();
  } else {
    taken = await ipam.add();
    undo.push(() => ipam.del());
    if (options.probe) taken = await passOver(taken, ipam, call, world, created);
    else checkGiven(taken);
  }
  if (PROFILE) mark("addresses are taken");
  const toHost = options.hostAccess ? await reachHost(call, world, created, addressesIn(taken)) : [];
  const given = { ...taken, routes: [...shapeRoutes(taken, options), ...toHost] };
  debug?.step("addresses are given", { ...given });
  const link = configureLink(world, created, settingsOf(created, given, options), undo);
  if (PROFILE) mark("link is configured");
  // Endpoints in l3 and l3s are no stations of the segment: nobody there asks for their MAC address. Unless more is asked
  // for, the kernel's announcement at link-up is enough: closing a packet socket waits for a grace period, 3 to 15 ms.
  const rounds = options.announce ?? 0;
  if (mode === "l2" && rounds > 0) {
    const { announce } = await import("./announce.ts");
    announce(world, link, addressesIn(taken), rounds);
  }
  return assemble(call, link, given);
}

function addressesIn({ ips }: Result): IpAddress[] {
  return ips.map((ip) => ip.address);
}

function settingsOf(link: NewLink, { ips, routes }: Result, { acceptRa, dad }: EndpointOptions): Settings {
  const addresses: LeasedAddress[] = [];
  let hasIpv6Gateway = false;
  for (const { address, gateway, lifetimeSeconds } of ips) {
    addresses.push({ ...address, lifetimeSeconds });
    if (address.family === 6 && gateway !== undefined) hasIpv6Gateway = true;
  }
  return {
    addresses,
    routes: routes.map((route) => routeThrough(link.index, route, ips)),
    acceptRa: acceptRa ?? false,
    dad: dad ?? "auto",
    hasIpv6Gateway,
  };
}

/** Gives the host its endpoint beside this one; what the record then says is what `forget` undoes. */
async function reachHost(
  call: Call,
  world: World,
  created: NewLink,
  addresses: IpAddress[],
): Promise<Route[]> {
  const { network, attachment, endpoint, hostIpam } = call;
  const { hostName, joinHost } = await import("./host-access.ts");
  const identity = { network, ...attachment };
  const name = hostName(network, readRecord(identity)?.port ?? "");
  updateRecord(identity, { host: { name, containers: addresses.map(formatAddress) } });
  return joinHost(world.host, created.linkIndex ?? 0, endpoint, name, addresses, hostIpam?.(name));
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
async function passOver(first: Result, ipam: Ipam, call: Call, world: World, link: NewLink): Promise<Result> {
  const namespace = call.endpoint.linkInContainer ? world.container : world.home;
  // The endpoint's link names its master, and bears its MAC address.
  const master = { index: link.linkIndex ?? 0, mac: link.mac };
  const { findClaimed } = await import("./probe.ts");
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
  const own: Interface = { name: link.name, mtu: link.mtu, sandbox: call.attachment.netns };
  if (link.mac !== undefined) own.mac = link.mac;
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
