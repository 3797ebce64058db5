import { occupantOf } from "../../ipvlan/master.ts";
import { defaultRouteLink, type Link, links } from "../../linux/rtnetlink.ts";
import { closeSocket, openSocket, type Socket } from "../../linux/socket.ts";
import type { Endpoint } from "../endpoints.ts";
import { type Diagnosis, ok, warning } from "./diagnosis.ts";

// linux/if.h, linux/if_arp.h
const IFF_UP = 0x1;
const IFF_LOOPBACK = 0x8;
const IFF_LOWER_UP = 0x10000;
const ARPHRD_ETHER = 1;
/** Kinds that are ends of something else, and that nobody means when asking for a master. */
const NEVER_MEANT = new Set(["ipvlan", "veth", "macvlan", "macvtap", "tun", "bridge"]);

/** The interfaces of this namespace that can be masters, and what each carries already. */
export function examineMasters(endpoints: Endpoint[]): Diagnosis[] {
  const socket = openSocket();
  try {
    const all = links(socket);
    const candidates = all.filter(isCandidate);
    if (candidates.length === 0)
      return [
        warning(
          "masters",
          "there is no Ethernet interface here that could be a master",
          "add one, or name a veth or bridge as master",
        ),
      ];
    const defaultIndex = defaultRouteLink(socket);
    return candidates.map((link) => examine(socket, link, endpoints, link.index === defaultIndex));
  } finally {
    closeSocket(socket);
  }
}

function isCandidate(link: Link): boolean {
  return (
    link.ifType === ARPHRD_ETHER && (link.flags & IFF_LOOPBACK) === 0 && !NEVER_MEANT.has(link.kind ?? "")
  );
}

function examine(socket: Socket, link: Link, endpoints: Endpoint[], isDefault: boolean): Diagnosis {
  const subject = `master ${link.name}`;
  const facts = [`MTU ${link.mtu}`];
  if (link.altNames.length > 0) facts.push(`also called ${link.altNames.join(", ")}`);
  if (isDefault) facts.push("taken when a network names no master");
  const carried = endpoints.filter(({ master, state }) => master === link.name && state !== "gone");
  if (carried.length > 0) facts.push(`${carried.length} endpoints, ${describePort(carried)}`);
  const occupant = occupantOf(socket, link);
  if (occupant !== undefined)
    return warning(
      subject,
      `cannot carry ipvlan links: ${occupant}`,
      "use another master, or remove what occupies it",
    );
  // Only a master that something depends on is missed when it is down.
  const isNeeded = isDefault || carried.length > 0;
  const isUp = (link.flags & IFF_UP) !== 0;
  if (isUp && (link.flags & IFF_LOWER_UP) !== 0) return ok(subject, facts.join("; "));
  facts.unshift(isUp ? "has no carrier" : "is down");
  const remedy = isUp ? "see to its cable or switch port" : `ip link set ${link.name} up`;
  return isNeeded ? warning(subject, facts.join("; "), remedy) : ok(subject, facts.join("; "));
}

function describePort(carried: Endpoint[]): string {
  const settings = new Set(carried.map(({ mode, flag }) => `mode ${mode}, flag ${flag}`));
  return [...settings].join(" and ");
}
