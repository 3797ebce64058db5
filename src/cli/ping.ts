import { check } from "../linux/errno.ts";
import { close, connect, pollReadable, recv, send, socket } from "../linux/libc.ts";
import { addressBytes, type IpAddress } from "../net/ip.ts";

// sys/socket.h, netinet/in.h, netinet/icmp.h
const AF_INET = 2;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const IPPROTO_ICMP = 1;
const ICMP_ECHO = 8;
const ICMP_ECHOREPLY = 0;

const TRIES = 3;
const TIMEOUT_MS = 1000;

/**
 * Sends ICMP echo requests to an IPv4 address from the namespace the process is in, three at most.
 * Returns the milliseconds until the first reply, or undefined when none came. Throws KernelError.
 */
export function ping(target: IpAddress): number | undefined {
  const fd = check(socket(AF_INET, SOCK_RAW_CLOEXEC, IPPROTO_ICMP), "socket", "ICMP");
  try {
    // struct sockaddr_in: family, port, address, padding.
    const to = new Uint8Array(16);
    to[0] = AF_INET;
    to.set(addressBytes(target), 4);
    check(connect(fd, to), "connect", "ICMP");
    for (let sequence = 1; sequence <= TRIES; sequence++) {
      const start = performance.now();
      const request = echoRequest(process.pid & 0xffff, sequence);
      check(send(fd, request, request.length, 0), "send", "ICMP echo request");
      if (awaitReply(fd, process.pid & 0xffff, sequence)) return performance.now() - start;
    }
    return undefined;
  } finally {
    close(fd);
  }
}

function awaitReply(fd: number, identifier: number, sequence: number): boolean {
  const packet = new Uint8Array(1500);
  const view = new DataView(packet.buffer);
  const deadline = performance.now() + TIMEOUT_MS;
  for (let leftMs = TIMEOUT_MS; leftMs > 0; leftMs = deadline - performance.now()) {
    if (pollReadable(fd, Math.ceil(leftMs)) <= 0) return false;
    const got = recv(fd, packet, packet.length, 0);
    // A raw socket delivers the IP header too; its length is in words.
    const icmp = (view.getUint8(0) & 15) * 4;
    if (got < icmp + 8) continue;
    const isOurs = view.getUint16(icmp + 4) === identifier && view.getUint16(icmp + 6) === sequence;
    if (view.getUint8(icmp) === ICMP_ECHOREPLY && isOurs) return true;
  }
  return false;
}

/** An echo request with eight bytes of payload and its checksum (RFC 792, RFC 1071). */
function echoRequest(identifier: number, sequence: number): Uint8Array {
  const packet = new Uint8Array(16);
  const view = new DataView(packet.buffer);
  view.setUint8(0, ICMP_ECHO);
  view.setUint16(4, identifier);
  view.setUint16(6, sequence);
  packet.set(Buffer.from("ipvlan!!"), 8);
  let sum = 0;
  for (let offset = 0; offset < packet.length; offset += 2) sum += view.getUint16(offset);
  sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(2, ~(sum + (sum >>> 16)) & 0xffff);
  return packet;
}
