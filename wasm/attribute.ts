// Reading attributes. A set of attribute types is 64 bits, one for each; types from 64 on are passed over.
import { TYPES } from "./layout";
import { get, put } from "./record";
import { NLA_HDRLEN, NLA_TYPE_MASK } from "./uapi";

/** The length, header included, that the attribute, nexthop or message at `at` claims to have. */
export function lengthAt(at: i32): i32 {
  return <i32>load<u16>(at);
}

/** A length rounded up to where the next attribute, nexthop or message begins. */
export function padded(length: i32): i32 {
  return (length + 3) & ~3;
}

/** The set of that one type. */
export function only(type: i32): u64 {
  return (<u64>1) << type;
}

/**
 * Walks the attributes in [at, end) and notes, in the slots from `base` on, where each type begins, of each the last.
 * False when a length is shorter than a header or goes beyond `end`, when the payload of a type in `words` is not of
 * 4 bytes, or that of a type in `sized` not of `bytes`.
 */
export function attributesRead(at: i32, end: i32, base: i32, words: u64, sized: u64, bytes: i32): bool {
  let wrong = 0;
  const last = end - NLA_HDRLEN;
  while (at <= last) {
    const length = lengthAt(at);
    // One unsigned comparison for both bounds.
    if (<u32>(length - NLA_HDRLEN) > <u32>(last - at)) return false;
    const type = <i32>load<u16>(at + 2) & NLA_TYPE_MASK;
    if (type < TYPES) {
      const bit = only(type);
      // Most types are in neither set, and the messages of a dump are alike: the branch is foreseen.
      if ((words | sized) & bit) wrong |= length ^ (words & bit ? NLA_HDRLEN + 4 : NLA_HDRLEN + bytes);
      put(base + type, at);
    }
    // Foreseen too: the processor reads the next attribute while it waits for the length of this one.
    if (length === NLA_HDRLEN + 4) {
      at += NLA_HDRLEN + 4;
      continue;
    }
    at += padded(length);
  }
  return at >= end && wrong === 0;
}

/**
 * Passes the attribute at `at` and notes it, if it is of that type and has a payload of `bytes`, a multiple of 4;
 * otherwise stays there, and the slot is empty. Less work than a walk, for attributes whose order is foreseen.
 */
export function attributePassed(type: i32, at: i32, end: i32, bytes: i32): i32 {
  const next = at + NLA_HDRLEN + bytes;
  // Length and type are one word.
  if (next > end || load<u32>(at) !== ((NLA_HDRLEN + bytes) | (type << 16))) {
    put(type, 0);
    return at;
  }
  put(type, at);
  return next;
}

/** Walks what is nested in the attribute of that slot, if there is one. */
export function nestedRead(slot: i32, base: i32, words: u64, sized: u64, bytes: i32): bool {
  const at = get(slot);
  return at === 0 || attributesRead(at + NLA_HDRLEN, at + lengthAt(at), base, words, sized, bytes);
}

/** True when the attribute of that slot is absent or its payload has `bytes` or more. */
export function hasAtLeast(slot: i32, bytes: i32): bool {
  const at = get(slot);
  return at === 0 || lengthAt(at) >= NLA_HDRLEN + bytes;
}

/** The 32 bits in the attribute of that slot, if it is there. */
export function valueOr(slot: i32, absent: i32): i32 {
  const at = get(slot);
  return at === 0 ? absent : load<i32>(at + NLA_HDRLEN);
}

/** True when the attribute of that slot is there and holds the `length` bytes at `text`, a NUL behind them or not. */
export function textEquals(slot: i32, text: i32, length: i32): bool {
  let at = get(slot);
  if (at === 0) return false;
  const bytes = lengthAt(at) - NLA_HDRLEN;
  at += NLA_HDRLEN;
  if (bytes !== length && !(bytes === length + 1 && load<u8>(at + length) === 0)) return false;
  for (let index = 0; index < length; index++)
    if (load<u8>(at + index) !== load<u8>(text + index)) return false;
  return true;
}
