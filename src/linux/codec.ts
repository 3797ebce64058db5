/**
 * The typed face of the netlink codec in wasm/: requests are packed into, and answers walked in, WebAssembly memory
 * that the system calls read and write themselves. One batch and one datagram at a time.
 */
import * as at from "../../wasm/layout.ts";
import * as k from "../../wasm/uapi.ts";
import { addressFromBytes, type IpAddress, type IpPrefix } from "../net/ip.ts";
import { KernelError } from "./errno.ts";

/** The compiled module in base64: a define of build.ts, a global of the tests. */
declare const CODEC_WASM: string;

/** What wasm/index.ts exports; every argument and result is a 32-bit number. */
interface Exports {
  memory: WebAssembly.Memory;
  requestBegin(firstSequence: number): void;
  requestFinish(): number;
  requestCount(): number;
  requestFail(errno: number): void;
  linkAdd(
    kind: number,
    nameLength: number,
    parent: number,
    mode: number,
    modeFlags: number,
    netnsFd: number,
    linkNetnsid: number,
    mtu: number,
    index: number,
    txQueueLength: number,
    up: number,
  ): void;
  linkSet(
    index: number,
    nameLength: number,
    up: number,
    mtu: number,
    netnsFd: number,
    txQueueLength: number,
  ): void;
  linkDelete(index: number): void;
  linkGet(index: number, nameLength: number): void;
  linkDump(kindLength: number, master: number): void;
  addressAdd(
    index: number,
    family: number,
    length: number,
    broadcast: number,
    flags: number,
    scope: number,
    replace: number,
    lifetimes: number,
    valid: number,
    preferred: number,
  ): void;
  addressDelete(index: number, family: number, length: number): void;
  addressDump(family: number, index: number): void;
  routeChange(
    messageType: number,
    messageFlags: number,
    family: number,
    length: number,
    gatewayFamily: number,
    source: number,
    oif: number,
    priority: number,
    table: number,
    protocol: number,
    scope: number,
    type: number,
    flags: number,
    mtu: number,
    advmss: number,
  ): void;
  routeDump(family: number, table: number, oif: number): void;
  responseBegin(lengthBytes: number): number;
  responseNext(): number;
  seekLinkByKind(kindLength: number, parent: number): number;
  seekLinkByName(nameLength: number): number;
  seekLinkByIndex(index: number): number;
  seekAddress(index: number): number;
  seekRoute(oif: number, table: number): number;
}

/** The running module with its views on its memory. */
interface Codec {
  wasm: Exports;
  bytes: Uint8Array;
  text: Uint8Array;
  words: BigUint64Array;
  record: Int32Array;
  request: Uint8Array;
  response: Uint8Array;
}

let running: Codec | undefined;

function codec(): Codec {
  if (running !== undefined) return running;
  const module = new WebAssembly.Module(Uint8Array.fromBase64(CODEC_WASM));
  const wasm = new WebAssembly.Instance(module).exports as unknown as Exports;
  const { buffer } = wasm.memory;
  running = {
    wasm,
    bytes: new Uint8Array(buffer),
    text: new Uint8Array(buffer, at.TEXT, at.TEXT_BYTES_MAX),
    words: new BigUint64Array(buffer),
    record: new Int32Array(buffer, at.RECORD),
    request: new Uint8Array(buffer, at.REQUEST, at.REQUEST_BYTES),
    response: new Uint8Array(buffer, at.RESPONSE, at.RESPONSE_BYTES),
  };
  return running;
}

/** Where the batch is written: send as many bytes as `requestFinish` says. The view and its address never change. */
export function requestMemory(): Uint8Array {
  return codec().request;
}

/** Where a datagram is to be received, then `responseBegin`. The view and its address never change. */
export function responseMemory(): Uint8Array {
  return codec().response;
}

// Requests

/** Empties the batch; its first message gets that sequence number, each further one the next. */
export function requestBegin(firstSequence: number): void {
  codec().wasm.requestBegin(firstSequence);
}

/**
 * The batch's length and its number of messages. Throws KernelError when one of them could not be written: EMSGSIZE
 * for too many, ENAMETOOLONG for a name, EINVAL for an empty name, one with a NUL, or a prefix length out of bounds.
 */
export function requestFinish(): { lengthBytes: number; count: number } {
  const { wasm } = codec();
  const lengthBytes = wasm.requestFinish();
  if (lengthBytes < 0) throw new KernelError("netlink request", "", -lengthBytes);
  return { lengthBytes, count: wasm.requestCount() };
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
  codec().wasm.linkAdd(
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
  codec().wasm.linkSet(r.index, nameLength, triState(r.up), r.mtu ?? -1, r.netnsFd ?? -1, r.txQueueLen ?? -1);
}

export function requestLinkDelete(r: { index: number }): void {
  codec().wasm.linkDelete(r.index);
}

/** One link; a name of more than 15 bytes is an alternative name. Statistics are left out of the answer. */
export function requestLinkGet(r: { index: number } | { name: string }): void {
  if ("index" in r) codec().wasm.linkGet(r.index, 0);
  else codec().wasm.linkGet(0, putText(r.name));
}

/** All links; `kind` and `masterIndex` (IFLA_MASTER: a bridge, a bond) let the kernel filter. */
export function requestLinkDump(
  r: { kind?: string | undefined; masterIndex?: number | undefined } = {},
): void {
  codec().wasm.linkDump(r.kind === undefined ? 0 : putText(r.kind), r.masterIndex ?? 0);
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
  codec().wasm.addressAdd(
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
  codec().wasm.addressDelete(r.index, putAddress(at.ADDRESS_IN, r.address), r.address.length);
}

export function requestAddressDump(r: { family?: 4 | 6 | undefined; index?: number | undefined } = {}): void {
  codec().wasm.addressDump(r.family === undefined ? k.AF_UNSPEC : familyNumber(r.family), r.index ?? 0);
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
    codec().wasm.requestFail(k.EINVAL);
  codec().wasm.routeChange(
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
  codec().wasm.routeDump(familyNumber(r.family), r.table ?? 0, r.oif ?? 0);
}

/** The lifetime that does not end. */
const FOREVER = 0xffff_ffff;
const encoder = new TextEncoder();

/** Writes a text where requests look for it; returns its length in bytes. */
function putText(text: string): number {
  const { wasm, text: into } = codec();
  const { read, written } = encoder.encodeInto(text, into);
  if (read !== text.length) wasm.requestFail(k.ENAMETOOLONG);
  else if (text.includes("\0") || text === "") wasm.requestFail(k.EINVAL);
  return written;
}

/** Writes an address where requests look for it; returns its family as the kernel numbers it. */
function putAddress(where: number, address: IpAddress): number {
  const { words } = codec();
  words[where / 8] = address.value >> 64n;
  words[where / 8 + 1] = address.value;
  return familyNumber(address.family);
}

function familyNumber(family: 4 | 6): number {
  return family === 4 ? k.AF_INET : k.AF_INET6;
}

function triState(value: boolean | undefined): number {
  return value === undefined ? -1 : value ? 1 : 0;
}

// Answers

/**
 * Stands before the first message of a datagram of that length in `responseMemory`. Throws KernelError EMSGSIZE when
 * the datagram was longer than that (recv with MSG_TRUNC tells).
 */
export function responseBegin(lengthBytes: number): void {
  checked(codec().wasm.responseBegin(lengthBytes));
}

/**
 * Steps to the next message: its type, 0 after the last one. Throws KernelError EBADMSG on one that is malformed, and
 * again however often it is called.
 */
export function responseNext(): number {
  return checked(codec().wasm.responseNext());
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
  const { wasm } = codec();
  if ("name" in wanted) return checked(wasm.seekLinkByName(putText(wanted.name)));
  if ("index" in wanted) return checked(wasm.seekLinkByIndex(wanted.index));
  const kindLength = wanted.kind === undefined ? 0 : putText(wanted.kind);
  return checked(wasm.seekLinkByKind(kindLength, wanted.linkIndex ?? 0));
}

/** Steps on to the next address of that link, as `responseSeekLink` does. */
export function responseSeekAddress(wanted: { index: number }): number {
  return checked(codec().wasm.seekAddress(wanted.index));
}

/** Steps on to the next route through that link and in that table, as `responseSeekLink` does. */
export function responseSeekRoute(wanted: { oif?: number; table?: number }): number {
  return checked(codec().wasm.seekRoute(wanted.oif ?? 0, wanted.table ?? 0));
}

export function responseHeader(): { type: number; flags: number; sequence: number } {
  const { record } = codec();
  return {
    type: record[at.HEADER_TYPE]!,
    flags: record[at.HEADER_FLAGS]!,
    sequence: record[at.HEADER_SEQUENCE]! >>> 0,
  };
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
  const { record } = codec();
  return {
    errno: record[at.ERROR_NUMBER]!,
    message: textAt(record[at.ERROR_MESSAGE_AT]!),
    offset: given(record[at.ERROR_OFFSET]!),
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
  /** IF_OPER_… */
  operstate: number;
  carrier: boolean | undefined;
  mac: string | undefined;
  /** IFLA_LINK: the link below, in the namespace `linkNetnsid` if that is given. */
  linkIndex: number | undefined;
  linkNetnsid: number | undefined;
  /** The bridge or bond it is a port of. */
  master: number | undefined;
  kind: string | undefined;
  slaveKind: string | undefined;
  ipvlanMode: number | undefined;
  ipvlanFlags: number | undefined;
  macvlanMode: number | undefined;
  vlanId: number | undefined;
  /** The namespace it is in, when another one was asked about. */
  netnsid: number | undefined;
}

/** The link in the current RTM_NEWLINK. */
export function responseLink(): Link {
  const { record } = codec();
  const kind = record[at.LINK_KIND]!;
  const mode = kind === at.KIND_OTHER ? undefined : given(record[at.LINK_MODE]!);
  const carrier = given(record[at.LINK_CARRIER]!);
  return {
    index: record[at.LINK_INDEX]!,
    name: textAt(record[at.LINK_NAME_AT]!) ?? "",
    altNames: altNamesAt(record[at.LINK_PROPERTIES_AT]!),
    flags: record[at.LINK_FLAGS]! >>> 0,
    mtu: record[at.LINK_MTU]! >>> 0,
    txQueueLen: record[at.LINK_TX_QUEUE_LENGTH]! >>> 0,
    ifType: record[at.LINK_TYPE]!,
    operstate: given(record[at.LINK_OPERSTATE]!) ?? k.IF_OPER_UNKNOWN,
    carrier: carrier === undefined ? undefined : carrier !== 0,
    mac: macAt(record[at.LINK_MAC_AT]!),
    linkIndex: given(record[at.LINK_PARENT]!),
    linkNetnsid: given(record[at.LINK_PARENT_NETNSID]!),
    master: given(record[at.LINK_MASTER]!),
    kind: textAt(record[at.LINK_KIND_AT]!),
    slaveKind: textAt(record[at.LINK_SLAVE_KIND_AT]!),
    ipvlanMode: kind === at.KIND_IPVLAN ? mode : undefined,
    ipvlanFlags: kind === at.KIND_IPVLAN ? given(record[at.LINK_MODE_FLAGS]!) : undefined,
    macvlanMode: kind === at.KIND_MACVLAN ? mode : undefined,
    vlanId: kind === at.KIND_VLAN ? mode : undefined,
    netnsid: given(record[at.LINK_NETNSID]!),
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
  const { record, bytes } = codec();
  const family = familyOf(record[at.ADDRESS_FAMILY]!);
  const peer = addressAt(record[at.ADDRESS_PEER_AT]!);
  const local = addressAt(record[at.ADDRESS_LOCAL_AT]!);
  const cache = record[at.ADDRESS_CACHE_AT]!;
  const lifetime = (where: number) => {
    const seconds = cache === 0 ? FOREVER : new DataView(bytes.buffer).getUint32(where, true);
    return seconds === FOREVER ? Number.POSITIVE_INFINITY : seconds;
  };
  return {
    index: record[at.ADDRESS_INDEX]!,
    family,
    prefixLength: record[at.ADDRESS_LENGTH]!,
    // The kernel leaves out 0.0.0.0.
    address: local ?? peer ?? { family, value: 0n },
    peer: local !== undefined && peer !== undefined && local.value !== peer.value ? peer : undefined,
    broadcast: addressAt(record[at.ADDRESS_BROADCAST_AT]!),
    label: textAt(record[at.ADDRESS_LABEL_AT]!),
    flags: record[at.ADDRESS_FLAGS]! >>> 0,
    scope: record[at.ADDRESS_SCOPE]!,
    preferredLifetime: lifetime(cache + 4),
    validLifetime: lifetime(cache + 8),
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
  const { record } = codec();
  const family = familyOf(record[at.ROUTE_FAMILY]!);
  const destination = addressAt(record[at.ROUTE_DESTINATION_AT]!);
  return {
    family,
    dst: { family, value: destination?.value ?? 0n, length: record[at.ROUTE_LENGTH]! },
    gateway: addressAt(record[at.ROUTE_GATEWAY_AT]!) ?? viaAt(record[at.ROUTE_VIA_AT]!),
    oif: record[at.ROUTE_OIF]! || undefined,
    priority: record[at.ROUTE_PRIORITY]! >>> 0,
    table: record[at.ROUTE_TABLE]! >>> 0,
    scope: record[at.ROUTE_SCOPE]!,
    protocol: record[at.ROUTE_PROTOCOL]!,
    type: record[at.ROUTE_TYPE]!,
    flags: record[at.ROUTE_FLAGS]! >>> 0,
    mtu: record[at.ROUTE_MTU]! >>> 0 || undefined,
    advmss: record[at.ROUTE_ADVMSS]! >>> 0 || undefined,
    source: addressAt(record[at.ROUTE_SOURCE_AT]!),
    nexthops: record[at.ROUTE_NEXTHOPS]!,
  };
}

const decoder = new TextDecoder();

function familyOf(number: number): 4 | 6 {
  if (number === k.AF_INET) return 4;
  if (number === k.AF_INET6) return 6;
  throw new KernelError("netlink answer", "", k.EAFNOSUPPORT);
}

/** A number that may be missing. */
function given(value: number): number | undefined {
  return value === at.ABSENT ? undefined : value;
}

/** The payload of the attribute at `place`, whose length the walker has checked. */
function payloadAt(place: number): Uint8Array {
  const { bytes } = codec();
  return bytes.subarray(place + k.NLA_HDRLEN, place + (bytes[place]! | (bytes[place + 1]! << 8)));
}

function textAt(place: number): string | undefined {
  if (place === 0) return undefined;
  const payload = payloadAt(place);
  const end = payload.indexOf(0);
  return decoder.decode(end < 0 ? payload : payload.subarray(0, end));
}

function macAt(place: number): string | undefined {
  if (place === 0) return undefined;
  const payload = payloadAt(place);
  if (payload.length === 0) return undefined;
  return Array.from(payload, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

function addressAt(place: number): IpAddress | undefined {
  return place === 0 ? undefined : addressFromBytes(payloadAt(place));
}

function viaAt(place: number): IpAddress | undefined {
  return place === 0 ? undefined : addressFromBytes(payloadAt(place).subarray(2));
}

function altNamesAt(place: number): string[] {
  const names: string[] = [];
  if (place === 0) return names;
  const { bytes } = codec();
  const end = place + (bytes[place]! | (bytes[place + 1]! << 8));
  for (let entry = place + k.NLA_HDRLEN; entry < end; ) {
    const type = (bytes[entry + 2]! | (bytes[entry + 3]! << 8)) & k.NLA_TYPE_MASK;
    if (type === k.IFLA_ALT_IFNAME) names.push(textAt(entry) ?? "");
    entry += ((bytes[entry]! | (bytes[entry + 1]! << 8)) + 3) & ~3;
  }
  return names;
}
