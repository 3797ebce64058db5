import type { FilterStep } from "../../linux/packet-socket.ts";
import { MalformedMessage } from "./malformed.ts";

export const CLIENT_PORT = 68;
export const SERVER_PORT = 67;
export const BROADCAST = 0xffff_ffff;

const IP_BYTES = 20;
const UDP_BYTES = 8;
const IPPROTO_UDP = 17;
const IP_VERSION_4 = 4;
const DONT_FRAGMENT = 0x4000;
const FRAGMENT = 0x3fff;
const TTL = 64;

/** Lets only UDP to the client's port into the socket: between two messages a container may receive gigabytes. */
export const CLIENT_FILTER: FilterStep[] = [
  [0x30, 0, 0, 9], // A = protocol
  [0x15, 0, 6, IPPROTO_UDP],
  [0x28, 0, 0, 6], // A = flags and fragment offset
  [0x45, 4, 0, 0x1fff], // a later fragment has no ports
  [0xb1, 0, 0, 0], // X = length of the IP header
  [0x48, 0, 0, 2], // A = destination port
  [0x15, 0, 1, CLIENT_PORT],
  [0x06, 0, 0, 0xffff],
  [0x06, 0, 0, 0],
];

/** A message in UDP in IPv4, from client to server. */
export function encodeDatagram(source: number, destination: number, message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(IP_BYTES + UDP_BYTES + message.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, (IP_VERSION_4 << 4) | (IP_BYTES / 4));
  view.setUint16(2, bytes.length);
  view.setUint16(6, DONT_FRAGMENT);
  view.setUint8(8, TTL);
  view.setUint8(9, IPPROTO_UDP);
  view.setUint32(12, source);
  view.setUint32(16, destination);
  view.setUint16(10, checksum(bytes.subarray(0, IP_BYTES)));
  view.setUint16(IP_BYTES, CLIENT_PORT);
  view.setUint16(IP_BYTES + 2, SERVER_PORT);
  view.setUint16(IP_BYTES + 4, UDP_BYTES + message.length);
  bytes.set(message, IP_BYTES + UDP_BYTES);
  // RFC 768: the sum also covers the addresses, the protocol and the length; 0 would mean that there is none.
  const pseudo = IPPROTO_UDP + UDP_BYTES + message.length + sum(bytes.subarray(12, IP_BYTES));
  view.setUint16(IP_BYTES + 6, fold(pseudo + sum(bytes.subarray(IP_BYTES))) ^ 0xffff || 0xffff);
  return bytes;
}

/**
 * The message out of an IPv4 packet to the client's port. Throws MalformedMessage. UDP's checksum is not looked at: a
 * packet from this very machine (a server in a container, on a bridge) has none yet, because that is the network
 * card's work.
 */
export function parseDatagram(bytes: Uint8Array): Uint8Array {
  if (bytes.length < IP_BYTES) throw new MalformedMessage(`${bytes.length} bytes are no IP packet`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = (view.getUint8(0) & 15) * 4;
  const total = view.getUint16(2);
  if (
    view.getUint8(0) >> 4 !== IP_VERSION_4 ||
    header < IP_BYTES ||
    total > bytes.length ||
    total < header + UDP_BYTES
  )
    throw new MalformedMessage("the IP header is wrong");
  if (checksum(bytes.subarray(0, header)) !== 0)
    throw new MalformedMessage("the IP header's checksum is wrong");
  if (view.getUint8(9) !== IPPROTO_UDP || (view.getUint16(6) & FRAGMENT) !== 0)
    throw new MalformedMessage("not one whole UDP datagram");
  const length = view.getUint16(header + 4);
  if (view.getUint16(header + 2) !== CLIENT_PORT || length < UDP_BYTES || header + length > total)
    throw new MalformedMessage("the UDP header is wrong");
  return bytes.subarray(header + UDP_BYTES, header + length);
}

/** The Internet checksum (RFC 1071); over data with its checksum in place it is 0. */
function checksum(bytes: Uint8Array): number {
  return fold(sum(bytes)) ^ 0xffff;
}

function sum(bytes: Uint8Array): number {
  let total = 0;
  for (let index = 0; index < bytes.length; index += 2)
    total += (bytes[index]! << 8) | (bytes[index + 1] ?? 0);
  return total;
}

function fold(total: number): number {
  let folded = total;
  while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16);
  return folded;
}
