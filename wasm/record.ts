// The slots of RECORD: where the attributes of the current message begin.
import { RECORD } from "./layout";

export function put(slot: i32, at: i32): void {
  store<i32>(RECORD + (slot << 2), at);
}

export function get(slot: i32): i32 {
  return load<i32>(RECORD + (slot << 2));
}

/** Empties two slots, the first of them an even one. */
export function clear2(slot: i32): void {
  store<u64>(RECORD + (slot << 2), 0);
}
