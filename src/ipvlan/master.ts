import { Failure } from "../error.ts";
import {
  addressesOf,
  defaultRouteLink,
  type Link,
  linkByIndex,
  linkByName,
  links,
} from "../linux/rtnetlink.ts";
import type { Socket } from "../linux/socket.ts";
import { formatPrefix, prefixContains } from "../net/ip.ts";
import type { EndpointConfig, MasterSelector } from "./call.ts";

// linux/if.h
const IFF_UP = 0x1;
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
  if (endpoint.options?.masters !== undefined) return selectMaster(socket, endpoint.options.masters);
  const master = lookUp(socket, endpoint);
  const unfit = unfitness(master);
  if (unfit !== undefined) throw unfit;
  if ((master.flags & IFF_UP) === 0 && !endpoint.options?.allowMasterDown) throw downFailure(master);
  return master;
}

/** Why a link can never carry an ipvlan link; undefined when it can. */
function unfitness(master: Link): Failure | undefined {
  if ((master.flags & IFF_LOOPBACK) !== 0) {
    return new Failure(
      "master",
      `master "${master.name}" is the loopback interface, which can carry no ipvlan link`,
      {
        remedy: "choose an Ethernet interface as master",
      },
    );
  }
  if (master.ifType !== ARPHRD_ETHER) {
    return new Failure(
      "master",
      `master "${master.name}" is not an Ethernet interface (type ${master.ifType})`,
      {
        remedy: "choose an Ethernet interface as master",
      },
    );
  }
  return undefined;
}

function downFailure(master: Link): Failure {
  return new Failure("master", `master "${master.name}" is down`, {
    remedy: `bring it up (ip link set ${master.name} up), or set "allowMasterDown": true if that comes later`,
  });
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
const EXCLUSIVE_CONTROLLERS = ["bridge", "bond", "team", "openvswitch"];

/**
 * Who else takes the master's packets, as far as can be seen from its namespace: "it is a port of the bridge "br0"";
 * undefined when nobody is seen (a macvlan link on it may live in another namespace). `all` are the namespace's links, where the
 * caller has them.
 */
export function occupantOf(socket: Socket, master: Link, all?: Link[]): string | undefined {
  const controller = master.master === undefined ? undefined : linkByIndex(socket, master.master);
  if (controller?.kind !== undefined && EXCLUSIVE_CONTROLLERS.includes(controller.kind)) {
    return `it is a port of the ${controller.kind} "${controller.name}"`;
  }
  const macvlan = (all ?? links(socket, "macvlan")).find(
    (link) => link.kind === "macvlan" && link.linkIndex === master.index,
  );
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

/**
 * The first of the selectors' interfaces that is up and can serve. Throws a Failure of kind `master` when a selector fits
 * several such interfaces, or when none of them serves: then it says why for each.
 */
function selectMaster(socket: Socket, selectors: MasterSelector[]): Link {
  const all = links(socket);
  const rejected: string[] = [];
  for (const selector of selectors) {
    const text = describeSelector(selector);
    const candidates = all.filter((link) => fits(socket, link, selector));
    const able = candidates.filter((link) => {
      const reason = rejection(socket, link, all);
      if (reason !== undefined) rejected.push(`${text}: ${reason}`);
      return reason === undefined;
    });
    if (candidates.length === 0) rejected.push(`${text}: no such interface`);
    const [first, ...others] = able;
    if (others.length > 0) {
      const names = able.map((link) => `"${link.name}"`).join(", ");
      throw new Failure("master", `${text} of "master" fits several interfaces: ${names}`, {
        remedy: "say it so that it fits one, or list the names in the order they are wanted",
      });
    }
    if (first !== undefined) return first;
  }
  throw new Failure("master", `no interface that "master" names can serve`, {
    details: rejected.join("; "),
    remedy: "bring one of them up, or name another",
  });
}

function rejection(socket: Socket, link: Link, all: Link[]): string | undefined {
  if ((link.flags & IFF_UP) === 0) return `"${link.name}" is down`;
  return unfitness(link)?.message ?? prefixed(link, occupantOf(socket, link, all));
}

function prefixed(link: Link, reason: string | undefined): string | undefined {
  return reason === undefined ? undefined : `"${link.name}" cannot: ${reason}`;
}

function fits(socket: Socket, link: Link, { name, mac, prefix, pattern }: MasterSelector): boolean {
  if (name !== undefined && link.name !== name && !link.altNames.includes(name)) return false;
  // The endpoints of a master bear its MAC address, and a name like its own; they are not meant.
  if (name === undefined && link.kind === "ipvlan") return false;
  if (mac !== undefined && link.mac !== mac) return false;
  if (pattern !== undefined && ![link.name, ...link.altNames].some((each) => pattern.test(each)))
    return false;
  if (prefix === undefined) return true;
  return addressesOf(socket, link.index).some(({ address }) => prefixContains(prefix, address));
}

function describeSelector({ name, mac, prefix, pattern }: MasterSelector): string {
  const parts = [
    name === undefined ? [] : [`name "${name}"`],
    mac === undefined ? [] : [`mac "${mac}"`],
    prefix === undefined ? [] : [`prefix "${formatPrefix(prefix)}"`],
    pattern === undefined ? [] : [`match "${pattern.source}"`],
  ];
  return parts.flat().join(" with ");
}
