// struct ifaddrmsg and the IFA_ attributes.
import { attributes, complain, exactOf, placeOf, u32Of } from "./attribute";
import {
  ADDRESS_BROADCAST_AT,
  ADDRESS_CACHE_AT,
  ADDRESS_FAMILY,
  ADDRESS_FLAGS,
  ADDRESS_IN,
  ADDRESS_INDEX,
  ADDRESS_LABEL_AT,
  ADDRESS_LENGTH,
  ADDRESS_LOCAL_AT,
  ADDRESS_PEER_AT,
  ADDRESS_SCOPE,
  TABLE,
  TABLE_TYPES,
} from "./layout";
import { put } from "./record";
import { checkPrefix, messageBegin, messageEnd, putAddress, putU32 } from "./request";
import {
  AF_INET,
  AF_INET6,
  IFA_ADDRESS,
  IFA_BROADCAST,
  IFA_CACHEINFO,
  IFA_CACHEINFO_BYTES,
  IFA_FLAGS,
  IFA_LABEL,
  IFA_LOCAL,
  IFADDRMSG_BYTES,
  NLA_HDRLEN,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
  RTM_DELADDR,
  RTM_GETADDR,
  RTM_NEWADDR,
} from "./uapi";

function header(
  type: i32,
  flags: i32,
  index: i32,
  family: i32,
  length: i32,
  addressFlags: i32,
  scope: i32,
): i32 {
  const at = messageBegin(type, flags | NLM_F_REQUEST);
  store<u32>(at, family | (length << 8) | ((addressFlags & 0xff) << 16) | (scope << 24));
  store<u32>(at + 4, index);
  return at + IFADDRMSG_BYTES;
}

/**
 * Adds the address in ADDRESS_IN. `broadcast` 1: with the prefix's last address as broadcast address, if it is IPv4
 * and has one. `lifetimes` 1: `valid` and `preferred` seconds.
 */
export function addressAdd(
  index: i32,
  family: i32,
  length: i32,
  broadcast: i32,
  flags: i32,
  scope: i32,
  replace: i32,
  lifetimes: i32,
  valid: i32,
  preferred: i32,
): void {
  checkPrefix(family, length);
  const messageFlags = NLM_F_ACK | NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL);
  let at = header(RTM_NEWADDR, messageFlags, index, family, length, flags, scope);
  at = putAddress(at, IFA_LOCAL, family, ADDRESS_IN);
  at = putAddress(at, IFA_ADDRESS, family, ADDRESS_IN);
  if (broadcast && family === AF_INET && length < 31) {
    const last = load<u32>(ADDRESS_IN + 8) | (<u32>-1 >>> length);
    at = putU32(at, IFA_BROADCAST, bswap<u32>(last));
  }
  if (flags & ~0xff) at = putU32(at, IFA_FLAGS, flags);
  if (lifetimes) {
    store<u32>(at, (NLA_HDRLEN + IFA_CACHEINFO_BYTES) | (IFA_CACHEINFO << 16));
    store<u32>(at + 4, preferred);
    store<u32>(at + 8, valid);
    store<u64>(at + 12, 0);
    at += NLA_HDRLEN + IFA_CACHEINFO_BYTES;
  }
  messageEnd(at);
}

/** Removes the address in ADDRESS_IN. */
export function addressDelete(index: i32, family: i32, length: i32): void {
  checkPrefix(family, length);
  const at = header(RTM_DELADDR, NLM_F_ACK, index, family, length, 0, 0);
  messageEnd(putAddress(at, IFA_LOCAL, family, ADDRESS_IN));
}

/** Asks for all addresses, or those of a family, or of a link; 0 leaves a filter out. */
export function addressDump(family: i32, index: i32): void {
  messageEnd(header(RTM_GETADDR, NLM_F_DUMP, index, family, 0, 0, 0));
}

/** Reads the message body at `at`, which is at least IFADDRMSG_BYTES long. */
export function addressRead(at: i32, end: i32): void {
  attributes(at + IFADDRMSG_BYTES, end, TABLE, TABLE_TYPES);
  const family = <i32>load<u8>(at);
  put(ADDRESS_FAMILY, family);
  put(ADDRESS_LENGTH, load<u8>(at + 1));
  put(ADDRESS_FLAGS, u32Of(TABLE, IFA_FLAGS, load<u8>(at + 2)));
  put(ADDRESS_SCOPE, load<u8>(at + 3));
  put(ADDRESS_INDEX, load<i32>(at + 4));
  put(ADDRESS_LABEL_AT, placeOf(TABLE, IFA_LABEL, 0));
  put(ADDRESS_CACHE_AT, placeOf(TABLE, IFA_CACHEINFO, IFA_CACHEINFO_BYTES));
  if (family !== AF_INET && family !== AF_INET6) return;
  const bytes = family === AF_INET ? 4 : 16;
  if (<i32>load<u8>(at + 1) > bytes * 8) complain();
  put(ADDRESS_LOCAL_AT, exactOf(TABLE, IFA_LOCAL, bytes));
  put(ADDRESS_PEER_AT, exactOf(TABLE, IFA_ADDRESS, bytes));
  put(ADDRESS_BROADCAST_AT, exactOf(TABLE, IFA_BROADCAST, bytes));
}
