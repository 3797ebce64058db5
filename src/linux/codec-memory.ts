/** What requests and answers share of the codec's memory. */
import * as k from "../../wasm/uapi.ts";
import { encodeUtf8Into } from "../text.ts";
import { codec, running } from "./codec-form.ts";

/** Seconds: the lifetime of an address that does not end, INFINITY_LIFE_TIME of the kernel. */
export const FOREVER = 0xffff_ffff;

/** Writes a text where the codec looks for it; returns its length in bytes. */
export function putText(text: string): number {
  const { calls, text: into } = codec();
  const { read, written } = encodeUtf8Into(text, into);
  if (read !== text.length) calls.requestFail(k.ENAMETOOLONG);
  else if (text.includes("\0") || text === "") calls.requestFail(k.EINVAL);
  return written;
}

// Raw numbers; whoever asks knows that they are there, and has called the codec for that.

export function u8(where: number): number {
  return running.bytes[where]!;
}

export function u16(where: number): number {
  return running.halves[where >> 1]!;
}

export function u32(where: number): number {
  return running.words[where >> 2]! >>> 0;
}

export function i32(where: number): number {
  return running.words[where >> 2]!;
}
