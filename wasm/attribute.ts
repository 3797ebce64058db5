// Attributes are read in two steps. `attributes` walks them once, checks every length and notes in a table where
// each type begins. The `…Of` functions then look types up.
//
// A table is emptied once a datagram, not once a message: a place before the current message is a leftover of an
// earlier one and counts as absent.
import { ABSENT, TABLE, TABLES_END } from "./layout";
import { NLA_HDRLEN, NLA_TYPE_MASK } from "./uapi";

/** Where the current message begins. */
let message: i32 = 0;
let malformed: bool = false;

export function tablesClear(): void {
  for (let at = TABLE; at < TABLES_END; at += 8) store<u64>(at, 0);
}

/** From here on, tables speak of the message at `at`. */
export function tablesOpen(at: i32): void {
  message = at;
  malformed = false;
}

export function isMalformed(): bool {
  return malformed;
}

/** Remembers that the current message is not what it should be. */
export function complain(): void {
  malformed = true;
}

/** Walks the attributes in [at, end) and notes in `table` where those of a type below `types` begin, the last of each. */
export function attributes(at: i32, end: i32, table: i32, types: i32): void {
  while (at < end) {
    if (end - at < NLA_HDRLEN) break;
    const header = load<u32>(at);
    const length = <i32>(header & 0xffff);
    if (length < NLA_HDRLEN || length > end - at) break;
    const type = <i32>(header >> 16) & NLA_TYPE_MASK;
    if (type < types) store<u32>(table + (type << 2), at);
    at += (length + 3) & ~3;
  }
  if (at < end) complain();
}

/** Where the attribute begins, 0 when there is none; complains when its payload is shorter than `bytesMin`. */
export function placeOf(table: i32, type: i32, bytesMin: i32): i32 {
  const at = load<i32>(table + (type << 2));
  if (at < message) return 0;
  if (<i32>load<u16>(at) < NLA_HDRLEN + bytesMin) {
    complain();
    return 0;
  }
  return at;
}

/** Where an attribute begins whose payload must have exactly `bytes`, 0 when there is none. */
export function exactOf(table: i32, type: i32, bytes: i32): i32 {
  const at = placeOf(table, type, bytes);
  if (at !== 0 && <i32>load<u16>(at) !== NLA_HDRLEN + bytes) complain();
  return at;
}

export function u32Of(table: i32, type: i32, absent: i32): i32 {
  const at = placeOf(table, type, 4);
  return at ? load<i32>(at + NLA_HDRLEN) : absent;
}

export function u16Of(table: i32, type: i32): i32 {
  const at = placeOf(table, type, 2);
  return at ? <i32>load<u16>(at + NLA_HDRLEN) : ABSENT;
}

export function u8Of(table: i32, type: i32): i32 {
  const at = placeOf(table, type, 1);
  return at ? <i32>load<u8>(at + NLA_HDRLEN) : ABSENT;
}

/** Walks what is nested in the attribute, if it is there. */
export function nestedOf(table: i32, type: i32, into: i32, types: i32): void {
  const at = placeOf(table, type, 0);
  if (at) attributes(at + NLA_HDRLEN, at + load<u16>(at), into, types);
}

/** True when the attribute at `at` holds the `length` bytes at `text`, with or without a NUL behind them. */
export function textEquals(at: i32, text: i32, length: i32): bool {
  if (at === 0) return false;
  const bytes = <i32>load<u16>(at) - NLA_HDRLEN;
  at += NLA_HDRLEN;
  if (bytes !== length && !(bytes === length + 1 && load<u8>(at + length) === 0)) return false;
  for (let index = 0; index < length; index++)
    if (load<u8>(at + index) !== load<u8>(text + index)) return false;
  return true;
}
