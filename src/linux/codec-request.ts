/** Packs requests, one batch at a time: begin, what is to be asked or done, finish. */
import * as at from "../../wasm/layout.ts";
import * as k from "../../wasm/uapi.ts";
import { type IpAddress, type IpPrefix, wordsOf } from "../net/ip.ts";
import { codec } from "./codec-form.ts";
import { FOREVER, putText, u16, u32 } from "./codec-memory.ts";
import { KernelError } from "./errno.ts";

/** Where the batch is written: send as many bytes as `requestFinish` says. */
export function requestMemory(): Uint8Array {
  return codec().request;
}

/** Empties the batch; its first message gets that sequence number, each further one the next. */
export function requestBegin(firstSequence: number): void {
  codec().calls.requestBegin(firstSequence);
}

/**
 * The batch's length and its number of messages. Throws KernelError when one of them could not be written: EMSGSIZE
 * for too many, ENAMETOOLONG for a name, EINVAL for an empty name, one with a NUL, or a prefix length out of bounds.
 */
export function requestFinish(): { lengthBytes: number; count: number } {
  const { calls } = codec();
  const lengthBytes = calls.requestFinish();
  if (lengthBytes < 0) throw new KernelError("netlink request", "", -lengthBytes);
  return { lengthBytes, count: calls.requestCount() };
}

/**
 * Takes back the wish for an acknowledgement from every request of a finished batch but the last, and from that one if
 * it asks for a single link: the kernel works through a batch in order, tells errors unasked, and a link is an answer.
 * One datagram then answers what else takes one for each request.
 */
export function requestQuieten(lengthBytes: number): void {
  const end = at.REQUEST + lengthBytes;
  for (let message = at.REQUEST; message < end; ) {
    const next = message + ((u32(message) + 3) & ~3);
    const isAnswered = u16(message + 4) === k.RTM_GETLINK && (u16(message + 6) & k.NLM_F_DUMP) === 0;
    if (next < end || isAnswered) codec().bytes[message + 6]! &= ~k.NLM_F_ACK;
    message = next;
  }
}

/** Asks for a new link. What is left out the kernel decides. */
export type LinkAdd = {
  name: string;
  /** The link below: IFLA_LINK; 0 for none. */
  masterIndex: number;
  netnsFd?: number | undefined;
  /** The id of the namespace `masterIndex` is of, when it is another one. */
  linkNetnsid?: number | undefined;
  mtu?: number | undefined;
  index?: number | undefined;
  txQueueLen?: number | undefined;
  up?: boolean | undefined;
} & (
  | { kind?: "ipvlan" | undefined; mode: number; flags: number }
  | { kind: "macvlan"; mode: number }
  | { kind: "vlan"; vlanId: number }
  | { kind: "dummy" }
);

export function requestLinkAdd(r: LinkAdd): void {
  const [kind, mode, modeFlags] = kindData(r);
  codec().calls.linkAdd(
    kind,
    putText(r.name),
    r.masterIndex,
    mode,
    modeFlags,
    r.netnsFd ?? -1,
    r.linkNetnsid ?? -1,
    r.mtu ?? -1,
    r.index ?? 0,
    r.txQueueLen ?? -1,
    triState(r.up),
  );
}

function kindData(r: LinkAdd): [kind: number, mode: number, modeFlags: number] {
  switch (r.kind) {
    case "dummy":
      return [at.KIND_DUMMY, 0, 0];
    case "vlan":
      return [at.KIND_VLAN, r.vlanId, 0];
    case "macvlan":
      return [at.KIND_MACVLAN, r.mode, 0];
    default:
      return [at.KIND_IPVLAN, r.mode, r.flags];
  }
}

/** Changes the link of that index: only what is given. */
export interface LinkSet {
  index: number;
  name?: string | undefined;
  up?: boolean | undefined;
  mtu?: number | undefined;
  netnsFd?: number | undefined;
  txQueueLen?: number | undefined;
}

export function requestLinkSet(r: LinkSet): void {
  const nameLength = r.name === undefined ? 0 : putText(r.name);
  codec().calls.linkSet(
    r.index,
    nameLength,
    triState(r.up),
    r.mtu ?? -1,
    r.netnsFd ?? -1,
    r.txQueueLen ?? -1,
  );
}

export function requestLinkDelete(r: { index: number }): void {
  codec().calls.linkDelete(r.index);
}

/** One link; a name of more than 15 bytes is an alternative name. Statistics are left out of the answer. */
export function requestLinkGet(r: { index: number } | { name: string }): void {
  if ("index" in r) codec().calls.linkGet(r.index, 0);
  else codec().calls.linkGet(0, putText(r.name));
}

/** All links; `kind` and `masterIndex` (IFLA_MASTER: a bridge, a bond) let the kernel filter. */
export function requestLinkDump(
  r: { kind?: string | undefined; masterIndex?: number | undefined } = {},
): void {
  codec().calls.linkDump(r.kind === undefined ? 0 : putText(r.kind), r.masterIndex ?? 0);
}

export interface AddressAdd {
  index: number;
  address: IpPrefix;
  /** Set the IPv4 broadcast address to the prefix's last one; a /31 and a /32 have none. */
  broadcast?: boolean | undefined;
  /** IFA_F_… */
  flags?: number | undefined;
  scope?: number | undefined;
  /** Seconds; the other one of the two, left out, is for ever. */
  validLifetime?: number | undefined;
  preferredLifetime?: number | undefined;
  /** Change the address if it is there already, instead of refusing. */
  replace?: boolean | undefined;
}

export function requestAddressAdd(r: AddressAdd): void {
  const family = putAddress(at.ADDRESS_IN, r.address);
  codec().calls.addressAdd(
    r.index,
    family,
    r.address.length,
    r.broadcast ? 1 : 0,
    r.flags ?? 0,
    r.scope ?? k.RT_SCOPE_UNIVERSE,
    r.replace ? 1 : 0,
    r.validLifetime === undefined && r.preferredLifetime === undefined ? 0 : 1,
    r.validLifetime ?? FOREVER,
    r.preferredLifetime ?? FOREVER,
  );
}

export function requestAddressDelete(r: { index: number; address: IpPrefix }): void {
  codec().calls.addressDelete(r.index, putAddress(at.ADDRESS_IN, r.address), r.address.length);
}

export function requestAddressDump(r: { family?: 4 | 6 | undefined; index?: number | undefined } = {}): void {
  codec().calls.addressDump(r.family === undefined ? k.AF_UNSPEC : familyNumber(r.family), r.index ?? 0);
}

/** A route as requests name it. 0, or leaving it out, is the kernel's default for every number but these. */
export interface RouteRequest {
  dst: IpPrefix;
  gateway?: IpAddress | undefined;
  oif?: number | undefined;
  priority?: number | undefined;
  /** RT_TABLE_MAIN when left out. */
  table?: number | undefined;
  /** RT_SCOPE_UNIVERSE when left out; to delete, RT_SCOPE_NOWHERE, which is any. */
  scope?: number | undefined;
  /** RTPROT_BOOT when left out; to delete, any. */
  protocol?: number | undefined;
  /** RTN_UNICAST when left out; to delete, any. */
  type?: number | undefined;
  onlink?: boolean | undefined;
  mtu?: number | undefined;
  advmss?: number | undefined;
  /** The preferred source address. */
  source?: IpAddress | undefined;
}

export interface RouteAdd extends RouteRequest {
  exclusive?: boolean | undefined;
  replace?: boolean | undefined;
  append?: boolean | undefined;
}

export function requestRouteAdd(r: RouteAdd): void {
  const flags =
    k.NLM_F_CREATE |
    (r.exclusive ? k.NLM_F_EXCL : 0) |
    (r.replace ? k.NLM_F_REPLACE : 0) |
    (r.append ? k.NLM_F_APPEND : 0);
  routeChange(r, k.RTM_NEWROUTE, flags, k.RTPROT_BOOT, k.RT_SCOPE_UNIVERSE, k.RTN_UNICAST);
}

export function requestRouteDelete(r: RouteRequest): void {
  routeChange(r, k.RTM_DELROUTE, 0, k.RTPROT_UNSPEC, k.RT_SCOPE_NOWHERE, k.RTN_UNSPEC);
}

function routeChange(
  r: RouteRequest,
  messageType: number,
  messageFlags: number,
  protocol: number,
  scope: number,
  type: number,
): void {
  const family = putAddress(at.ADDRESS_IN, r.dst);
  if (r.source !== undefined && putAddress(at.SOURCE_IN, r.source) !== family)
    codec().calls.requestFail(k.EINVAL);
  codec().calls.routeChange(
    messageType,
    messageFlags | k.NLM_F_ACK,
    family,
    r.dst.length,
    r.gateway === undefined ? 0 : putAddress(at.GATEWAY_IN, r.gateway),
    r.source === undefined ? 0 : 1,
    r.oif ?? 0,
    r.priority ?? 0,
    r.table ?? k.RT_TABLE_MAIN,
    r.protocol ?? protocol,
    r.scope ?? scope,
    r.type ?? type,
    r.onlink ? k.RTNH_F_ONLINK : 0,
    r.mtu ?? 0,
    r.advmss ?? 0,
  );
}

/** The routes of a family; `table` and `oif` let the kernel filter (with strict checking on). */
export function requestRouteDump(r: {
  family: 4 | 6;
  table?: number | undefined;
  oif?: number | undefined;
}): void {
  codec().calls.routeDump(familyNumber(r.family), r.table ?? 0, r.oif ?? 0);
}

/** Writes an address where requests look for it; returns its family as the kernel numbers it. */
function putAddress(where: number, address: IpAddress): number {
  const { words } = codec();
  const [a, b, c, d] = wordsOf(address.value);
  // Two words of 64 bits, the high one first.
  words[where >> 2] = b;
  words[(where >> 2) + 1] = a;
  words[(where >> 2) + 2] = d;
  words[(where >> 2) + 3] = c;
  return familyNumber(address.family);
}

function familyNumber(family: 4 | 6): number {
  return family === 4 ? k.AF_INET : k.AF_INET6;
}

function triState(value: boolean | undefined): number {
  return value === undefined ? -1 : value ? 1 : 0;
}
