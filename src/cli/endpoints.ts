import { HOST_CONTAINER_ID } from "../ipam/ipam.ts";
import { FLAGS, MODES } from "../ipvlan/link.ts";
import type { EndpointRecord } from "../ipvlan/record.ts";
import { allRecords } from "../ipvlan/record.ts";
import { closeNamespace, type Namespace, openOwnNamespace } from "../linux/netns.ts";
import { addressesOf, type Link, links } from "../linux/rtnetlink.ts";
import { closeSocket, namespaceMark, openSocket } from "../linux/socket.ts";
import { formatPrefix } from "../net/ip.ts";
import { eachNamespace } from "./each-namespace.ts";

/** One ipvlan endpoint of this host, or the record of one that has gone. */
export interface Endpoint {
  /** undefined for one that another program made, or whose record has been lost. */
  container: string | undefined;
  network: string | undefined;
  interface: string;
  /** The master's name where it is known, else "#" and its index. */
  master: string;
  mode: string;
  flag: string;
  /** With prefix lengths; link-local ones, which every endpoint has, are left out. */
  addresses: string[];
  /** A path to the namespace it is in. */
  namespace: string;
  state: EndpointState;
}

/** `host`: the host's own, for hostAccess; `foreign`: there is no record of it; `gone`: its namespace has ended; `missing`: the namespace lacks the link. */
export type EndpointState = "attached" | "host" | "foreign" | "gone" | "missing";

interface Found {
  mark: string;
  path: string;
  link: Link;
  addresses: string[];
}

/**
 * Every ipvlan endpoint in a namespace that a process is in or a mount keeps, and every record besides. Needs root to
 * look into the namespaces of others.
 */
export function endpointsOfHost(): Endpoint[] {
  const { home, hostLinks } = lookHere();
  const namespaces = new Set<string>();
  const found: Found[] = [];
  eachNamespace((namespace) => {
    const { mark, endpoints } = lookAround(namespace);
    namespaces.add(mark);
    found.push(...endpoints.map((each) => ({ ...each, mark, path: namespace.path })));
  });
  const records = allRecords();
  const recordOf = ({ mark, link }: Found) =>
    records.find((record) => record.namespace === mark && record.ifName === link.name);
  const present = found.map((each) => {
    const servant = records.find(({ host }) => host !== undefined && host.name === each.link.name);
    if (servant !== undefined && each.mark === home) return hostEndpoint(each, servant);
    return endpointOf(each, recordOf(each), hostLinks);
  });
  const explained = new Set(found.map(recordOf));
  const absent = records
    .filter((record) => !explained.has(record))
    .map((record) => absentEndpoint(record, namespaces.has(record.namespace) ? "missing" : "gone"));
  return [...present, ...absent].sort(
    (a, b) =>
      compare(a.network, b.network) || compare(a.container, b.container) || compare(a.interface, b.interface),
  );
}

function compare(a = "\uffff", b = "\uffff"): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function lookHere(): { home: string; hostLinks: Link[] } {
  const namespace = openOwnNamespace();
  const socket = openSocket();
  try {
    return { home: namespaceMark(namespace, socket), hostLinks: links(socket) };
  } finally {
    closeSocket(socket);
    closeNamespace(namespace);
  }
}

/** The namespace the process is in: what records call it, and its ipvlan links. */
function lookAround(container: Namespace) {
  const inside = openSocket();
  try {
    const endpoints = links(inside, "ipvlan").map((link) => ({
      link,
      addresses: addressesOf(inside, link.index)
        .filter(({ scope }) => scope !== RT_SCOPE_LINK)
        .map(({ address, prefixLength }) => formatPrefix({ ...address, length: prefixLength })),
    }));
    return { mark: namespaceMark(container, inside), endpoints };
  } finally {
    closeSocket(inside);
  }
}

// linux/rtnetlink.h
const RT_SCOPE_LINK = 253;

function endpointOf(found: Found, record: EndpointRecord | undefined, hostLinks: Link[]): Endpoint {
  const { link, path, addresses } = found;
  return {
    container: record?.containerId,
    network: record?.network,
    interface: link.name,
    master: record?.master ?? masterOf(link, hostLinks),
    mode: nameOf(MODES, link.ipvlanMode),
    flag: nameOf(FLAGS, link.ipvlanFlags),
    addresses,
    namespace: record?.netns || path,
    state: record === undefined ? "foreign" : "attached",
  };
}

/** The host's own endpoint: it belongs to every record of its network that names it. */
function hostEndpoint(found: Found, record: EndpointRecord): Endpoint {
  const { network, master } = record;
  return {
    ...endpointOf(found, undefined, []),
    container: HOST_CONTAINER_ID,
    network,
    master,
    state: "host",
  };
}

function absentEndpoint(record: EndpointRecord, state: "gone" | "missing"): Endpoint {
  const { containerId, network, ifName, master, mode, flag, netns } = record;
  return {
    container: containerId,
    network,
    interface: ifName,
    master,
    mode,
    flag,
    addresses: [],
    namespace: netns,
    state,
  };
}

/** The kernel tells the master's index only; a link of that index here with the same MAC address is the one. */
function masterOf(link: Link, hostLinks: Link[]): string {
  const candidate = hostLinks.find((each) => each.index === link.linkIndex && each.mac === link.mac);
  return candidate?.name ?? `#${link.linkIndex ?? "?"}`;
}

function nameOf(names: Record<string, number>, number: number | undefined): string {
  return Object.entries(names).find(([, value]) => value === number)?.[0] ?? `${number}`;
}
