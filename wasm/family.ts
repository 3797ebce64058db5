// Address families.
import { AF_INET, AF_INET6 } from "./uapi";

/** Bytes of an address: 4, 16, or 0 for a family unknown here. */
export function bytesOf(family: i32): i32 {
  return family === AF_INET ? 4 : family === AF_INET6 ? 16 : 0;
}
