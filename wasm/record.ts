// The slots of RECORD.
import { RECORD } from "./layout";

export function put(slot: i32, value: i32): void {
  store<i32>(RECORD + (slot << 2), value);
}

export function get(slot: i32): i32 {
  return load<i32>(RECORD + (slot << 2));
}
