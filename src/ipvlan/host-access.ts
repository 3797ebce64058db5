import { IFA_F_NODAD } from "../../wasm/uapi.ts";
import { Failure, joinFailures } from "../error.ts";
import type { Ipam } from "../ipam/ipam.ts";
import * as codec from "../linux/codec.ts";
import { EEXIST, ESRCH, KernelError } from "../linux/errno.ts";
import { listDirectory, overwriteText, removeFile, statusOf } from "../linux/file.ts";
import { expect, type Link, linkByName, linkDelete } from "../linux/rtnetlink.ts";
import { runDirectory } from "../linux/run-directory.ts";
import { closeSocket, exchange, openSocket, type Socket, withSocket } from "../linux/socket.ts";
import { bitsOf, formatAddress, type IpAddress, type IpPrefix, parseAddress } from "../net/ip.ts";
import type { Route } from "../net/result.ts";
import type { EndpointConfig } from "./call.ts";
import { kindOf } from "./link.ts";
import { lockRunFile, readRunFile } from "./lock.ts";
import { digest, type EndpointRecord, type RecordIdentity, someLive } from "./record.ts";
import type { Orphan } from "./vlan.ts";

/*
 * The driver never passes a packet between a container and its own master. With `hostAccess` the host gets an endpoint of
 * its own on the master, one for each network and port, with a host address (/32, /128), and a route through it to each
 * container's address; each container gets a route to the host's. The kernel is asked what is there; the file says only which
 * addresses are the host's, and is the lock for whoever changes any of it.
 */

const STATE_MAX_BYTES = 4096;
// linux/rtnetlink.h, linux/if_link.h
const RT_SCOPE_LINK = 253;

/** The host's addresses, once somebody has given them. */
interface HostState {
  addresses: string[];
  /** They came from the IPAM, and go back to it. */
  leased: boolean;
}

/** What the host's endpoint of a network on a port is called: file, link, and interface name in the IPAM. */
export function hostName(network: string, port: string): string {
  return `ivh${digest(`${network},${port}`).slice(0, 12)}`;
}

/** Throws a `config` Failure where host access cannot be. */
export function checkHostAccess({ flag, linkInContainer }: EndpointConfig): void {
  if (flag !== "bridge") {
    throw new Failure(
      "config",
      `hostAccess needs flag "bridge": "${flag}" keeps endpoints of one master apart`,
      {
        remedy: "leave hostAccess or flag out",
      },
    );
  }
  if (linkInContainer) {
    throw new Failure("config", "hostAccess needs a master on the host, but linkInContainer is true", {
      remedy: "leave one of the two out",
    });
  }
}

/**
 * Makes sure that the host has its endpoint on the master, and routes to these addresses of a container through it.
 * Returns the routes that the container needs to the host. Throws a Failure; what was done until then `leaveHost` undoes.
 */
export async function joinHost(
  socket: Socket,
  masterIndex: number,
  endpoint: EndpointConfig,
  name: string,
  containers: IpAddress[],
  ipam: Ipam | undefined,
): Promise<Route[]> {
  const path = hostPath(name);
  const lock = lockRunFile(path);
  try {
    const state = readState(path) ?? (await takeHostAddresses(path, endpoint, ipam));
    const addresses = state.addresses.map((text) => parseAddress(text)!);
    const link = ensureLink(socket, masterIndex, endpoint, name);
    configureHost(socket, link, addresses, containers);
    return addresses.map((address) => ({
      dst: { ...address, length: bitsOf(address.family) },
      scope: RT_SCOPE_LINK,
    }));
  } finally {
    lock.release();
  }
}

async function takeHostAddresses(
  path: string,
  endpoint: EndpointConfig,
  ipam: Ipam | undefined,
): Promise<HostState> {
  const given = endpoint.options?.hostAddresses;
  if (given !== undefined) return writeState(path, { addresses: given.map(formatAddress), leased: false });
  if (ipam === undefined) {
    throw new Failure("config", "hostAccess has no address for the host: this ipam cannot give one", {
      remedy: 'name it: "hostAccess": ["192.0.2.1"]',
    });
  }
  // What a crash between lease and file left is given back first.
  await ipam.del();
  const { ips } = await ipam.add();
  return writeState(path, { addresses: ips.map((ip) => formatAddress(ip.address)), leased: true });
}

function ensureLink(socket: Socket, masterIndex: number, endpoint: EndpointConfig, name: string): Link {
  const present = linkByName(socket, name);
  if (present?.kind === LINK_KIND) return present;
  if (present !== undefined) {
    throw new Failure("interface", `the host has an interface "${name}" that is no ipvlan link`, {
      remedy: "remove or rename it",
    });
  }
  const [answer] = exchange(socket, () =>
    codec.requestLinkAdd({
      ...kindOf(endpoint),
      name,
      masterIndex,
    }),
  );
  expect(answer, "RTM_NEWLINK", name);
  const link = linkByName(socket, name);
  if (link !== undefined) return link;
  throw new Failure("interface", `interface "${name}" vanished right after it was created`);
}

/** Addresses, up, and a route to each container, all as good as done where they are there already. */
function configureHost(socket: Socket, link: Link, addresses: IpAddress[], containers: IpAddress[]): void {
  const answers = exchange(socket, () => {
    for (const address of addresses) {
      codec.requestAddressAdd({
        index: link.index,
        address: whole(address),
        flags: address.family === 6 ? IFA_F_NODAD : 0,
      });
    }
    codec.requestLinkSet({ index: link.index, up: true });
    for (const container of containers) {
      const source = addresses.find(({ family }) => family === container.family);
      codec.requestRouteAdd({ ...hostRoute(link, container), source });
    }
  });
  for (const answer of answers) {
    if (answer.errno !== 0 && answer.errno !== EEXIST) {
      throw new Failure("interface", `the host's endpoint "${link.name}" cannot be set up`, {
        cause: new KernelError("rtnetlink", link.name, answer.errno, answer.message),
        remedy: 'see whether the address of "hostAccess" is in use on this master',
      });
    }
  }
}

/** An address with a prefix of nothing but itself. */
function whole(address: IpAddress): IpPrefix {
  return { ...address, length: bitsOf(address.family) };
}

function hostRoute(link: Link, container: IpAddress): codec.RouteRequest {
  return {
    dst: whole(container),
    oif: link.index,
    ...(container.family === 4 ? { scope: RT_SCOPE_LINK } : {}),
  };
}

/**
 * A container is gone: its routes go, and after the last one of the network on that port the host's endpoint and its
 * addresses. `gone` is the container's record, which may still be there. Throws what failed, after everything was tried.
 */
export async function leaveHost(
  gone: RecordIdentity & Pick<EndpointRecord, "host">,
  ipam: Ipam | undefined,
): Promise<void> {
  if (gone.host === undefined) return;
  const { name, containers } = gone.host;
  const path = hostPath(name);
  if (statusOf(path) === undefined) return;
  const lock = lockRunFile(path);
  let socket: Socket | undefined;
  try {
    socket = openSocket();
    const link = linkByName(socket, name);
    if (isNeeded(name, gone)) {
      if (link !== undefined)
        removeRoutes(
          socket,
          link,
          containers.map((text) => parseAddress(text)!),
        );
      return;
    }
    const failures: unknown[] = [];
    try {
      if (readState(path)?.leased !== false) await ipam?.del();
    } catch (thrown) {
      failures.push(thrown);
    }
    if (link?.kind === LINK_KIND) linkDelete(socket, link.index);
    if (failures.length > 0) throw joinFailures(failures);
    removeFile(path);
  } finally {
    if (socket !== undefined) closeSocket(socket);
    lock.release();
  }
}

function isNeeded(name: string, gone?: RecordIdentity): boolean {
  return someLive(
    (record) =>
      record.host?.name === name &&
      (gone === undefined || record.containerId !== gone.containerId || record.ifName !== gone.ifName),
  );
}

/** The host's endpoints, as far as they are in this namespace, whose network has no container any more. Throws KernelError. */
export function orphanHosts(): Orphan[] {
  return withSocket((socket) =>
    (listDirectory(hostPath("")) ?? []).flatMap(({ name }) => {
      const path = hostPath(name);
      if (readState(path) === undefined || isNeeded(name)) return [];
      const link = linkByName(socket, name);
      // Somebody may have tidied up meanwhile.
      return statusOf(path) === undefined ? [] : [{ link: link?.name, path }];
    }),
  );
}

function removeRoutes(socket: Socket, link: Link, containers: IpAddress[]): void {
  if (containers.length === 0) return;
  const answers = exchange(socket, () => {
    for (const container of containers) codec.requestRouteDelete(hostRoute(link, container));
  });
  for (const answer of answers) if (answer.errno !== ESRCH) expect(answer, "RTM_DELROUTE", link.name);
}

function hostPath(name: string): string {
  return `${runDirectory()}/hosts/${name}`;
}

function readState(path: string): HostState | undefined {
  const state = readRunFile(path, STATE_MAX_BYTES) as
    | { addresses?: unknown; leased?: unknown }
    | null
    | undefined;
  if (!Array.isArray(state?.addresses) || typeof state.leased !== "boolean") return undefined;
  const areAddresses = state.addresses.every(
    (text) => typeof text === "string" && parseAddress(text) !== undefined,
  );
  return areAddresses ? { addresses: state.addresses, leased: state.leased } : undefined;
}

function writeState(path: string, state: HostState): HostState {
  overwriteText(path, JSON.stringify(state), 0o600);
  return state;
}
