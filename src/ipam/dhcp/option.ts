import type { IpAddress, IpPrefix } from "../../net/ip.ts";
import { MalformedMessage } from "./malformed.ts";

/** Option codes (RFC 2132 and the registry). */
export const OPTION = {
  pad: 0,
  subnetMask: 1,
  routers: 3,
  nameServers: 6,
  hostName: 12,
  domainName: 15,
  mtu: 26,
  staticRoutes: 33,
  requestedAddress: 50,
  leaseTime: 51,
  overload: 52,
  messageType: 53,
  serverIdentifier: 54,
  parameterRequests: 55,
  message: 56,
  messageSizeMax: 57,
  renewalTime: 58,
  rebindingTime: 59,
  vendorClass: 60,
  clientIdentifier: 61,
  userClass: 77,
  domainSearch: 119,
  classlessRoutes: 121,
  end: 255,
} as const;

/** Names that a configuration may use for a code: the reference's. */
export const OPTION_NAMES: Record<string, number> = {
  "dhcp-client-identifier": OPTION.clientIdentifier,
  "subnet-mask": OPTION.subnetMask,
  routers: OPTION.routers,
  "host-name": OPTION.hostName,
  "user-class": OPTION.userClass,
  "vendor-class-identifier": OPTION.vendorClass,
};

/** A route as options 33 and 121 give it; without a gateway the destination is on the link. */
export interface OptionRoute {
  dst: IpPrefix;
  gateway: IpAddress | undefined;
}

/** A 32-bit number as an address. */
export function address(value: number): IpAddress {
  return { family: 4, value: BigInt(value >>> 0) };
}

// Each reader below throws MalformedMessage for a value that is not what its option demands.

/** An address, or a number of 32 bits. */
export function readUint32(value: Uint8Array): number {
  if (value.length !== 4) throw new MalformedMessage(`${value.length} bytes instead of 4`);
  return viewOf(value).getUint32(0);
}

/** A number of 16 bits. */
export function readUint16(value: Uint8Array): number {
  if (value.length !== 2) throw new MalformedMessage(`${value.length} bytes instead of 2`);
  return viewOf(value).getUint16(0);
}

/** One address or more. */
export function readAddresses(value: Uint8Array): number[] {
  if (value.length === 0 || value.length % 4 !== 0)
    throw new MalformedMessage(`${value.length} bytes are no list of addresses`);
  const view = viewOf(value);
  return Array.from({ length: value.length / 4 }, (_, index) => view.getUint32(index * 4));
}

/** The length of the prefix that a subnet mask stands for. */
export function readMask(value: Uint8Array): number {
  const mask = readUint32(value);
  const length = Math.clz32(~mask >>> 0);
  // The ones stand together at the front.
  if (mask !== maskOf(length)) throw new MalformedMessage(`subnet mask ${mask.toString(16)} has gaps`);
  return length;
}

function maskOf(length: number): number {
  return length === 0 ? 0 : (0xffff_ffff << (32 - length)) >>> 0;
}

/** Option 33: pairs of a destination and a router, with the prefix length of the destination's class (RFC 2132). */
export function readStaticRoutes(value: Uint8Array): OptionRoute[] {
  const addresses = readAddresses(value);
  if (addresses.length % 2 !== 0) throw new MalformedMessage("a static route without a router");
  const routes: OptionRoute[] = [];
  for (let index = 0; index < addresses.length; index += 2) {
    const destination = addresses[index]!;
    // RFC 2132: the default route is not to be given here.
    if (destination === 0) continue;
    const length = classLength(destination);
    routes.push({ dst: { ...address(destination), length }, gateway: gatewayOf(addresses[index + 1]!) });
  }
  return routes;
}

/** RFC 791: class A, B, C; anything else, and what has host bits, is a host. */
function classLength(destination: number): number {
  const first = destination >>> 24;
  const length = first < 128 ? 8 : first < 192 ? 16 : first < 224 ? 24 : 32;
  return (destination & ~maskOf(length)) === 0 ? length : 32;
}

/** Option 121: a prefix length, as many bytes of the destination as that covers, a router (RFC 3442). */
export function readClasslessRoutes(value: Uint8Array): OptionRoute[] {
  const routes: OptionRoute[] = [];
  for (let at = 0; at < value.length; ) {
    const length = value[at++]!;
    if (length > 32) throw new MalformedMessage(`prefix length ${length}`);
    const significant = Math.ceil(length / 8);
    if (at + significant + 4 > value.length) throw new MalformedMessage("a classless route is cut off");
    let destination = 0;
    for (let index = 0; index < 4; index++)
      destination = destination * 256 + (index < significant ? value[at + index]! : 0);
    at += significant;
    // Host bits that are set do not count.
    const dst = { ...address((destination & maskOf(length)) >>> 0), length };
    routes.push({ dst, gateway: gatewayOf(viewOf(value).getUint32(at)) });
    at += 4;
  }
  if (routes.length === 0) throw new MalformedMessage("no classless route");
  return routes;
}

function gatewayOf(router: number): IpAddress | undefined {
  return router === 0 ? undefined : address(router);
}

/** What may stand in resolv.conf: a server must not be able to write lines of its own there. */
const NAME = /^(?=.{1,253}$)[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,62})(\.[a-zA-Z0-9_][a-zA-Z0-9_-]{0,62})*$/;

/** A domain name as text; a NUL or a dot may end it. */
export function readName(value: Uint8Array): string {
  const text = Buffer.from(value).toString("latin1").replace(/\0+$/, "").replace(/\.$/, "");
  if (!NAME.test(text)) throw new MalformedMessage(`${JSON.stringify(text.slice(0, 60))} is no domain name`);
  return text;
}

/** Option 119: names as DNS packs them (RFC 1035 section 4.1.4, RFC 3397). */
export function readSearchList(value: Uint8Array): string[] {
  const names: string[] = [];
  for (let at = 0; at < value.length; ) {
    const { labels, next } = readLabels(value, at);
    names.push(readName(Buffer.from(labels.join("."), "latin1")));
    at = next;
  }
  if (names.length === 0) throw new MalformedMessage("no domain name");
  return names;
}

/** A pointer leads backwards only, so that no list can hold a reader for ever. */
function readLabels(value: Uint8Array, start: number): { labels: string[]; next: number } {
  const labels: string[] = [];
  let next: number | undefined;
  let segment = start;
  for (let at = start; ; ) {
    const length = value[at];
    if (length === undefined) throw new MalformedMessage("a domain name is cut off");
    if (length === 0) return { labels, next: next ?? at + 1 };
    if (length >= 0xc0) {
      const low = value[at + 1];
      if (low === undefined) throw new MalformedMessage("a domain name is cut off");
      next ??= at + 2;
      at = ((length & 0x3f) << 8) | low;
      if (at >= segment) throw new MalformedMessage("a pointer in a domain name leads forwards");
      segment = at;
    } else {
      if (length > 63 || at + 1 + length > value.length) throw new MalformedMessage("a label is too long");
      labels.push(Buffer.from(value.subarray(at + 1, at + 1 + length)).toString("latin1"));
      if (labels.length > 127) throw new MalformedMessage("a domain name has too many labels");
      at += 1 + length;
    }
  }
}

function viewOf(value: Uint8Array): DataView {
  return new DataView(value.buffer, value.byteOffset, value.byteLength);
}

/** A number of 32 bits as an option's value. */
export function uint32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** A number of 16 bits as an option's value. */
export function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value);
}
