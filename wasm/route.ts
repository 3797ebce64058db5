// struct rtmsg and the RTA_ attributes.
import { attributePassed, attributesRead, lengthAt, nestedRead, only, padded } from "./attribute";
import { bytesOf } from "./family";
import { ADDRESS_IN, GATEWAY_IN, METRICS_SLOT, NEXTHOP_SLOT, SCRATCH_SLOT, SOURCE_IN } from "./layout";
import { clear2, get, put } from "./record";
import {
  checkPrefix,
  messageBegin,
  messageEnd,
  nestBegin,
  nestEnd,
  putAddress,
  putAddressBytes,
  putU32,
} from "./request";
import {
  NLA_HDRLEN,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  RT_TABLE_UNSPEC,
  RTA_DST,
  RTA_GATEWAY,
  RTA_METRICS,
  RTA_MULTIPATH,
  RTA_OIF,
  RTA_PREFSRC,
  RTA_PRIORITY,
  RTA_TABLE,
  RTA_VIA,
  RTAX_ADVMSS,
  RTAX_MTU,
  RTM_GETROUTE,
  RTMSG_BYTES,
  RTNEXTHOP_BYTES,
} from "./uapi";

/** A table is a byte of the header or, beyond 255, an attribute. */
function header(type: i32, flags: i32, family: i32, length: i32, table: i32): i32 {
  const at = messageBegin(type, flags | NLM_F_REQUEST);
  store<u32>(at, family | (length << 8));
  store<u32>(at + 4, <u32>table > 255 ? RT_TABLE_UNSPEC : table);
  store<u32>(at + 8, 0);
  return at + RTMSG_BYTES;
}

function putTable(at: i32, table: i32): i32 {
  return <u32>table > 255 ? putU32(at, RTA_TABLE, table) : at;
}

/**
 * One route to the prefix in ADDRESS_IN: RTM_NEWROUTE or RTM_DELROUTE with these message flags. `gatewayFamily` is 0
 * or the family of GATEWAY_IN; `source` 1: SOURCE_IN is the preferred source. 0 leaves out `oif`, `priority`, `mtu`
 * and `advmss`.
 */
export function routeChange(
  messageType: i32,
  messageFlags: i32,
  family: i32,
  length: i32,
  gatewayFamily: i32,
  source: i32,
  oif: i32,
  priority: i32,
  table: i32,
  protocol: i32,
  scope: i32,
  type: i32,
  flags: i32,
  mtu: i32,
  advmss: i32,
): void {
  checkPrefix(family, length);
  let at = header(messageType, messageFlags, family, length, table);
  store<u8>(at - 7, protocol);
  store<u8>(at - 6, scope);
  store<u8>(at - 5, type);
  store<u32>(at - 4, flags);
  if (length !== 0) at = putAddress(at, RTA_DST, family, ADDRESS_IN);
  if (gatewayFamily === family) at = putAddress(at, RTA_GATEWAY, family, GATEWAY_IN);
  else if (gatewayFamily !== 0) at = putVia(at, gatewayFamily);
  if (source) at = putAddress(at, RTA_PREFSRC, family, SOURCE_IN);
  if (priority !== 0) at = putU32(at, RTA_PRIORITY, priority);
  at = putTable(at, table);
  if (oif !== 0) at = putU32(at, RTA_OIF, oif);
  if (mtu !== 0 || advmss !== 0) {
    const metrics = at;
    at = nestBegin(at, RTA_METRICS);
    if (mtu !== 0) at = putU32(at, RTAX_MTU, mtu);
    if (advmss !== 0) at = putU32(at, RTAX_ADVMSS, advmss);
    nestEnd(metrics, at);
  }
  messageEnd(at);
}

/** struct rtvia with the gateway in GATEWAY_IN: the family in 16 bits, then the address. */
function putVia(at: i32, family: i32): i32 {
  const end = putAddressBytes(at + NLA_HDRLEN + 2, family, GATEWAY_IN);
  store<u32>(at, (end - at) | (RTA_VIA << 16));
  store<u16>(at + NLA_HDRLEN, family);
  store<u16>(end, 0);
  return end + 2;
}

/** Asks for the routes of a family, or of one table, or through one link; 0 leaves a filter out. */
export function routeDump(family: i32, table: i32, oif: i32): void {
  let at = putTable(header(RTM_GETROUTE, NLM_F_DUMP, family, 0, table), table);
  if (oif !== 0) at = putU32(at, RTA_OIF, oif);
  messageEnd(at);
}

/**
 * Reads the message body at `at`, which is at least RTMSG_BYTES long. In one piece, it is too large to be merged with the
 * walker: JavaScriptCore inlines what was called until it compiles a function, and the walker may have seen links alone.
 */
export function routeRead(at: i32, end: i32): bool {
  const bytes = bytesOf(load<u8>(at));
  const length = <i32>load<u8>(at + 1);
  clear2(RTA_METRICS); // and RTA_MULTIPATH
  put(RTA_VIA, 0);
  put(METRICS_SLOT + RTAX_MTU, 0);
  put(METRICS_SLOT + RTAX_ADVMSS, 0);
  at += RTMSG_BYTES;
  // Most routes have some of these, in the order of the kernel, and nothing else. The walk reads what is left, if any.
  let rest = bytes === 0 ? end : at;
  rest = attributePassed(RTA_TABLE, rest, end, 4);
  rest = attributePassed(RTA_DST, rest, end, bytes);
  rest = attributePassed(RTA_PRIORITY, rest, end, 4);
  rest = attributePassed(RTA_PREFSRC, rest, end, bytes);
  rest = attributePassed(RTA_GATEWAY, rest, end, bytes);
  rest = attributePassed(RTA_OIF, rest, end, 4);
  // Another family's attributes are its own affair; src/linux/codec.ts refuses it.
  if (bytes === 0) return attributesRead(at, end, SCRATCH_SLOT, 0, 0, 0);
  const words = only(RTA_OIF) | only(RTA_PRIORITY) | only(RTA_TABLE);
  const addresses = only(RTA_DST) | only(RTA_GATEWAY) | only(RTA_PREFSRC);
  return (
    length <= bytes * 8 &&
    (rest === end ||
      (attributesRead(rest, end, 0, words, addresses, bytes) &&
        nestedRead(RTA_METRICS, METRICS_SLOT, only(RTAX_MTU) | only(RTAX_ADVMSS), 0, 0) &&
        (get(RTA_MULTIPATH) === 0 || nexthopsRead(bytes)) &&
        (get(RTA_VIA) === 0 || isVia(get(RTA_VIA))))) &&
    (length === 0 || get(RTA_DST) !== 0)
  );
}

/** struct rtvia: the family in 16 bits, then the address. */
function isVia(at: i32): bool {
  const length = lengthAt(at) - NLA_HDRLEN - 2;
  return length > 0 && length === bytesOf(load<u16>(at + NLA_HDRLEN));
}

/** struct rtnexthop, several: all are walked, the first one's link and gateway stand for the route's. */
function nexthopsRead(bytes: i32): bool {
  let at = get(RTA_MULTIPATH);
  const end = at + lengthAt(at);
  at += NLA_HDRLEN;
  // The link's index is the second word of the structure, where an attribute has its value.
  put(RTA_OIF, end - at >= RTNEXTHOP_BYTES ? at : 0);
  put(NEXTHOP_SLOT + RTA_GATEWAY, 0);
  put(NEXTHOP_SLOT + RTA_VIA, 0);
  let slot = NEXTHOP_SLOT;
  let length = 0;
  for (; end - at >= RTNEXTHOP_BYTES; at += padded(length)) {
    length = lengthAt(at);
    if (length < RTNEXTHOP_BYTES || length > end - at) return false;
    if (!attributesRead(at + RTNEXTHOP_BYTES, at + length, slot, 0, only(RTA_GATEWAY), bytes)) return false;
    slot = SCRATCH_SLOT;
  }
  put(RTA_GATEWAY, get(NEXTHOP_SLOT + RTA_GATEWAY));
  put(RTA_VIA, get(NEXTHOP_SLOT + RTA_VIA));
  return at >= end;
}
