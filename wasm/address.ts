// struct ifaddrmsg and the IFA_ attributes.
import { attributesRead, hasAtLeast, only } from "./attribute";
import { bytesOf } from "./family";
import { ADDRESS_IN, SCRATCH_SLOT } from "./layout";
import { put } from "./record";
import { checkPrefix, messageBegin, messageEnd, putAddress, putU32 } from "./request";
import {
  AF_INET,
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
  let at = header(RTM_DELADDR, NLM_F_ACK, index, family, length, 0, 0);
  at = putAddress(at, IFA_LOCAL, family, ADDRESS_IN);
  // Only with this one does the kernel compare the prefix length too.
  messageEnd(putAddress(at, IFA_ADDRESS, family, ADDRESS_IN));
}

/** Asks for all addresses, or those of a family, or of a link; 0 leaves a filter out. */
export function addressDump(family: i32, index: i32): void {
  messageEnd(header(RTM_GETADDR, NLM_F_DUMP, index, family, 0, 0, 0));
}

/** Reads the message body at `at`, which is at least IFADDRMSG_BYTES long. */
export function addressRead(at: i32, end: i32): bool {
  const bytes = bytesOf(load<u8>(at));
  const length = <i32>load<u8>(at + 1);
  put(IFA_ADDRESS, 0);
  put(IFA_LOCAL, 0);
  put(IFA_LABEL, 0);
  put(IFA_BROADCAST, 0);
  put(IFA_CACHEINFO, 0);
  put(IFA_FLAGS, 0);
  at += IFADDRMSG_BYTES;
  // Another family's attributes are its own affair; src/linux/codec.ts refuses it.
  if (bytes === 0) return attributesRead(at, end, SCRATCH_SLOT, 0, 0, 0);
  const addresses = only(IFA_ADDRESS) | only(IFA_LOCAL) | only(IFA_BROADCAST);
  return (
    length <= bytes * 8 &&
    attributesRead(at, end, 0, only(IFA_FLAGS), addresses, bytes) &&
    hasAtLeast(IFA_CACHEINFO, IFA_CACHEINFO_BYTES)
  );
}
