/** Walks answers, one datagram at a time: begin, then message by message what the kernel says. */
import * as at from "../../wasm/layout.ts";
import * as k from "../../wasm/uapi.ts";
import { addressFromBytes, type IpAddress, type IpPrefix } from "../net/ip.ts";
import { decodeUtf8 } from "../text.ts";
import { codec, running } from "./codec-form.ts";
import { FOREVER, i32, putText, u8, u16, u32 } from "./codec-memory.ts";
import { KernelError } from "./errno.ts";

/** Where a datagram is to be received, then `responseBegin`. */
export function responseMemory(): Uint8Array {
  return codec().response;
}

/**
 * Stands before the first message of a datagram of that length in `responseMemory`. Throws KernelError EMSGSIZE when
 * the datagram was longer than that (recv with MSG_TRUNC tells).
 */
export function responseBegin(lengthBytes: number): void {
  checked(codec().calls.responseBegin(lengthBytes));
}

/**
 * Steps to the next message: its type, 0 after the last one. Throws KernelError EBADMSG on one that is malformed, and
 * again however often it is called.
 */
export function responseNext(): number {
  return checked(codec().calls.responseNext());
}

function checked(result: number): number {
  if (result >= 0) return result;
  throw new KernelError(
    "netlink answer",
    "",
    -result,
    result === -k.EBADMSG ? "malformed netlink message" : "the datagram does not fit",
  );
}

/**
 * Steps on to the next link of that kind and of that parent (IFLA_LINK): RTM_NEWLINK, and `responseLink` reads it.
 * Any other message is not skipped: its type is returned, as by `responseNext`.
 */
export function responseSeekLink(
  wanted: { kind?: string; linkIndex?: number } | { name: string } | { index: number },
): number {
  const { calls } = codec();
  if ("name" in wanted) return checked(calls.seekLinkByName(putText(wanted.name)));
  if ("index" in wanted) return checked(calls.seekLinkByIndex(wanted.index));
  const kindLength = wanted.kind === undefined ? 0 : putText(wanted.kind);
  return checked(calls.seekLinkByKind(kindLength, wanted.linkIndex ?? 0));
}

/** Steps on to the next address of that link, as `responseSeekLink` does. */
export function responseSeekAddress(wanted: { index: number }): number {
  return checked(codec().calls.seekAddress(wanted.index));
}

/** Steps on to the next route through that link and in that table, as `responseSeekLink` does. */
export function responseSeekRoute(wanted: { oif?: number; table?: number }): number {
  return checked(codec().calls.seekRoute(wanted.oif ?? 0, wanted.table ?? 0));
}

export function responseHeader(): { type: number; flags: number; sequence: number } {
  const message = place(at.MESSAGE_SLOT);
  return { type: u16(message + 4), flags: u16(message + 6), sequence: u32(message + 8) };
}

/** The outcome in NLMSG_ERROR or NLMSG_DONE. */
export interface Outcome {
  /** Positive; 0 is an acknowledgement, or a dump that ended well. */
  errno: number;
  /** The kernel's own sentence. */
  message: string | undefined;
  /** Where in the request the kernel stumbled, in bytes. */
  offset: number | undefined;
}

export function responseError(): Outcome {
  return {
    errno: 0 - i32(body(k.NLMSG_ERROR, k.NLMSG_DONE)),
    message: textOf(k.NLMSGERR_ATTR_MSG),
    offset: u32Of(k.NLMSGERR_ATTR_OFFS),
  };
}

/** A link as the kernel describes it. */
export interface Link {
  index: number;
  name: string;
  altNames: string[];
  /** IFF_… */
  flags: number;
  mtu: number;
  txQueueLen: number;
  /** ARPHRD_… */
  ifType: number;
  mac: string | undefined;
  /** IFLA_LINK: the link below, in the namespace `linkNetnsid` if that is given. */
  linkIndex: number | undefined;
  linkNetnsid: number | undefined;
  /** The bridge or bond it is a port of. */
  master: number | undefined;
  kind: string | undefined;
  ipvlanMode: number | undefined;
  ipvlanFlags: number | undefined;
  macvlanMode: number | undefined;
  vlanId: number | undefined;
}

/** The link in the current RTM_NEWLINK. */
export function responseLink(): Link {
  const header = body(k.RTM_NEWLINK, k.RTM_DELLINK);
  const kind = textOf(at.INFO_SLOT + k.IFLA_INFO_KIND);
  return {
    index: i32(header + 4),
    name: textOf(k.IFLA_IFNAME) ?? "",
    altNames: altNamesOf(k.IFLA_PROP_LIST),
    flags: u32(header + 8),
    mtu: u32Of(k.IFLA_MTU) ?? 0,
    txQueueLen: u32Of(k.IFLA_TXQLEN) ?? 0,
    ifType: u16(header + 2),
    mac: macOf(k.IFLA_ADDRESS),
    linkIndex: i32Of(k.IFLA_LINK),
    linkNetnsid: i32Of(k.IFLA_LINK_NETNSID),
    master: i32Of(k.IFLA_MASTER),
    kind,
    ipvlanMode: kind === "ipvlan" ? u16Of(at.DATA_SLOT + k.IFLA_IPVLAN_MODE) : undefined,
    ipvlanFlags: kind === "ipvlan" ? u16Of(at.DATA_SLOT + k.IFLA_IPVLAN_FLAGS) : undefined,
    macvlanMode: kind === "macvlan" ? u32Of(at.DATA_SLOT + k.IFLA_MACVLAN_MODE) : undefined,
    vlanId: kind === "vlan" ? u16Of(at.DATA_SLOT + k.IFLA_VLAN_ID) : undefined,
  };
}

/** An address of a link. */
export interface Address {
  index: number;
  family: 4 | 6;
  prefixLength: number;
  /** The link's own address. */
  address: IpAddress;
  /** The other end's, when it differs. */
  peer: IpAddress | undefined;
  broadcast: IpAddress | undefined;
  label: string | undefined;
  /** IFA_F_… */
  flags: number;
  scope: number;
  /** Seconds; Infinity for ever. */
  validLifetime: number;
  preferredLifetime: number;
}

/** The address in the current RTM_NEWADDR. Throws KernelError EAFNOSUPPORT when it is neither IPv4 nor IPv6. */
export function responseAddress(): Address {
  const header = body(k.RTM_NEWADDR, k.RTM_DELADDR);
  const family = familyAt(header);
  const peer = addressOf(k.IFA_ADDRESS);
  const local = addressOf(k.IFA_LOCAL);
  const cache = place(k.IFA_CACHEINFO);
  return {
    index: i32(header + 4),
    family,
    prefixLength: u8(header + 1),
    // The kernel leaves out 0.0.0.0.
    address: local ?? peer ?? { family, value: 0n },
    peer: local !== undefined && peer !== undefined && local.value !== peer.value ? peer : undefined,
    broadcast: addressOf(k.IFA_BROADCAST),
    label: textOf(k.IFA_LABEL),
    flags: u32Of(k.IFA_FLAGS) ?? u8(header + 2),
    scope: u8(header + 3),
    // struct ifa_cacheinfo: preferred, then valid.
    preferredLifetime: cache === 0 ? Number.POSITIVE_INFINITY : lifetimeAt(cache + k.NLA_HDRLEN),
    validLifetime: cache === 0 ? Number.POSITIVE_INFINITY : lifetimeAt(cache + k.NLA_HDRLEN + 4),
  };
}

/** A route as the kernel describes it. */
export interface Route {
  family: 4 | 6;
  dst: IpPrefix;
  /** The gateway, of either family; of several nexthops the first one's. */
  gateway: IpAddress | undefined;
  /** The link it goes through; of several nexthops the first one's. */
  oif: number | undefined;
  priority: number;
  table: number;
  scope: number;
  protocol: number;
  type: number;
  /** RTNH_F_… */
  flags: number;
  mtu: number | undefined;
  advmss: number | undefined;
  source: IpAddress | undefined;
  /** How many entries RTA_MULTIPATH has; 0 without. */
  nexthops: number;
}

/** The route in the current RTM_NEWROUTE. Throws KernelError EAFNOSUPPORT when it is neither IPv4 nor IPv6. */
export function responseRoute(): Route {
  const header = body(k.RTM_NEWROUTE, k.RTM_DELROUTE);
  const family = familyAt(header);
  return {
    family,
    dst: { family, value: addressOf(k.RTA_DST)?.value ?? 0n, length: u8(header + 1) },
    gateway: addressOf(k.RTA_GATEWAY) ?? viaOf(k.RTA_VIA),
    oif: i32Of(k.RTA_OIF),
    priority: u32Of(k.RTA_PRIORITY) ?? 0,
    table: u32Of(k.RTA_TABLE) ?? u8(header + 4),
    scope: u8(header + 6),
    protocol: u8(header + 5),
    type: u8(header + 7),
    flags: u32(header + 8),
    mtu: u32Of(at.METRICS_SLOT + k.RTAX_MTU),
    advmss: u32Of(at.METRICS_SLOT + k.RTAX_ADVMSS),
    source: addressOf(k.RTA_PREFSRC),
    nexthops: nexthopsOf(k.RTA_MULTIPATH),
  };
}

// Reading memory: the walker has checked every length, so none is checked again.

/** Where the attribute of that slot begins, 0 when there is none. */
function place(slot: number): number {
  return running.words[(at.RECORD >> 2) + slot]!;
}

/** Where the current message's fixed part begins; whoever asks must have looked at its type. */
function body(one: number, other: number): number {
  const message = place(at.MESSAGE_SLOT);
  const type = u16(message + 4);
  if (type !== one && type !== other)
    throw new TypeError(`netlink message ${type} read as ${one} or ${other}`);
  return message + k.NLMSG_HDRLEN;
}

function familyAt(where: number): 4 | 6 {
  const number = u8(where);
  if (number === k.AF_INET) return 4;
  if (number === k.AF_INET6) return 6;
  throw new KernelError("netlink answer", "", k.EAFNOSUPPORT);
}

function lifetimeAt(where: number): number {
  const seconds = u32(where);
  return seconds === FOREVER ? Number.POSITIVE_INFINITY : seconds;
}

// What the attribute of a slot holds, undefined when there is none.

function u16Of(slot: number): number | undefined {
  const where = place(slot);
  return where === 0 ? undefined : u16(where + k.NLA_HDRLEN);
}

function u32Of(slot: number): number | undefined {
  const where = place(slot);
  return where === 0 ? undefined : u32(where + k.NLA_HDRLEN);
}

function i32Of(slot: number): number | undefined {
  const where = place(slot);
  return where === 0 ? undefined : i32(where + k.NLA_HDRLEN);
}

/** The payload of the attribute at `where`. */
function payloadAt(where: number): Uint8Array {
  return running.bytes.subarray(where + k.NLA_HDRLEN, where + u16(where));
}

function textAt(where: number): string {
  const payload = payloadAt(where);
  const end = payload.indexOf(0);
  return decodeUtf8(end < 0 ? payload : payload.subarray(0, end));
}

function textOf(slot: number): string | undefined {
  const where = place(slot);
  return where === 0 ? undefined : textAt(where);
}

function macOf(slot: number): string | undefined {
  const where = place(slot);
  if (where === 0) return undefined;
  const digits = payloadAt(where).toHex();
  let mac = digits.slice(0, 2);
  for (let index = 2; index < digits.length; index += 2) mac += `:${digits.slice(index, index + 2)}`;
  return mac || undefined;
}

function addressOf(slot: number): IpAddress | undefined {
  const where = place(slot);
  return where === 0 ? undefined : addressFromBytes(payloadAt(where));
}

/** struct rtvia: the family in 16 bits, then the address. */
function viaOf(slot: number): IpAddress | undefined {
  const where = place(slot);
  return where === 0 ? undefined : addressFromBytes(payloadAt(where).subarray(2));
}

/** Where each part of the attribute of that slot begins: attributes or nexthops, whose first 16 bits are a length. */
function partsOf(slot: number): number[] {
  const parts: number[] = [];
  const where = place(slot);
  if (where === 0) return parts;
  const end = where + u16(where);
  for (let part = where + k.NLA_HDRLEN; part < end; part += (u16(part) + 3) & ~3) parts.push(part);
  return parts;
}

function altNamesOf(slot: number): string[] {
  const names: string[] = [];
  if (place(slot) === 0) return names;
  for (const part of partsOf(slot))
    if ((u16(part + 2) & k.NLA_TYPE_MASK) === k.IFLA_ALT_IFNAME) names.push(textAt(part));
  return names;
}

function nexthopsOf(slot: number): number {
  return partsOf(slot).length;
}
