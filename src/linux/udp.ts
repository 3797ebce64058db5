import { check, EAGAIN } from "./errno.ts";
import { bind, close, recv, sendTo, socket } from "./libc.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM_CLOEXEC_NONBLOCK = 2 | 0o2000000 | 0o4000;

/** Binds a UDP socket to an IPv4 address (its four bytes) in the namespace the process is in. Throws KernelError. */
export function openUdpSocket(address: Uint8Array, port: number): number {
  const fd = check(socket(AF_INET, SOCK_DGRAM_CLOEXEC_NONBLOCK, 0), "socket", "UDP");
  // struct sockaddr_in: family, port, address, padding.
  const name = new Uint8Array(16);
  name[0] = AF_INET;
  new DataView(name.buffer).setUint16(2, port);
  name.set(address, 4);
  const bound = bind(fd, name);
  if (bound < 0) close(fd);
  check(bound, "bind", `UDP port ${port}`);
  return fd;
}

/** Closes it. */
export function closeUdpSocket(fd: number): void {
  close(fd);
}

/** Binds a UDP socket to a link-local IPv6 address (its 16 bytes) of a link. Throws KernelError. */
export function openUdp6Socket(address: Uint8Array, port: number, linkIndex: number): number {
  const fd = check(socket(AF_INET6, SOCK_DGRAM_CLOEXEC_NONBLOCK, 0), "socket", "UDP");
  const bound = bind(fd, socketAddress6(address, port, linkIndex));
  if (bound < 0) close(fd);
  check(bound, "bind", `UDP port ${port}`);
  return fd;
}

/** Sends one datagram to an address on that link. Throws KernelError. */
export function sendUdp6(
  fd: number,
  bytes: Uint8Array,
  to: Uint8Array,
  port: number,
  linkIndex: number,
): void {
  check(sendTo(fd, bytes, 0, socketAddress6(to, port, linkIndex)), "send", `link ${linkIndex}`);
}

/** The next datagram that has arrived; undefined when there is none. Throws KernelError. */
export function receiveUdp(fd: number): Uint8Array | undefined {
  const got = recv(fd, INBOX, INBOX.length, 0);
  if (got === -EAGAIN) return undefined;
  return INBOX.slice(0, check(got, "receive", "UDP"));
}

const INBOX = new Uint8Array(65_536);

/** struct sockaddr_in6: family, port, flow, address, scope. */
function socketAddress6(address: Uint8Array, port: number, scope: number): Uint8Array {
  const name = new Uint8Array(28);
  const view = new DataView(name.buffer);
  view.setUint16(0, AF_INET6, true);
  view.setUint16(2, port);
  name.set(address, 8);
  view.setUint32(24, scope, true);
  return name;
}
