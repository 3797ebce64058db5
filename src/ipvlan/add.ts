import { debug } from "../debug.ts";
import { Failure } from "../error.ts";
import type { Link } from "../linux/rtnetlink.ts";
import { emptyResult, type Interface, type Result } from "../net/result.ts";
import { mark } from "../profile.ts";
import type { Call } from "./call.ts";
import { configureLink, settle } from "./configure.ts";
import { createEndpoint } from "./endpoint.ts";
import { routeThrough } from "./route.ts";
import { Undo } from "./undo.ts";
import { closeWorld, openWorld, type World } from "./world.ts";

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
  const created = createEndpoint(world, call, undo);
  const given = await takeAddresses(call, undo);
  if (PROFILE) mark("addresses are taken");
  debug?.step("addresses are given", { ...given });
  const settings = {
    addresses: given.ips.map((ip) => ip.address),
    routes: given.routes.map((route) => routeThrough(created.index, route, given.ips)),
  };
  const link = configureLink(world, created, settings, undo);
  if (PROFILE) mark("link is configured");
  // Only an IPv6 gateway makes traffic that would start, and fail, on a tentative address.
  if (given.ips.some((ip) => ip.address.family === 6 && ip.gateway !== undefined)) settle(world, link);
  return assemble(call, link, given);
}

/** The addresses of the endpoint: the IPAM's, or those the chain brought, or none at all for a plain L2 endpoint. */
async function takeAddresses(call: Call, undo: Undo): Promise<Result> {
  const { ipam, prevResult } = call;
  if (ipam === undefined) return prevResult ?? emptyResult();
  const given = await ipam.add();
  undo.push(() => ipam.del());
  if (given.ips.length === 0) {
    throw new Failure("ipam", "the IPAM plugin returned no address", {
      remedy: 'give it an address to hand out, or set "ipam": {} for an endpoint without addresses',
    });
  }
  return given;
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
