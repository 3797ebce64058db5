import { IFF_UP } from "../../wasm/uapi.ts";
import { Failure } from "../error.ts";
import { addressesOf, type Link, links } from "../linux/rtnetlink.ts";
import type { Socket } from "../linux/socket.ts";
import { formatPrefix, prefixContains } from "../net/ip.ts";
import type { MasterSelector } from "./call.ts";
import { unfitness } from "./master.ts";
import { occupantOf } from "./occupant.ts";

/**
 * The first of the selectors' interfaces that is up and can serve. Throws a Failure of kind `master` when a selector fits
 * several such interfaces, or when none of them serves: then it says why for each.
 */
export function selectMaster(socket: Socket, selectors: MasterSelector[]): Link {
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
