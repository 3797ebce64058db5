// struct rtmsg and the RTA_ attributes.
import { attributes, complain, exactOf, nestedOf, placeOf, u32Of } from "./attribute";
import {
  ADDRESS_IN,
  GATEWAY_IN,
  INNER_TABLE,
  NESTED_TABLE,
  NESTED_TYPES,
  ROUTE_ADVMSS,
  ROUTE_DESTINATION_AT,
  ROUTE_FAMILY,
  ROUTE_FLAGS,
  ROUTE_GATEWAY_AT,
  ROUTE_LENGTH,
  ROUTE_MTU,
  ROUTE_NEXTHOPS,
  ROUTE_OIF,
  ROUTE_PRIORITY,
  ROUTE_PROTOCOL,
  ROUTE_SCOPE,
  ROUTE_SOURCE_AT,
  ROUTE_TABLE,
  ROUTE_TYPE,
  ROUTE_VIA_AT,
  SOURCE_IN,
  TABLE,
  TABLE_TYPES,
} from "./layout";
import { put } from "./record";
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
  AF_INET,
  AF_INET6,
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

/** The header and, for a table beyond its eight bits, the attribute. */
function header(type: i32, flags: i32, family: i32, length: i32, table: i32): i32 {
  let at = messageBegin(type, flags | NLM_F_REQUEST);
  const wide = <u32>table > 255;
  store<u32>(at, family | (length << 8));
  store<u32>(at + 4, wide ? RT_TABLE_UNSPEC : table);
  store<u32>(at + 8, 0);
  at += RTMSG_BYTES;
  return wide ? putU32(at, RTA_TABLE, table) : at;
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
  // Behind family, lengths and tos: table, protocol, scope and type, then the flags.
  const fixed = at - (<u32>table > 255 ? RTMSG_BYTES + 8 : RTMSG_BYTES);
  store<u8>(fixed + 5, protocol);
  store<u8>(fixed + 6, scope);
  store<u8>(fixed + 7, type);
  store<u32>(fixed + 8, flags);
  if (length !== 0) at = putAddress(at, RTA_DST, family, ADDRESS_IN);
  if (gatewayFamily === family) {
    at = putAddress(at, RTA_GATEWAY, family, GATEWAY_IN);
  } else if (gatewayFamily !== 0) {
    // struct rtvia: the family in 16 bits, then the address.
    const next = putAddressBytes(at + NLA_HDRLEN + 2, gatewayFamily, GATEWAY_IN);
    store<u32>(at, (next - at) | (RTA_VIA << 16));
    store<u16>(at + NLA_HDRLEN, gatewayFamily);
    store<u16>(next, 0);
    at = next + 2;
  }
  if (source) at = putAddress(at, RTA_PREFSRC, family, SOURCE_IN);
  if (mtu !== 0 || advmss !== 0) {
    const metrics = at;
    at = nestBegin(at, RTA_METRICS);
    if (mtu !== 0) at = putU32(at, RTAX_MTU, mtu);
    if (advmss !== 0) at = putU32(at, RTAX_ADVMSS, advmss);
    nestEnd(metrics, at);
  }
  if (oif !== 0) at = putU32(at, RTA_OIF, oif);
  if (priority !== 0) at = putU32(at, RTA_PRIORITY, priority);
  messageEnd(at);
}

/** Asks for the routes of a family, or of one table, or through one link; 0 leaves a filter out. */
export function routeDump(family: i32, table: i32, oif: i32): void {
  let at = header(RTM_GETROUTE, NLM_F_DUMP, family, 0, table);
  if (oif !== 0) at = putU32(at, RTA_OIF, oif);
  messageEnd(at);
}

/** Reads the message body at `at`, which is at least RTMSG_BYTES long. */
export function routeRead(at: i32, end: i32): void {
  attributes(at + RTMSG_BYTES, end, TABLE, TABLE_TYPES);
  const family = <i32>load<u8>(at);
  const length = <i32>load<u8>(at + 1);
  put(ROUTE_FAMILY, family);
  put(ROUTE_LENGTH, length);
  put(ROUTE_TABLE, u32Of(TABLE, RTA_TABLE, load<u8>(at + 4)));
  put(ROUTE_PROTOCOL, load<u8>(at + 5));
  put(ROUTE_SCOPE, load<u8>(at + 6));
  put(ROUTE_TYPE, load<u8>(at + 7));
  put(ROUTE_FLAGS, load<i32>(at + 8));
  put(ROUTE_OIF, u32Of(TABLE, RTA_OIF, 0));
  put(ROUTE_PRIORITY, u32Of(TABLE, RTA_PRIORITY, 0));
  let mtu = 0;
  let advmss = 0;
  if (placeOf(TABLE, RTA_METRICS, 0)) {
    nestedOf(TABLE, RTA_METRICS, NESTED_TABLE, NESTED_TYPES);
    mtu = u32Of(NESTED_TABLE, RTAX_MTU, 0);
    advmss = u32Of(NESTED_TABLE, RTAX_ADVMSS, 0);
  }
  put(ROUTE_MTU, mtu);
  put(ROUTE_ADVMSS, advmss);
  if (family !== AF_INET && family !== AF_INET6) return;
  const bytes = family === AF_INET ? 4 : 16;
  const destination = exactOf(TABLE, RTA_DST, bytes);
  if (length > bytes * 8 || (length !== 0 && destination === 0)) complain();
  put(ROUTE_DESTINATION_AT, destination);
  put(ROUTE_SOURCE_AT, exactOf(TABLE, RTA_PREFSRC, bytes));
  const hops = placeOf(TABLE, RTA_MULTIPATH, RTNEXTHOP_BYTES);
  if (hops === 0) {
    put(ROUTE_NEXTHOPS, 0);
    gatewayRead(TABLE, bytes);
  } else {
    hopsRead(hops + NLA_HDRLEN, hops + load<u16>(hops));
    gatewayRead(INNER_TABLE, bytes);
  }
}

function gatewayRead(table: i32, bytes: i32): void {
  put(ROUTE_GATEWAY_AT, exactOf(table, RTA_GATEWAY, bytes));
  const via = placeOf(table, RTA_VIA, 2);
  put(ROUTE_VIA_AT, via);
  if (via === 0) return;
  const family = load<u16>(via + NLA_HDRLEN);
  const viaBytes = <i32>load<u16>(via) - NLA_HDRLEN - 2;
  if (!((family === AF_INET && viaBytes === 4) || (family === AF_INET6 && viaBytes === 16))) complain();
}

/** struct rtnexthop, several: all are checked, the first one's link and gateway stand for the route's. */
function hopsRead(at: i32, end: i32): void {
  let count = 0;
  while (at < end) {
    if (end - at < RTNEXTHOP_BYTES) break;
    const length = <i32>load<u16>(at);
    if (length < RTNEXTHOP_BYTES || length > end - at) break;
    attributes(at + RTNEXTHOP_BYTES, at + length, INNER_TABLE, count === 0 ? NESTED_TYPES : 0);
    if (count === 0) put(ROUTE_OIF, load<i32>(at + 4));
    count++;
    at += (length + 3) & ~3;
  }
  if (at < end) complain();
  put(ROUTE_NEXTHOPS, count);
}
