// struct ifinfomsg and the IFLA_ attributes.
import { attributesRead, lengthAt, nestedRead, only } from "./attribute";
import {
  DATA_SLOT,
  INFO_SLOT,
  KIND_DUMMY,
  KIND_IPVLAN,
  KIND_MACVLAN,
  KIND_OTHER,
  KIND_VLAN,
  SCRATCH_SLOT,
} from "./layout";
import { get, put } from "./record";
import {
  messageBegin,
  messageEnd,
  nestBegin,
  nestEnd,
  putShortText,
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
const DUMMY: u64 = 0x79_6d6d7564;
const IPVLAN: u64 = 0x6e61_6c767069;
const MACVLAN: u64 = ((<u64>0x6e616c) << 32) | 0x7663616d;
const VLAN: u64 = 0x6e616c76;

function header(type: i32, flags: i32, index: i32, up: i32): i32 {
  const at = messageBegin(type, flags | NLM_F_REQUEST);
  store<u32>(at, 0);
  store<u32>(at + 4, index);
  store<u32>(at + 8, up === 1 ? IFF_UP : 0);
  store<u32>(at + 12, up >= 0 ? IFF_UP : 0);
  return at + IFINFOMSG_BYTES;
}

/** What creating and changing a link have in common; -1 leaves a thing out. */
function putCommon(at: i32, netnsFd: i32, mtu: i32, txQueueLength: i32): i32 {
  if (netnsFd >= 0) at = putU32(at, IFLA_NET_NS_FD, netnsFd);
  if (mtu >= 0) at = putU32(at, IFLA_MTU, mtu);
  return txQueueLength >= 0 ? putU32(at, IFLA_TXQLEN, txQueueLength) : at;
}

function putName(at: i32, length: i32): i32 {
  if (length >= IFNAMSIZ) requestFail(ENAMETOOLONG);
  return putText(at, IFLA_IFNAME, length, 1);
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
  at = putCommon(at, netnsFd, mtu, txQueueLength);
  if (parent !== 0) at = putU32(at, IFLA_LINK, parent);
  if (linkNetnsid !== -1) at = putU32(at, IFLA_LINK_NETNSID, linkNetnsid);
  at = putName(at, nameLength);
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
  if (kind === KIND_DUMMY) return putShortText(at, IFLA_INFO_KIND, DUMMY, 5);
  if (kind === KIND_VLAN) return putShortText(at, IFLA_INFO_KIND, VLAN, 4);
  if (kind === KIND_MACVLAN) return putShortText(at, IFLA_INFO_KIND, MACVLAN, 7);
  return putShortText(at, IFLA_INFO_KIND, IPVLAN, 6);
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
  let at = putCommon(header(RTM_NEWLINK, NLM_F_ACK, index, up), netnsFd, mtu, txQueueLength);
  if (nameLength > 0) at = putName(at, nameLength);
  messageEnd(at);
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
export function linkRead(at: i32, end: i32): bool {
  put(IFLA_ADDRESS, 0);
  put(IFLA_IFNAME, 0);
  put(IFLA_MTU, 0);
  put(IFLA_LINK, 0);
  put(IFLA_MASTER, 0);
  put(IFLA_TXQLEN, 0);
  put(IFLA_OPERSTATE, 0);
  put(IFLA_LINKINFO, 0);
  put(IFLA_CARRIER, 0);
  put(IFLA_LINK_NETNSID, 0);
  put(IFLA_TARGET_NETNSID, 0);
  put(IFLA_PROP_LIST, 0);
  put(INFO_SLOT + IFLA_INFO_KIND, 0);
  put(INFO_SLOT + IFLA_INFO_DATA, 0);
  put(INFO_SLOT + IFLA_INFO_SLAVE_KIND, 0);
  put(DATA_SLOT + IFLA_IPVLAN_MODE, 0);
  put(DATA_SLOT + IFLA_IPVLAN_FLAGS, 0);
  const words =
    only(IFLA_MTU) |
    only(IFLA_LINK) |
    only(IFLA_MASTER) |
    only(IFLA_TXQLEN) |
    only(IFLA_LINK_NETNSID) |
    only(IFLA_TARGET_NETNSID);
  const small = only(IFLA_OPERSTATE) | only(IFLA_CARRIER);
  return (
    attributesRead(at + IFINFOMSG_BYTES, end, 0, words, small, 1) &&
    nestedRead(IFLA_PROP_LIST, SCRATCH_SLOT, 0, 0, 0) &&
    nestedRead(IFLA_LINKINFO, INFO_SLOT, 0, 0, 0) &&
    dataRead(kindOf(get(INFO_SLOT + IFLA_INFO_KIND)))
  );
}

/** IFLA_INFO_DATA of the kinds known here; other kinds may put there what they like. */
function dataRead(kind: i32): bool {
  const data = INFO_SLOT + IFLA_INFO_DATA;
  if (kind === KIND_IPVLAN)
    return nestedRead(data, DATA_SLOT, 0, only(IFLA_IPVLAN_MODE) | only(IFLA_IPVLAN_FLAGS), 2);
  if (kind === KIND_MACVLAN) return nestedRead(data, DATA_SLOT, only(IFLA_MACVLAN_MODE), 0, 0);
  return kind !== KIND_VLAN || nestedRead(data, DATA_SLOT, 0, only(IFLA_VLAN_ID), 2);
}

/** The kind named by the attribute at `at`. */
function kindOf(at: i32): i32 {
  if (at === 0) return KIND_OTHER;
  let text: u64 = 0;
  let length = lengthAt(at) - NLA_HDRLEN;
  if (length > 8) return KIND_OTHER;
  // A NUL at the end adds nothing.
  while (length > 0) text = (text << 8) | load<u8>(at + NLA_HDRLEN + --length);
  return text === IPVLAN
    ? KIND_IPVLAN
    : text === MACVLAN
      ? KIND_MACVLAN
      : text === VLAN
        ? KIND_VLAN
        : KIND_OTHER;
}
