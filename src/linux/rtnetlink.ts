import { RTM_NEWADDR, RTM_NEWLINK, RTM_NEWROUTE } from "../../wasm/uapi.ts";
import { encodeUtf8 } from "../text.ts";
import * as codec from "./codec.ts";
import { check, ENODEV, ENOENT, isErrno, KernelError } from "./errno.ts";
import { ioctl } from "./libc.ts";
import { type Acknowledgement, dump, exchange, type Socket } from "./socket.ts";

export type { Address, Link, Route as KernelRoute } from "./codec.ts";

/** <linux/sockios.h> */
const SIOCGIFINDEX = 0x8933;
const RT_TABLE_MAIN = 254;
const RTN_UNICAST = 1;

/** Throws the KernelError of an acknowledgement that is none. */
export function expect(answer: Acknowledgement | undefined, operation: string, subject: string): void {
  if (answer !== undefined && answer.errno !== 0) {
    throw new KernelError(operation, subject, answer.errno, answer.message);
  }
}

/**
 * The index of the link of that name in the socket's namespace; undefined when there is none. Throws a KernelError.
 * netdevice(7): a quarter of the work of asking for the whole link.
 */
export function indexByName(socket: Socket, name: string): number | undefined {
  // struct ifreq: the name in 16 bytes, and a union that begins with the index.
  const words = new Uint32Array(10);
  const request = new Uint8Array(words.buffer);
  request.set(encodeUtf8(name));
  const done = ioctl(socket.fd, SIOCGIFINDEX, request);
  if (done === -ENODEV) return undefined;
  check(done, "SIOCGIFINDEX", name);
  return words[4];
}

/** The link of that name (or alternative name), or undefined. Throws KernelError. */
export function linkByName(socket: Socket, name: string): codec.Link | undefined {
  return getLink(socket, { name }, name);
}

/** The link with that index, or undefined. Throws KernelError. */
export function linkByIndex(socket: Socket, index: number): codec.Link | undefined {
  return getLink(socket, { index }, `link ${index}`);
}

function getLink(
  socket: Socket,
  which: { name: string } | { index: number },
  subject: string,
): codec.Link | undefined {
  let link: codec.Link | undefined;
  const [answer] = exchange(
    socket,
    () => codec.requestLinkGet(which),
    (type) => {
      if (type === RTM_NEWLINK) link = codec.responseLink();
    },
  );
  if (answer?.errno === ENODEV) return undefined;
  expect(answer, "RTM_GETLINK", subject);
  return link;
}

/** Every link of the socket's namespace, or those of one kind. Throws KernelError, or Failure `busy`. */
export function links(socket: Socket, kind?: string): codec.Link[] {
  return dump(
    socket,
    "links",
    () => codec.requestLinkDump(kind === undefined ? {} : { kind }),
    (type) => {
      if (type !== RTM_NEWLINK) return undefined;
      const link = codec.responseLink();
      // Kernels before 4.6 take no filter.
      return kind === undefined || link.kind === kind ? link : undefined;
    },
  );
}

/** The addresses of one link. Throws KernelError, or Failure `busy`. */
export function addressesOf(socket: Socket, index: number): codec.Address[] {
  return dump(
    socket,
    "addresses",
    () => codec.requestAddressDump({ index }),
    (type) => {
      if (type !== RTM_NEWADDR) return undefined;
      const address = codec.responseAddress();
      return address.index === index ? address : undefined;
    },
  );
}

/** The routes of one family that leave by link `oif`, of every table. Throws KernelError, or Failure `busy`. */
export function routesOf(socket: Socket, family: 4 | 6, oif: number): codec.Route[] {
  return dump(
    socket,
    "routes",
    () => codec.requestRouteDump({ family, oif }),
    (type) => {
      if (type !== RTM_NEWROUTE) return undefined;
      const route = codec.responseRoute();
      return route.oif === oif ? route : undefined;
    },
  );
}

/**
 * The index of the link that the default route of the main table leaves by: IPv4 before IPv6, the lowest metric first,
 * the first hop of a multipath route; undefined when there is none. Throws KernelError, or Failure `busy`.
 */
export function defaultRouteLink(socket: Socket): number | undefined {
  for (const family of [4, 6] as const) {
    const best = defaultRoutes(socket, family).sort((a, b) => a.priority - b.priority)[0];
    if (best !== undefined) return best.oif;
  }
  return undefined;
}

function defaultRoutes(socket: Socket, family: 4 | 6): { oif: number; priority: number }[] {
  try {
    return dump(
      socket,
      "routes",
      () => codec.requestRouteDump({ family, table: RT_TABLE_MAIN }),
      (type) => {
        if (type !== RTM_NEWROUTE) return undefined;
        const route = codec.responseRoute();
        const usable = route.dst.length === 0 && route.type === RTN_UNICAST && route.table === RT_TABLE_MAIN;
        return usable && route.oif !== undefined ? { oif: route.oif, priority: route.priority } : undefined;
      },
    );
  } catch (thrown) {
    // A namespace that never had a route has no table yet.
    if (isErrno(thrown, ENOENT)) return [];
    throw thrown;
  }
}

/** Removes a link; one that is gone already is no error. Throws KernelError. */
export function linkDelete(socket: Socket, index: number): void {
  const [answer] = exchange(socket, () => codec.requestLinkDelete({ index }));
  if (answer?.errno !== ENODEV) expect(answer, "RTM_DELLINK", `link ${index}`);
}
