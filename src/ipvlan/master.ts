import { Failure } from "../error.ts";
import { defaultRouteLink, type Link, linkByIndex, linkByName, links } from "../linux/rtnetlink.ts";
import type { Socket } from "../linux/socket.ts";
import type { EndpointConfig } from "./call.ts";

// linux/if.h
const IFF_LOOPBACK = 0x8;
// linux/if_arp.h
const ARPHRD_ETHER = 1;
/** The least an IPv4 link must carry (RFC 791), and the driver's own lower bound. */
const MTU_MIN = 68;

/**
 * Finds the master an endpoint is to be made on. Throws a Failure of kind `master` when it is absent, or of a sort that
 * can carry no ipvlan link.
 */
export function findMaster(socket: Socket, endpoint: EndpointConfig): Link {
  const master = lookUp(socket, endpoint);
  if ((master.flags & IFF_LOOPBACK) !== 0) {
    throw new Failure(
      "master",
      `master "${master.name}" is the loopback interface, which can carry no ipvlan link`,
      {
        remedy: "choose an Ethernet interface as master",
      },
    );
  }
  if (master.ifType !== ARPHRD_ETHER) {
    throw new Failure(
      "master",
      `master "${master.name}" is not an Ethernet interface (type ${master.ifType})`,
      {
        remedy: "choose an Ethernet interface as master",
      },
    );
  }
  return master;
}

function lookUp(socket: Socket, endpoint: EndpointConfig): Link {
  const where = endpoint.linkInContainer ? "the container's namespace" : "the host's namespace";
  if (endpoint.master !== undefined) {
    const link = linkByName(socket, endpoint.master);
    if (link !== undefined) return link;
    throw new Failure("master", `master "${endpoint.master}" not found in ${where}`, {
      remedy: "choose an interface that exists there (see: ip link)",
    });
  }
  const index = defaultRouteLink(socket);
  const link = index === undefined ? undefined : linkByIndex(socket, index);
  if (link !== undefined) return link;
  throw new Failure("master", `no master is set and ${where} has no default route to take it from`, {
    remedy: "set one, or give that namespace a default route",
  });
}

/** Throws a Failure of kind `config` unless the master can carry packets of that many bytes. */
export function checkMtu(master: Link, mtu: number | undefined): void {
  if (mtu === undefined || (mtu >= MTU_MIN && mtu <= master.mtu)) return;
  throw new Failure(
    "config",
    `mtu ${mtu} is outside ${MTU_MIN} to ${master.mtu}, the MTU of master "${master.name}"`,
    {
      remedy: "lower it, leave it out to take the master's, or raise the MTU of the master",
    },
  );
}

/** Kinds of controller that take every packet of their ports; a VRF, say, does not. */
const EXCLUSIVE_CONTROLLERS = new Set(["bridge", "bond", "team", "openvswitch"]);

/**
 * Who else takes the master's packets, as far as can be seen from its namespace: "it is a port of the bridge "br0"";
 * undefined when nobody is seen (a macvlan link on it may live in another namespace).
 */
export function occupantOf(socket: Socket, master: Link): string | undefined {
  const controller = master.master === undefined ? undefined : linkByIndex(socket, master.master);
  if (controller?.kind !== undefined && EXCLUSIVE_CONTROLLERS.has(controller.kind)) {
    return `it is a port of the ${controller.kind} "${controller.name}"`;
  }
  const macvlan = links(socket, "macvlan").find((link) => link.linkIndex === master.index);
  return macvlan === undefined ? undefined : `it carries the macvlan link "${macvlan.name}"`;
}

/** The refusal for a master that somebody else occupies. */
export function occupiedFailure(master: Link, occupant: string | undefined, cause?: unknown): Failure {
  const who = occupant ?? "it carries a macvlan link of another namespace, or is a port of a bridge or bond";
  return new Failure("master", `master "${master.name}" cannot carry ipvlan links: ${who}`, {
    cause,
    remedy: "use another master, or remove what occupies this one",
  });
}
