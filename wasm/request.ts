// Requests are written one behind the other into REQUEST, to be sent at once. An error is remembered and told by
// requestFinish, so that nobody has to look in between.
import { bytesOf } from "./family";
import { REQUEST, REQUEST_BYTES, REQUEST_MESSAGE_BYTES_MAX, TEXT, TEXT_BYTES_MAX } from "./layout";
import { AF_INET, EINVAL, EMSGSIZE, ENAMETOOLONG, NLA_HDRLEN, NLMSG_HDRLEN } from "./uapi";

/** Where the next message begins; meaningless before the first requestBegin. */
let end: i32 = 0;
let sequence: i32 = 0;
let count: i32 = 0;
let failure: i32 = 0;

/** Empties the batch; its first message will have that sequence number. */
export function requestBegin(firstSequence: i32): void {
  end = REQUEST;
  sequence = firstSequence;
  count = 0;
  failure = 0;
}

/** The batch's length in bytes, or the negated number of the first error. */
export function requestFinish(): i32 {
  return failure ? -failure : end - REQUEST;
}

export function requestCount(): i32 {
  return count;
}

/** Remembers an error, the first one only. */
export function requestFail(errno: i32): void {
  if (failure === 0) failure = errno;
}

/** Begins a message; returns where its body goes. A full batch has failed, and what follows overwrites it. */
export function messageBegin(type: i32, flags: i32): i32 {
  if (end > REQUEST + REQUEST_BYTES - REQUEST_MESSAGE_BYTES_MAX) {
    requestFail(EMSGSIZE);
    end = REQUEST;
  }
  store<u32>(end + 4, type | (flags << 16));
  store<u32>(end + 8, sequence);
  store<u32>(end + 12, 0);
  sequence++;
  count++;
  return end + NLMSG_HDRLEN;
}

export function messageEnd(at: i32): void {
  store<u32>(end, at - end);
  end = at;
}

// Each put… writes one attribute at `at` and returns where the next one goes.

export function putU32(at: i32, type: i32, value: i32): i32 {
  store<u32>(at, (NLA_HDRLEN + 4) | (type << 16));
  store<u32>(at + 4, value);
  return at + 8;
}

export function putU16(at: i32, type: i32, value: i32): i32 {
  store<u32>(at, (NLA_HDRLEN + 2) | (type << 16));
  store<u32>(at + 4, value & 0xffff);
  return at + 8;
}

/** The first `length` bytes of TEXT, the NUL behind them counted when `terminated` is 1. */
export function putText(at: i32, type: i32, length: i32, terminated: i32): i32 {
  if (<u32>length > <u32>TEXT_BYTES_MAX) {
    requestFail(ENAMETOOLONG);
    return at;
  }
  store<u32>(TEXT + length, 0, 0, 1);
  const bytes = length + terminated;
  store<u32>(at, (NLA_HDRLEN + bytes) | (type << 16));
  at += NLA_HDRLEN;
  for (let index = 0; index < bytes; index += 4) store<u32>(at + index, load<u32>(TEXT + index));
  return at + ((bytes + 3) & ~3);
}

/** A text of up to 8 bytes, given as a little-endian number, without a NUL. */
export function putShortText(at: i32, type: i32, text: u64, length: i32): i32 {
  store<u32>(at, (NLA_HDRLEN + length) | (type << 16));
  store<u64>(at + NLA_HDRLEN, text);
  return at + NLA_HDRLEN + ((length + 3) & ~3);
}

/** Opens a nest: write its attributes behind it, then nestEnd. */
export function nestBegin(at: i32, type: i32): i32 {
  store<u32>(at, type << 16);
  return at + NLA_HDRLEN;
}

export function nestEnd(nest: i32, at: i32): void {
  store<u16>(nest, at - nest);
}

/** Remembers an error when a prefix of that family cannot be so long. */
export function checkPrefix(family: i32, length: i32): void {
  if (<u32>length > <u32>(bytesOf(family) * 8)) requestFail(EINVAL);
}

/** The address at `from` (see ADDRESS_IN) as the bytes of the wire; returns where they end. RTA_VIA's begin at half a word. */
export function putAddressBytes(at: i32, family: i32, from: i32): i32 {
  if (family === AF_INET) {
    store<u32>(at, bswap<u32>(load<u32>(from + 8)), 0, 2);
    return at + 4;
  }
  store<u64>(at, bswap<u64>(load<u64>(from)), 0, 2);
  store<u64>(at + 8, bswap<u64>(load<u64>(from + 8)), 0, 2);
  return at + 16;
}

export function putAddress(at: i32, type: i32, family: i32, from: i32): i32 {
  const next = putAddressBytes(at + NLA_HDRLEN, family, from);
  store<u32>(at, (next - at) | (type << 16));
  return next;
}
