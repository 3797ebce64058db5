// The walker: one datagram of answers in RESPONSE, message by message.
import { addressRead } from "./address";
import { attributesRead, only, padded } from "./attribute";
import { MESSAGE_SLOT, RESPONSE, RESPONSE_BYTES } from "./layout";
import { linkRead } from "./link";
import { get, put } from "./record";
import { routeRead } from "./route";
import {
  EBADMSG,
  EMSGSIZE,
  IFADDRMSG_BYTES,
  IFINFOMSG_BYTES,
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_HDRLEN,
  NLMSGERR_ATTR_MSG,
  NLMSGERR_ATTR_OFFS,
  NLMSGERR_BYTES,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_DELROUTE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWROUTE,
  RTMSG_BYTES,
} from "./uapi";

// Both are 0 until the first responseBegin, which is as good as an empty datagram.
let next: i32 = 0;
let end: i32 = 0;

/** Stands before the first message of a datagram. Returns 0, or a negated error number when it was too long. */
export function responseBegin(length: i32): i32 {
  const fits = <u32>length <= <u32>RESPONSE_BYTES;
  next = RESPONSE;
  end = fits ? RESPONSE + length : RESPONSE;
  return fits ? 0 : -EMSGSIZE;
}

/**
 * Steps to the next message and reads it into RECORD. Returns its type, 0 after the last one, or -EBADMSG, and that
 * again whenever asked, when it is malformed.
 */
export function responseNext(): i32 {
  const at = next;
  const rest = end - at;
  if (rest <= 0) return 0;
  if (rest < NLMSG_HDRLEN) return -EBADMSG;
  const length = load<i32>(at);
  const type = <i32>load<u16>(at + 4);
  // 0 is no type; to the caller it means the end.
  if (length < NLMSG_HDRLEN || length > rest || type === 0) return -EBADMSG;
  put(MESSAGE_SLOT, at);
  if (!bodyRead(type, at + NLMSG_HDRLEN, at + length)) return -EBADMSG;
  next = at + padded(length);
  return type;
}

function bodyRead(type: i32, at: i32, end: i32): bool {
  const bytes = end - at;
  switch (type) {
    case NLMSG_ERROR:
      return bytes >= NLMSGERR_BYTES && errorRead(at, end);
    case NLMSG_DONE:
      return bytes >= 4 && outcomeRead(at, at + 4, end);
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return bytes >= IFINFOMSG_BYTES && linkRead(at, end);
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return bytes >= IFADDRMSG_BYTES && addressRead(at, end);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return bytes >= RTMSG_BYTES && routeRead(at, end);
    default:
      return true;
  }
}

/** struct nlmsgerr: the error, the request's header, the whole request unless capped, then what is extended. */
function errorRead(at: i32, end: i32): bool {
  const capped = flagsOfMessage() & NLM_F_CAPPED;
  const request = capped ? NLMSG_HDRLEN : load<i32>(at + 4);
  if (request < NLMSG_HDRLEN || request > end - at - 4) return false;
  return outcomeRead(at, at + 4 + padded(request), end);
}

/** An error number at `at` and, if the flag is set, attributes in [extended, end). */
function outcomeRead(at: i32, extended: i32, end: i32): bool {
  const error = load<i32>(at);
  put(NLMSGERR_ATTR_MSG, 0);
  put(NLMSGERR_ATTR_OFFS, 0);
  return (
    // The kernel's error numbers end at 4095 (MAX_ERRNO).
    error <= 0 &&
    error >= -4095 &&
    (!(flagsOfMessage() & NLM_F_ACK_TLVS) || attributesRead(extended, end, 0, only(NLMSGERR_ATTR_OFFS), 0, 0))
  );
}

function flagsOfMessage(): i32 {
  return load<u16>(get(MESSAGE_SLOT) + 6);
}
