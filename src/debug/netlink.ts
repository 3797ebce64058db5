/**
 * Netlink requests in words, out of the very bytes that were sent: what the log shows is what the kernel got. An
 * attribute that has no name here is shown by its number and bytes.
 */
import * as k from "../../wasm/uapi.ts";
import { addressFromBytes, formatAddress } from "../net/ip.ts";

/** A request: its message type, flags, fixed part and attributes. */
export interface RequestInWords {
  message: string;
  flags: string[];
  [field: string]: unknown;
}

type Shape = "u8" | "u16" | "u32" | "text" | "address" | "mac" | "via" | Attributes;
type Attributes = Record<number, [name: string, shape: Shape]>;

const METRICS: Attributes = { [k.RTAX_MTU]: ["mtu", "u32"], [k.RTAX_ADVMSS]: ["advmss", "u32"] };

/** What is in IFLA_INFO_DATA depends on the kind, which comes before it. */
const INFO_DATA: Record<string, Attributes> = {
  ipvlan: { [k.IFLA_IPVLAN_MODE]: ["mode", "u16"], [k.IFLA_IPVLAN_FLAGS]: ["flags", "u16"] },
  macvlan: { [k.IFLA_MACVLAN_MODE]: ["mode", "u32"] },
  vlan: { [k.IFLA_VLAN_ID]: ["id", "u16"] },
};

const LINK: Attributes = {
  [k.IFLA_ADDRESS]: ["mac", "mac"],
  [k.IFLA_IFNAME]: ["name", "text"],
  [k.IFLA_MTU]: ["mtu", "u32"],
  [k.IFLA_LINK]: ["link", "u32"],
  [k.IFLA_MASTER]: ["master", "u32"],
  [k.IFLA_TXQLEN]: ["txQueueLen", "u32"],
  [k.IFLA_NET_NS_FD]: ["namespaceFd", "u32"],
  [k.IFLA_EXT_MASK]: ["extMask", "u32"],
  [k.IFLA_LINK_NETNSID]: ["linkNetnsid", "u32"],
  [k.IFLA_ALT_IFNAME]: ["altName", "text"],
  [k.IFLA_LINKINFO]: ["info", { [k.IFLA_INFO_KIND]: ["kind", "text"], [k.IFLA_INFO_DATA]: ["data", {}] }],
};

const ADDRESS: Attributes = {
  [k.IFA_ADDRESS]: ["address", "address"],
  [k.IFA_LOCAL]: ["local", "address"],
  [k.IFA_BROADCAST]: ["broadcast", "address"],
  [k.IFA_FLAGS]: ["addressFlags", "u32"],
};

const ROUTE: Attributes = {
  [k.RTA_DST]: ["to", "address"],
  [k.RTA_OIF]: ["oif", "u32"],
  [k.RTA_GATEWAY]: ["via", "address"],
  [k.RTA_VIA]: ["via", "via"],
  [k.RTA_PRIORITY]: ["priority", "u32"],
  [k.RTA_PREFSRC]: ["source", "address"],
  [k.RTA_TABLE]: ["table", "u32"],
  [k.RTA_METRICS]: ["metrics", METRICS],
};

interface Message {
  name: string;
  headerBytes: number;
  header(view: DataView, at: number): object;
  attributes: Attributes;
}

const MESSAGES: Record<number, Message> = {};
for (const [type, name] of [
  [k.RTM_NEWLINK, "RTM_NEWLINK"],
  [k.RTM_DELLINK, "RTM_DELLINK"],
  [k.RTM_GETLINK, "RTM_GETLINK"],
] as const)
  MESSAGES[type] = { name, headerBytes: k.IFINFOMSG_BYTES, header: linkHeader, attributes: LINK };
for (const [type, name] of [
  [k.RTM_NEWADDR, "RTM_NEWADDR"],
  [k.RTM_DELADDR, "RTM_DELADDR"],
  [k.RTM_GETADDR, "RTM_GETADDR"],
] as const)
  MESSAGES[type] = { name, headerBytes: k.IFADDRMSG_BYTES, header: addressHeader, attributes: ADDRESS };
for (const [type, name] of [
  [k.RTM_NEWROUTE, "RTM_NEWROUTE"],
  [k.RTM_DELROUTE, "RTM_DELROUTE"],
  [k.RTM_GETROUTE, "RTM_GETROUTE"],
] as const)
  MESSAGES[type] = { name, headerBytes: k.RTMSG_BYTES, header: routeHeader, attributes: ROUTE };

// struct ifinfomsg, ifaddrmsg and rtmsg; what is 0 was left to the kernel, and is not shown.

function linkHeader(view: DataView, at: number): object {
  const [flags, change] = [view.getUint32(at + 8, true), view.getUint32(at + 12, true)];
  const up = (change & k.IFF_UP) === 0 ? undefined : (flags & k.IFF_UP) !== 0;
  return { index: view.getInt32(at + 4, true) || undefined, up };
}

function addressHeader(view: DataView, at: number): object {
  return {
    family: familyName(view.getUint8(at)),
    length: view.getUint8(at + 1) || undefined,
    index: view.getUint32(at + 4, true) || undefined,
    addressFlags: view.getUint8(at + 2) || undefined,
  };
}

function routeHeader(view: DataView, at: number): object {
  return {
    family: familyName(view.getUint8(at)),
    length: view.getUint8(at + 1),
    protocol: view.getUint8(at + 5) || undefined,
    scope: view.getUint8(at + 6) || undefined,
    type: view.getUint8(at + 7) || undefined,
    onlink: (view.getUint32(at + 8, true) & k.RTNH_F_ONLINK) !== 0 || undefined,
  };
}

function familyName(family: number): string | undefined {
  if (family === k.AF_INET) return "IPv4";
  return family === k.AF_INET6 ? "IPv6" : undefined;
}

/** Every request of a batch. */
export function requestsInWords(bytes: Uint8Array): RequestInWords[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const requests: RequestInWords[] = [];
  for (let at = 0; at + k.NLMSG_HDRLEN <= bytes.length; ) {
    const length = view.getUint32(at, true);
    if (length < k.NLMSG_HDRLEN || at + length > bytes.length) break;
    requests.push(requestInWords(view, at, at + length));
    at += (length + 3) & ~3;
  }
  return requests;
}

function requestInWords(view: DataView, start: number, end: number): RequestInWords {
  const type = view.getUint16(start + 4, true);
  const flags = flagNames(view.getUint16(start + 6, true));
  const known = MESSAGES[type];
  const body = start + k.NLMSG_HDRLEN;
  if (known === undefined || body + known.headerBytes > end) return { message: `message ${type}`, flags };
  return {
    message: known.name,
    flags,
    ...known.header(view, body),
    ...attributesInWords(view, body + known.headerBytes, end, known.attributes),
  };
}

function flagNames(flags: number): string[] {
  if ((flags & k.NLM_F_DUMP) === k.NLM_F_DUMP) return ["dump"];
  const names: [number, string][] = [
    [k.NLM_F_REPLACE, "replace"],
    [k.NLM_F_EXCL, "exclusive"],
    [k.NLM_F_CREATE, "create"],
    [k.NLM_F_APPEND, "append"],
  ];
  return names.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
}

function attributesInWords(view: DataView, start: number, end: number, table: Attributes) {
  const words: Record<string, unknown> = {};
  let inner = table;
  for (let at = start; at + k.NLA_HDRLEN <= end; ) {
    const length = view.getUint16(at, true);
    if (length < k.NLA_HDRLEN || at + length > end) break;
    const type = view.getUint16(at + 2, true) & k.NLA_TYPE_MASK;
    const [name, shape] = inner[type] ?? [`attribute ${type}`, undefined];
    const value = valueInWords(view, at + k.NLA_HDRLEN, at + length, shape);
    words[name] = value;
    const data = name === "kind" ? INFO_DATA[String(value)] : undefined;
    if (data !== undefined) inner = { ...inner, [k.IFLA_INFO_DATA]: ["data", data] };
    at += (length + 3) & ~3;
  }
  return words;
}

function valueInWords(view: DataView, at: number, end: number, shape: Shape | undefined): unknown {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, end - at);
  switch (shape) {
    case "u8":
      return view.getUint8(at);
    case "u16":
      return view.getUint16(at, true);
    case "u32":
      return view.getUint32(at, true);
    case "text":
      return Buffer.from(bytes).toString().replace(/\0.*$/s, "");
    case "address":
      return formatAddress(addressFromBytes(bytes));
    case "via":
      return formatAddress(addressFromBytes(bytes.subarray(2)));
    case "mac":
      return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
    case undefined:
      return Buffer.from(bytes).toString("hex");
    default:
      return attributesInWords(view, at, end, shape);
  }
}
