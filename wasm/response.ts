// The walker: one datagram of answers in RESPONSE, message by message.
import { addressRead } from "./address";
import { attributes, complain, isMalformed, placeOf, tablesClear, tablesOpen, u32Of } from "./attribute";
import {
  ABSENT,
  ERROR_MESSAGE_AT,
  ERROR_NUMBER,
  ERROR_OFFSET,
  HEADER_FLAGS,
  HEADER_SEQUENCE,
  HEADER_TYPE,
  RESPONSE,
  RESPONSE_BYTES,
  TABLE,
  TABLE_TYPES,
} from "./layout";
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

let next: i32 = RESPONSE;
let end: i32 = RESPONSE;

/** Stands before the first message of a datagram. Returns 0, or a negated error number when it was too long. */
export function responseBegin(length: i32): i32 {
  tablesClear();
  next = RESPONSE;
  end = RESPONSE;
  if (<u32>length > <u32>RESPONSE_BYTES) return -EMSGSIZE;
  end += length;
  return 0;
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
  if (length < NLMSG_HDRLEN || length > rest) return -EBADMSG;
  const type = <i32>load<u16>(at + 4);
  put(HEADER_TYPE, type);
  put(HEADER_FLAGS, load<u16>(at + 6));
  put(HEADER_SEQUENCE, load<i32>(at + 8));
  tablesOpen(at);
  const body = at + NLMSG_HDRLEN;
  const bodyEnd = at + length;
  // 0 is no type; to the caller it means the end.
  if (type === 0 || length < NLMSG_HDRLEN + bodyBytesMin(type)) return -EBADMSG;
  if (type === RTM_NEWROUTE || type === RTM_DELROUTE) routeRead(body, bodyEnd);
  else if (type === RTM_NEWLINK || type === RTM_DELLINK) linkRead(body, bodyEnd);
  else if (type === RTM_NEWADDR || type === RTM_DELADDR) addressRead(body, bodyEnd);
  else if (type === NLMSG_ERROR) errorRead(body, bodyEnd);
  else if (type === NLMSG_DONE) outcomeRead(body, body + 4, bodyEnd);
  if (isMalformed()) return -EBADMSG;
  next = at + ((length + 3) & ~3);
  return type;
}

/** How much every message of that type has behind its header. */
function bodyBytesMin(type: i32): i32 {
  if (type === RTM_NEWROUTE || type === RTM_DELROUTE) return RTMSG_BYTES;
  if (type === RTM_NEWLINK || type === RTM_DELLINK) return IFINFOMSG_BYTES;
  if (type === RTM_NEWADDR || type === RTM_DELADDR) return IFADDRMSG_BYTES;
  if (type === NLMSG_ERROR) return NLMSGERR_BYTES;
  return type === NLMSG_DONE ? 4 : 0;
}

/** struct nlmsgerr: the error, the request's header, the whole request unless capped, then what is extended. */
function errorRead(at: i32, end: i32): void {
  const capped = get(HEADER_FLAGS) & NLM_F_CAPPED;
  const request = capped ? NLMSG_HDRLEN : load<i32>(at + 4);
  if (request < NLMSG_HDRLEN || request > end - at - 4) complain();
  else outcomeRead(at, at + 4 + ((request + 3) & ~3), end);
}

function outcomeRead(at: i32, extended: i32, end: i32): void {
  const error = load<i32>(at);
  // The kernel's error numbers end at 4095 (MAX_ERRNO).
  if (error > 0 || error < -4095) complain();
  if (get(HEADER_FLAGS) & NLM_F_ACK_TLVS) attributes(extended, end, TABLE, TABLE_TYPES);
  put(ERROR_NUMBER, -error);
  put(ERROR_MESSAGE_AT, placeOf(TABLE, NLMSGERR_ATTR_MSG, 0));
  put(ERROR_OFFSET, u32Of(TABLE, NLMSGERR_ATTR_OFFS, ABSENT));
}
