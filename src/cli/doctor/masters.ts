import { ARPHRD_ETHER, IFF_LOOPBACK, IFF_LOWER_UP, IFF_UP } from "../../../wasm/uapi.ts";
import { occupantOf } from "../../ipvlan/occupant.ts";
import { portName } from "../../ipvlan/port.ts";
import { closeNamespace, openOwnNamespace } from "../../linux/netns.ts";
import { defaultRouteLink, type Link, links } from "../../linux/rtnetlink.ts";
import { closeSocket, openSocket, type Socket } from "../../linux/socket.ts";
import type { Endpoint } from "../endpoints.ts";
import { type Diagnosis, ok, warning } from "./diagnosis.ts";

/** Kinds that are ends of something else, and that nobody means when asking for a master. */
const NEVER_MEANT = new Set(["ipvlan", "veth", "macvlan", "macvtap", "tun", "bridge"]);

/** The interfaces of this namespace that can be masters, what each carries already, and masters elsewhere that carry something. */
export function examineMasters(endpoints: Endpoint[]): Diagnosis[] {
  const living = endpoints.filter(({ state }) => state !== "gone" && state !== "missing");
  const own = openOwnNamespace();
  const socket = openSocket();
  try {
    const defaultIndex = defaultRouteLink(socket);
    const all = links(socket);
    const masters = all
      .map((link) => ({ link, port: portName(own, link) }))
      .map(({ link, port }) => ({ link, carried: living.filter((endpoint) => endpoint.port === port), port }))
      .filter(
        ({ link, carried }) =>
          isCandidate(link) ||
          ((carried.length > 0 || link.index === defaultIndex) && link.kind !== "ipvlan"),
      );
    const here = masters.map(({ link, carried }) =>
      examine(socket, all, link, carried, link.index === defaultIndex),
    );
    const known = new Set(masters.map(({ port }) => port));
    const elsewhere = living.filter(({ port }) => port === undefined || !known.has(port));
    const nowhere = warning(
      "masters",
      "there is no Ethernet interface here that could be a master",
      "add one, or name a veth or bridge as master",
    );
    return [
      ...(here.length === 0 ? [nowhere] : here),
      ...examineElsewhere(elsewhere),
      ...comparePorts(living),
    ];
  } finally {
    closeSocket(socket);
    closeNamespace(own);
  }
}

function isCandidate(link: Link): boolean {
  return (
    link.ifType === ARPHRD_ETHER && (link.flags & IFF_LOOPBACK) === 0 && !NEVER_MEANT.has(link.kind ?? "")
  );
}

function examine(
  socket: Socket,
  all: Link[],
  link: Link,
  carried: Endpoint[],
  isDefault: boolean,
): Diagnosis {
  const subject = `master ${link.name}`;
  const facts = [`MTU ${link.mtu}`];
  if (link.altNames.length > 0) facts.push(`also called ${link.altNames.join(", ")}`);
  if (isDefault) facts.push("taken when a network names no master");
  if (carried.length > 0) facts.push(describePort(carried));
  const occupant = occupantOf(socket, link, all);
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

/** Masters in other namespaces (linkInContainer), and those that nobody finds. */
function examineElsewhere(endpoints: Endpoint[]): Diagnosis[] {
  const names = [...new Set(endpoints.map(nameOfMaster))];
  return names.map((name) => {
    const carried = endpoints.filter((endpoint) => nameOfMaster(endpoint) === name);
    const subject = `master ${name}`;
    if (carried.some(({ port }) => port !== undefined)) return ok(subject, describePort(carried));
    return warning(
      subject,
      `${describePort(carried)}; it is in a namespace that cannot be looked into`,
      "run the doctor as root, in the namespace of the host's processes",
    );
  });
}

/** The name, and where that is not here, the namespace. */
function nameOfMaster({ master, masterNamespace }: Endpoint): string {
  return masterNamespace === undefined ? master : `${master} in ${masterNamespace}`;
}

function describePort(carried: Endpoint[]): string {
  const settings = new Set(carried.map(({ mode, flag }) => `mode ${mode}, flag ${flag}`));
  return `${carried.length} endpoints, ${[...settings].join(" and ")}`;
}

/** Endpoints whose port somebody has changed since their ADD. */
function comparePorts(endpoints: Endpoint[]): Diagnosis[] {
  const changed = endpoints.filter(
    ({ asked, mode, flag }) => asked !== undefined && (asked.mode !== mode || asked.flag !== flag),
  );
  return [...new Set(changed.map(nameOfMaster))].map((name) => {
    const some = changed.filter((endpoint) => nameOfMaster(endpoint) === name);
    const [{ asked, mode, flag, interface: link, namespace }] = some as [Endpoint, ...Endpoint[]];
    const word = asked!.flag === flag ? "" : ` ${asked!.flag}`;
    return warning(
      `master ${name}`,
      `${some.length} endpoints were attached in mode ${asked!.mode}, flag ${asked!.flag}; somebody has set mode ${mode}, flag ${flag}`,
      `for all of them together: nsenter --net=${namespace} ip link set ${link} type ipvlan mode ${asked!.mode}${word}`,
    );
  });
}
