import { HOST_CONTAINER_ID } from "../ipam/ipam.ts";
import { FLAGS, MODES } from "../ipvlan/link.ts";
import { portName } from "../ipvlan/port.ts";
import type { EndpointRecord } from "../ipvlan/record.ts";
import { allRecords } from "../ipvlan/record.ts";
import { closeNamespace, type Namespace, openOwnNamespace } from "../linux/netns.ts";
import { addressesOf, type Link, links } from "../linux/rtnetlink.ts";
import { closeSocket, namespaceMark, openSocket, type Socket } from "../linux/socket.ts";
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
  /** A path to the namespace the master is in, where that is another than this process's. */
  masterNamespace: string | undefined;
  /** As the kernel has them, for all endpoints of the port. */
  mode: string;
  flag: string;
  /** With prefix lengths; link-local ones, which every endpoint has, are left out. */
  addresses: string[];
  /** A path to the namespace it is in. */
  namespace: string;
  state: EndpointState;
  /** What records call the master (see ipvlan/port.ts); undefined where it is not found. */
  port: string | undefined;
  /** What the ADD asked for; undefined without a record. */
  asked: { mode: string; flag: string } | undefined;
}

/**
 * `host`: the host's own, for hostAccess; `foreign`: there is no record of it; `gone`: its namespace has ended; `missing`: the
 * namespace lacks the link; `leaving`: its removal has begun.
 */
export type EndpointState = "attached" | "host" | "foreign" | "gone" | "missing" | "leaving";

/** A network namespace with what is in it. */
interface Place {
  mark: string;
  identity: string;
  path: string;
  links: Link[];
  addresses: Map<number, string[]>;
}

interface Found {
  place: Place;
  link: Link;
}

/**
 * Every ipvlan endpoint in a namespace that a process is in or a mount keeps, and every record besides. Needs root to
 * look into the namespaces of others.
 */
export function endpointsOfHost(): Endpoint[] {
  const { home, places } = lookEverywhere();
  const records = allRecords();
  const found = places.flatMap((place) =>
    place.links.filter(({ kind }) => kind === "ipvlan").map((link): Found => ({ place, link })),
  );
  const recordOf = ({ place, link }: Found) =>
    records.find((record) => record.namespace === place.mark && record.ifName === link.name);
  const present = found.map((each) => {
    const servant = records.find(({ host }) => host !== undefined && host.name === each.link.name);
    if (servant !== undefined && each.place === home) return hostEndpoint(each, servant, places);
    return endpointOf(each, recordOf(each), home, places);
  });
  const explained = new Set(found.map(recordOf));
  const isThere = (mark: string) => places.some((place) => place.mark === mark);
  const absent = records
    .filter((record) => !explained.has(record))
    .map((record) => absentEndpoint(record, isThere(record.namespace)));
  return [...present, ...absent].sort(
    (a, b) =>
      compare(a.network, b.network) || compare(a.container, b.container) || compare(a.interface, b.interface),
  );
}

function compare(a = "\uffff", b = "\uffff"): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** All namespaces there are, and this one of them. */
function lookEverywhere(): { home: Place; places: Place[] } {
  const own = openOwnNamespace();
  try {
    const places: Place[] = [];
    eachNamespace((namespace) => places.push(lookAround(namespace)));
    const known = places.find(({ identity }) => identity === own.identity);
    const home = known ?? lookAround(own);
    return { home, places: known === undefined ? [home, ...places] : places };
  } finally {
    closeNamespace(own);
  }
}

/** The namespace the process is in. */
function lookAround(namespace: Namespace): Place {
  const socket = openSocket();
  try {
    const all = links(socket);
    const endpoints = all.filter(({ kind }) => kind === "ipvlan");
    return {
      mark: namespaceMark(namespace, socket),
      identity: namespace.identity,
      path: namespace.path,
      links: all,
      addresses: new Map(endpoints.map(({ index }) => [index, ownAddresses(socket, index)])),
    };
  } finally {
    closeSocket(socket);
  }
}

// linux/rtnetlink.h
const RT_SCOPE_LINK = 253;

function ownAddresses(socket: Socket, index: number): string[] {
  return addressesOf(socket, index)
    .filter(({ scope }) => scope !== RT_SCOPE_LINK)
    .map(({ address, prefixLength }) => formatPrefix({ ...address, length: prefixLength }));
}

function endpointOf(
  found: Found,
  record: EndpointRecord | undefined,
  home: Place,
  places: Place[],
): Endpoint {
  const { link, place } = found;
  const master = masterOf(found, record, home, places);
  return {
    container: record?.containerId,
    network: record?.network,
    interface: link.name,
    master: record?.master ?? master?.link.name ?? `#${link.linkIndex ?? "?"}`,
    masterNamespace: master === undefined || master.place === home ? undefined : master.place.path,
    mode: nameOf(MODES, link.ipvlanMode),
    flag: nameOf(FLAGS, link.ipvlanFlags),
    addresses: place.addresses.get(link.index) ?? [],
    namespace: record?.netns || place.path,
    state: record === undefined ? "foreign" : record.gone ? "leaving" : "attached",
    port: record?.port || (master && portName(master.place, master.link)),
    asked: record && { mode: record.mode, flag: record.flag },
  };
}

/** The host's own endpoint: it belongs to every record of its network that names it. */
function hostEndpoint(found: Found, record: EndpointRecord, places: Place[]): Endpoint {
  const { network, master, port } = record;
  return {
    ...endpointOf(found, undefined, found.place, places),
    container: HOST_CONTAINER_ID,
    network,
    master,
    port,
    state: "host",
  };
}

function absentEndpoint(record: EndpointRecord, hasNamespace: boolean): Endpoint {
  const { containerId, network, ifName, master, mode, flag, netns, port } = record;
  return {
    container: containerId,
    network,
    interface: ifName,
    master,
    masterNamespace: undefined,
    mode,
    flag,
    addresses: [],
    namespace: netns,
    state: !hasNamespace ? "gone" : record.gone ? "leaving" : "missing",
    port: port || undefined,
    asked: { mode, flag },
  };
}

/**
 * The link below an endpoint, in whichever namespace. The kernel tells its index only, and whether it is in another namespace;
 * the MAC address, which the two share, tells it from links of the same index elsewhere.
 */
function masterOf(
  { place, link }: Found,
  record: EndpointRecord | undefined,
  home: Place,
  places: Place[],
): { place: Place; link: Link } | undefined {
  const isMaster = (each: Link) =>
    each.index === link.linkIndex && each.mac === link.mac && each.kind !== "ipvlan";
  const candidates =
    link.linkNetnsid === undefined
      ? [place]
      : [home, ...places.filter((other) => other !== home && other !== place)];
  const masters = candidates.flatMap((candidate) =>
    candidate.links.filter(isMaster).map((each) => ({ place: candidate, link: each })),
  );
  return masters.find((each) => portName(each.place, each.link) === record?.port) ?? masters[0];
}

function nameOf(names: Record<string, number>, number: number | undefined): string {
  return Object.entries(names).find(([, value]) => value === number)?.[0] ?? `${number}`;
}
