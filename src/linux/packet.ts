import { ARPHRD_ETHER } from "../../wasm/uapi.ts";
import { addressBytes, type IpAddress } from "../net/ip.ts";
import { check, EAGAIN } from "./errno.ts";
import { bind, close, pollReadable, recv, send, socket } from "./libc.ts";

// sys/socket.h, linux/if_ether.h
const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC_NONBLOCK = 3 | 0o2000000 | 0o4000;
const ETH_P_ALL = 0x0003;
const ETH_P_ARP = 0x0806;
const ETH_P_IPV6 = 0x86dd;
// linux/if_arp.h, linux/icmpv6.h, netinet/in.h
const ETH_P_IP = 0x0800;
const ARPOP_REQUEST = 1;
const NDISC_NEIGHBOUR_SOLICITATION = 135;
const NDISC_NEIGHBOUR_ADVERTISEMENT = 136;
const ND_OPT_TARGET_LL_ADDR = 2;
const IPPROTO_ICMPV6 = 58;
/** Take this for the truth, whatever you knew before (RFC 4861, 4.4). */
const NA_OVERRIDE = 0x20;

const ETHERNET_BYTES = 14;
const ARP_BYTES = 28;
const IPV6_BYTES = 40;
const BROADCAST = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
const ALL_NODES = 0xff020000_00000000_00000000_00000001n;
const SOLICITED_NODE = (0xff02n << 112n) | (0x1ffn << 24n);
const UNSPECIFIED: IpAddress = { family: 6, value: 0n };

/** A socket for whole Ethernet frames on one link; it stays in the namespace it was opened in. */
export interface PacketSocket {
  fd: number;
}

/** Opens one on the link of that index; a `listening` one also receives every frame of the link. Throws KernelError. */
export function openPacketSocket(linkIndex: number, listening: boolean): PacketSocket {
  // Protocol 0 until it is bound: nothing of other links may arrive in between.
  const fd = check(socket(AF_PACKET, SOCK_RAW_CLOEXEC_NONBLOCK, 0), "socket", "AF_PACKET");
  // struct sockaddr_ll (linux/if_packet.h): family, protocol in network order, interface index, then nothing of use to bind.
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, listening ? ETH_P_ALL : 0);
  view.setInt32(4, linkIndex, true);
  const bound = bind(fd, address);
  if (bound < 0) close(fd);
  check(bound, "bind", `AF_PACKET to link ${linkIndex}`);
  return { fd };
}

/** Closes it. */
export function closePacketSocket(packets: PacketSocket): void {
  close(packets.fd);
}

/** Sends one frame. Throws KernelError. */
export function sendFrame(packets: PacketSocket, frame: Uint8Array): void {
  check(send(packets.fd, frame, frame.length, 0), "send", "frame");
}

/** The next frame, or undefined when none came in time. The result is overwritten by the next call. */
export function receiveFrame(packets: PacketSocket, timeoutMs: number): Uint8Array | undefined {
  if (pollReadable(packets.fd, timeoutMs) <= 0) return undefined;
  const got = recv(packets.fd, received, received.length, 0);
  if (got === -EAGAIN) return undefined;
  return received.subarray(0, check(got, "recv", "frame"));
}

const received = new Uint8Array(2048);

/** "02:00:00:00:00:01" as bytes. */
export function macBytes(mac: string): number[] {
  return mac.split(":").map((byte) => Number.parseInt(byte, 16));
}

/**
 * The frame that tells everybody on the link who has `address` now: an ARP announcement (RFC 5227, section 3) or an
 * unsolicited neighbour advertisement (RFC 4861, section 7.2.6).
 */
export function announcement(mac: string, address: IpAddress): Uint8Array {
  if (address.family === 4) return arpRequest(mac, address, address);
  const body = new Uint8Array(32);
  body[0] = NDISC_NEIGHBOUR_ADVERTISEMENT;
  body[4] = NA_OVERRIDE;
  body.set(addressBytes(address), 8);
  body.set([ND_OPT_TARGET_LL_ADDR, 1, ...macBytes(mac)], 24);
  return icmpv6(mac, address, { family: 6, value: ALL_NODES }, body);
}

/**
 * The frame that asks whether somebody has `address`, without claiming it: an ARP probe (RFC 5227, section 2.1.1) or the
 * neighbour solicitation of duplicate address detection (RFC 4862, section 5.4.2).
 */
export function probe(mac: string, address: IpAddress): Uint8Array {
  if (address.family === 4) return arpRequest(mac, { family: 4, value: 0n }, address);
  const body = new Uint8Array(24);
  body[0] = NDISC_NEIGHBOUR_SOLICITATION;
  body.set(addressBytes(address), 8);
  const group = { family: 6 as const, value: SOLICITED_NODE | (address.value & 0xff_ffffn) };
  return icmpv6(mac, UNSPECIFIED, group, body);
}

/** True when a frame shows that another station uses `address`: it sends ARP from it, or advertises it. */
export function claims(frame: Uint8Array, address: IpAddress): boolean {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const bytes = addressBytes(address);
  const holds = (offset: number) => bytes.every((byte, index) => frame[offset + index] === byte);
  if (frame.length < ETHERNET_BYTES + ARP_BYTES) return false;
  const type = view.getUint16(12);
  if (address.family === 4) return type === ETH_P_ARP && holds(ETHERNET_BYTES + 14);
  const icmp = ETHERNET_BYTES + IPV6_BYTES;
  return (
    type === ETH_P_IPV6 &&
    frame.length >= icmp + 24 &&
    frame[ETHERNET_BYTES + 6] === IPPROTO_ICMPV6 &&
    frame[icmp] === NDISC_NEIGHBOUR_ADVERTISEMENT &&
    holds(icmp + 8)
  );
}

function arpRequest(mac: string, sender: IpAddress, target: IpAddress): Uint8Array {
  const frame = ethernet(BROADCAST, mac, ETH_P_ARP, ARP_BYTES);
  const view = new DataView(frame.buffer, ETHERNET_BYTES);
  view.setUint16(0, ARPHRD_ETHER);
  view.setUint16(2, ETH_P_IP);
  view.setUint8(4, 6);
  view.setUint8(5, 4);
  view.setUint16(6, ARPOP_REQUEST);
  frame.set(macBytes(mac), ETHERNET_BYTES + 8);
  frame.set(addressBytes(sender), ETHERNET_BYTES + 14);
  frame.set(addressBytes(target), ETHERNET_BYTES + 24);
  return frame;
}

/** An ICMPv6 message in its packet and frame, checksum included; neighbour discovery demands hop limit 255. */
function icmpv6(mac: string, source: IpAddress, group: IpAddress, body: Uint8Array): Uint8Array {
  const to = addressBytes(group);
  const frame = ethernet([0x33, 0x33, ...to.subarray(12)], mac, ETH_P_IPV6, IPV6_BYTES + body.length);
  const view = new DataView(frame.buffer, ETHERNET_BYTES);
  view.setUint8(0, 0x60);
  view.setUint16(4, body.length);
  view.setUint8(6, IPPROTO_ICMPV6);
  view.setUint8(7, 255);
  frame.set(addressBytes(source), ETHERNET_BYTES + 8);
  frame.set(to, ETHERNET_BYTES + 24);
  frame.set(body, ETHERNET_BYTES + IPV6_BYTES);
  // The checksum covers a pseudo header too: the addresses, the length and the protocol (RFC 8200, section 8.1).
  let sum = body.length + IPPROTO_ICMPV6;
  for (let offset = 8; offset < IPV6_BYTES + body.length; offset += 2) sum += view.getUint16(offset);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(IPV6_BYTES + 2, ~sum & 0xffff);
  return frame;
}

function ethernet(to: number[], from: string, type: number, payloadBytes: number): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(ETHERNET_BYTES + payloadBytes);
  frame.set(to, 0);
  frame.set(macBytes(from), 6);
  new DataView(frame.buffer).setUint16(12, type);
  return frame;
}
