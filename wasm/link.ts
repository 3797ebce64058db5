// struct ifinfomsg and the IFLA_ attributes.
import { attributes, nestedOf, placeOf, u8Of, u16Of, u32Of } from "./attribute";
import {
  ABSENT,
  INNER_TABLE,
  KIND_DUMMY,
  KIND_IPVLAN,
  KIND_MACVLAN,
  KIND_OTHER,
  KIND_VLAN,
  LINK_CARRIER,
  LINK_FLAGS,
  LINK_INDEX,
  LINK_KIND,
  LINK_KIND_AT,
  LINK_MAC_AT,
  LINK_MASTER,
  LINK_MODE,
  LINK_MODE_FLAGS,
  LINK_MTU,
  LINK_NAME_AT,
  LINK_NETNSID,
  LINK_OPERSTATE,
  LINK_PARENT,
  LINK_PARENT_NETNSID,
  LINK_PROPERTIES_AT,
  LINK_SLAVE_KIND_AT,
  LINK_TX_QUEUE_LENGTH,
  LINK_TYPE,
  NESTED_TABLE,
  NESTED_TYPES,
  TABLE,
  TABLE_TYPES,
} from "./layout";
import { put } from "./record";
import {
  messageBegin,
  messageEnd,
  nestBegin,
  nestEnd,
  putText,
  putU16,
  putU32,
  requestFail,
} from "./request";
import {
  EINVAL,
  ENAMETOOLONG,
  IFF_UP,
  IFINFOMSG_BYTES,
  IFLA_ADDRESS,
  IFLA_ALT_IFNAME,
  IFLA_CARRIER,
  IFLA_EXT_MASK,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_INFO_SLAVE_KIND,
  IFLA_IPVLAN_FLAGS,
  IFLA_IPVLAN_MODE,
  IFLA_LINK,
  IFLA_LINK_NETNSID,
  IFLA_LINKINFO,
  IFLA_MACVLAN_MODE,
  IFLA_MASTER,
  IFLA_MTU,
  IFLA_NET_NS_FD,
  IFLA_OPERSTATE,
  IFLA_PROP_LIST,
  IFLA_TARGET_NETNSID,
  IFLA_TXQLEN,
  IFLA_VLAN_ID,
  IFNAMSIZ,
  NLA_HDRLEN,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REQUEST,
  RTEXT_FILTER_SKIP_STATS,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_NEWLINK,
} from "./uapi";

// The kinds' names, read as little-endian numbers.
const IPVL: u32 = 0x6c767069;
const AN: u32 = 0x6e61;
const MACV: u32 = 0x7663616d;
const LAN: u32 = 0x6e616c;
const VLAN: u32 = 0x6e616c76;
const DUMM: u32 = 0x6d6d7564;
const Y: u32 = 0x79;

function header(type: i32, flags: i32, index: i32, up: i32): i32 {
  const at = messageBegin(type, flags | NLM_F_REQUEST);
  store<u32>(at, 0);
  store<u32>(at + 4, index);
  store<u32>(at + 8, up === 1 ? IFF_UP : 0);
  store<u32>(at + 12, up >= 0 ? IFF_UP : 0);
  return at + IFINFOMSG_BYTES;
}

/** What creating and changing a link have in common; -1 (a name's length: 0) leaves a thing out. */
function putCommon(at: i32, nameLength: i32, netnsFd: i32, mtu: i32, txQueueLength: i32): i32 {
  if (nameLength >= IFNAMSIZ) requestFail(ENAMETOOLONG);
  if (nameLength > 0) at = putText(at, IFLA_IFNAME, nameLength, 1);
  if (netnsFd >= 0) at = putU32(at, IFLA_NET_NS_FD, netnsFd);
  if (mtu >= 0) at = putU32(at, IFLA_MTU, mtu);
  if (txQueueLength >= 0) at = putU32(at, IFLA_TXQLEN, txQueueLength);
  return at;
}

/**
 * Creates a link whose name is in TEXT. `mode` is the mode of ipvlan or macvlan, or the VLAN's number; -1 leaves out
 * `netnsFd`, `linkNetnsid`, `mtu`, `txQueueLength` and `up`, 0 leaves out `index` and `parent`.
 */
export function linkAdd(
  kind: i32,
  nameLength: i32,
  parent: i32,
  mode: i32,
  modeFlags: i32,
  netnsFd: i32,
  linkNetnsid: i32,
  mtu: i32,
  index: i32,
  txQueueLength: i32,
  up: i32,
): void {
  if (nameLength === 0) requestFail(EINVAL);
  let at = header(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, index, up);
  at = putCommon(at, nameLength, netnsFd, mtu, txQueueLength);
  if (parent !== 0) at = putU32(at, IFLA_LINK, parent);
  if (linkNetnsid !== -1) at = putU32(at, IFLA_LINK_NETNSID, linkNetnsid);
  const info = at;
  at = nestBegin(at, IFLA_LINKINFO);
  at = putKind(at, kind);
  if (kind !== KIND_DUMMY) at = putKindData(at, kind, mode, modeFlags);
  nestEnd(info, at);
  messageEnd(at);
}

function putKindData(at: i32, kind: i32, mode: i32, modeFlags: i32): i32 {
  const data = at;
  at = nestBegin(at, IFLA_INFO_DATA);
  if (kind === KIND_IPVLAN) {
    at = putU16(at, IFLA_IPVLAN_MODE, mode);
    at = putU16(at, IFLA_IPVLAN_FLAGS, modeFlags);
  } else if (kind === KIND_MACVLAN) {
    at = putU32(at, IFLA_MACVLAN_MODE, mode);
  } else {
    at = putU16(at, IFLA_VLAN_ID, mode);
  }
  nestEnd(data, at);
  return at;
}

function putKind(at: i32, kind: i32): i32 {
  if (kind === KIND_DUMMY) {
    store<u32>(at, (NLA_HDRLEN + 5) | (IFLA_INFO_KIND << 16));
    store<u32>(at + 4, DUMM);
    store<u32>(at + 8, Y);
    return at + 12;
  }
  const vlan = kind === KIND_VLAN;
  store<u32>(at, (NLA_HDRLEN + (kind === KIND_IPVLAN ? 6 : vlan ? 4 : 7)) | (IFLA_INFO_KIND << 16));
  store<u32>(at + 4, kind === KIND_IPVLAN ? IPVL : vlan ? VLAN : MACV);
  if (vlan) return at + 8;
  store<u32>(at + 8, kind === KIND_IPVLAN ? AN : LAN);
  return at + 12;
}

/** Changes a link; its new name, if any, is in TEXT. */
export function linkSet(
  index: i32,
  nameLength: i32,
  up: i32,
  mtu: i32,
  netnsFd: i32,
  txQueueLength: i32,
): void {
  messageEnd(putCommon(header(RTM_NEWLINK, NLM_F_ACK, index, up), nameLength, netnsFd, mtu, txQueueLength));
}

export function linkDelete(index: i32): void {
  messageEnd(header(RTM_DELLINK, NLM_F_ACK, index, -1));
}

/** Asks for the link of that index, or, with 0, of the name or alternative name in TEXT. */
export function linkGet(index: i32, nameLength: i32): void {
  let at = putU32(header(RTM_GETLINK, NLM_F_ACK, index, -1), IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  if (index === 0) at = putText(at, nameLength < IFNAMSIZ ? IFLA_IFNAME : IFLA_ALT_IFNAME, nameLength, 1);
  messageEnd(at);
}

/** Asks for all links, or those of the kind in TEXT, or those of a master (a bridge); 0 leaves a filter out. */
export function linkDump(kindLength: i32, master: i32): void {
  let at = putU32(header(RTM_GETLINK, NLM_F_DUMP, 0, -1), IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  if (master !== 0) at = putU32(at, IFLA_MASTER, master);
  if (kindLength !== 0) {
    const info = at;
    at = putText(nestBegin(at, IFLA_LINKINFO), IFLA_INFO_KIND, kindLength, 0);
    nestEnd(info, at);
  }
  messageEnd(at);
}

/** Reads the message body at `at`, which is at least IFINFOMSG_BYTES long. */
export function linkRead(at: i32, end: i32): void {
  attributes(at + IFINFOMSG_BYTES, end, TABLE, TABLE_TYPES);
  put(LINK_TYPE, load<u16>(at + 2));
  put(LINK_INDEX, load<i32>(at + 4));
  put(LINK_FLAGS, load<i32>(at + 8));
  put(LINK_NAME_AT, placeOf(TABLE, IFLA_IFNAME, 0));
  put(LINK_MTU, u32Of(TABLE, IFLA_MTU, 0));
  put(LINK_PARENT, u32Of(TABLE, IFLA_LINK, ABSENT));
  put(LINK_PARENT_NETNSID, u32Of(TABLE, IFLA_LINK_NETNSID, ABSENT));
  put(LINK_MASTER, u32Of(TABLE, IFLA_MASTER, ABSENT));
  put(LINK_TX_QUEUE_LENGTH, u32Of(TABLE, IFLA_TXQLEN, 0));
  put(LINK_OPERSTATE, u8Of(TABLE, IFLA_OPERSTATE));
  put(LINK_CARRIER, u8Of(TABLE, IFLA_CARRIER));
  put(LINK_MAC_AT, placeOf(TABLE, IFLA_ADDRESS, 0));
  put(LINK_NETNSID, u32Of(TABLE, IFLA_TARGET_NETNSID, ABSENT));
  const properties = placeOf(TABLE, IFLA_PROP_LIST, 0);
  put(LINK_PROPERTIES_AT, properties);
  if (properties) attributes(properties + NLA_HDRLEN, properties + load<u16>(properties), 0, 0);
  nestedOf(TABLE, IFLA_LINKINFO, NESTED_TABLE, NESTED_TYPES);
  const name = placeOf(NESTED_TABLE, IFLA_INFO_KIND, 0);
  put(LINK_KIND_AT, name);
  put(LINK_SLAVE_KIND_AT, placeOf(NESTED_TABLE, IFLA_INFO_SLAVE_KIND, 0));
  const kind = kindOf(name);
  put(LINK_KIND, kind);
  if (kind === KIND_OTHER) return;
  nestedOf(NESTED_TABLE, IFLA_INFO_DATA, INNER_TABLE, NESTED_TYPES);
  if (kind === KIND_MACVLAN) {
    put(LINK_MODE, u32Of(INNER_TABLE, IFLA_MACVLAN_MODE, ABSENT));
  } else if (kind === KIND_VLAN) {
    put(LINK_MODE, u16Of(INNER_TABLE, IFLA_VLAN_ID));
  } else {
    put(LINK_MODE, u16Of(INNER_TABLE, IFLA_IPVLAN_MODE));
    put(LINK_MODE_FLAGS, u16Of(INNER_TABLE, IFLA_IPVLAN_FLAGS));
  }
}

function kindOf(at: i32): i32 {
  if (at === 0) return KIND_OTHER;
  let length = <i32>load<u16>(at) - NLA_HDRLEN;
  at += NLA_HDRLEN;
  if (length > 0 && load<u8>(at + length - 1) === 0) length--;
  if (length === 6 && load<u32>(at) === IPVL && load<u16>(at + 4) === AN) return KIND_IPVLAN;
  if (length === 4 && load<u32>(at) === VLAN) return KIND_VLAN;
  // "macv" and "vlan" overlap in the v.
  if (length === 7 && load<u32>(at) === MACV && load<u32>(at + 3) === VLAN) return KIND_MACVLAN;
  return KIND_OTHER;
}
