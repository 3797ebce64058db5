import { check, EAGAIN } from "./errno.ts";
import { addressOf, bind, close, receiveFrom, sendTo, setsockopt, socket } from "./libc.ts";

// sys/socket.h, linux/if_packet.h, linux/if_ether.h
const AF_PACKET = 17;
const SOCK_DGRAM_CLOEXEC_NONBLOCK = 2 | 0o2000000 | 0o4000;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
export const ETH_P_IP = 0x0800;
export const ETH_P_ARP = 0x0806;
export const ETHERNET_BROADCAST = Uint8Array.of(255, 255, 255, 255, 255, 255);

/** struct sockaddr_ll: family, protocol, interface, type, packet type, length of the address, address. */
const SOCKADDR_LL_BYTES = 20;

/** One instruction of a classic socket filter (linux/filter.h): code, jump if true, jump if false, operand. */
export type FilterStep = [code: number, ifTrue: number, ifFalse: number, operand: number];

/** A socket for packets of one protocol on one link, without their Ethernet header. */
export interface PacketSocket {
  fd: number;
  linkIndex: number;
  protocol: number;
}

/** A received packet and the MAC address it came from. */
export interface Packet {
  bytes: Uint8Array;
  mac: Uint8Array;
}

/**
 * Opens the socket in the namespace the process is in; with a filter, only what it lets pass ever takes room in the
 * socket's queue. Throws KernelError.
 */
export function openPacketSocket(linkIndex: number, protocol: number, filter?: FilterStep[]): PacketSocket {
  // Protocol 0 receives nothing: what comes before the filter is in place would pass by it.
  const fd = check(socket(AF_PACKET, SOCK_DGRAM_CLOEXEC_NONBLOCK, 0), "socket", "AF_PACKET");
  try {
    if (filter !== undefined) attach(fd, filter);
    check(bind(fd, linkAddress(linkIndex, protocol, new Uint8Array(6))), "bind", `link ${linkIndex}`);
    return { fd, linkIndex, protocol };
  } catch (thrown) {
    close(fd);
    throw thrown;
  }
}

/** Closes it. */
export function closePacketSocket({ fd }: PacketSocket): void {
  close(fd);
}

/** Sends one packet to a MAC address. Throws KernelError. */
export function sendPacket(
  { fd, linkIndex, protocol }: PacketSocket,
  bytes: Uint8Array,
  to: Uint8Array,
): void {
  check(sendTo(fd, bytes, MSG_NOSIGNAL, linkAddress(linkIndex, protocol, to)), "send", `link ${linkIndex}`);
}

/** The next packet that has arrived; undefined when there is none. Throws KernelError (ENETDOWN: the link went down). */
export function receivePacket({ fd, linkIndex }: PacketSocket): Packet | undefined {
  const from = new Uint8Array(SOCKADDR_LL_BYTES);
  const got = receiveFrom(fd, INBOX, MSG_DONTWAIT, from);
  if (got === -EAGAIN) return undefined;
  check(got, "receive", `link ${linkIndex}`);
  return { bytes: INBOX.slice(0, got), mac: from.slice(12, 18) };
}

/** More than any Ethernet frame carries, jumbo frames included; a longer packet is cut. */
const INBOX = new Uint8Array(16_384);

function linkAddress(linkIndex: number, protocol: number, mac: Uint8Array): Uint8Array {
  const address = new Uint8Array(SOCKADDR_LL_BYTES);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, protocol);
  view.setInt32(4, linkIndex, true);
  address[11] = mac.length;
  address.set(mac, 12);
  return address;
}

function attach(fd: number, filter: FilterStep[]): void {
  // struct sock_filter: u16 code, u8 jt, u8 jf, u32 k.
  const program = new DataView(new ArrayBuffer(filter.length * 8));
  for (const [index, [code, ifTrue, ifFalse, operand]] of filter.entries()) {
    program.setUint16(index * 8, code, true);
    program.setUint8(index * 8 + 2, ifTrue);
    program.setUint8(index * 8 + 3, ifFalse);
    program.setUint32(index * 8 + 4, operand, true);
  }
  const memory = new Uint8Array(program.buffer);
  // struct sock_fprog: u16 length, and after six bytes of padding the program's address.
  const fprog = new DataView(new ArrayBuffer(16));
  fprog.setUint16(0, filter.length, true);
  fprog.setBigUint64(8, BigInt(addressOf(memory)), true);
  check(
    setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, new Uint8Array(fprog.buffer)),
    "setsockopt",
    "SO_ATTACH_FILTER",
  );
  // Until here the program must not be collected.
  memory.fill(0);
}
