// Every call is a process of its own, so what counts is the first use. These are native; Buffer.from and
// Buffer.prototype.toString are JavaScript of the runtime that would have to be compiled first, a quarter of a
// millisecond. The same goes for a generator, Array.from, a regular expression or a class with #private names, each some
// 20 to 300 microseconds: where a loop reads as well, the code that every ADD runs has the loop. Math and performance
// are made when they are first used, at 100,000 and 40,000 instructions. See docs/performance.md.

const encoder = new TextEncoder();
// As Buffer reads: what is no UTF-8 is replaced, and a byte order mark stays, for the reader to refuse.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The bytes of a text in UTF-8. */
export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** Writes a text into `memory` in UTF-8, as much as there is room for; returns what was read of it and how many bytes they are. */
export function encodeUtf8Into(text: string, memory: Uint8Array): { read: number; written: number } {
  return encoder.encodeInto(text, memory);
}

/** The text of bytes in UTF-8; what is none becomes U+FFFD. */
export function decodeUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** True when the text has one character at least and `isAllowed` holds for the code of each. */
export function isMadeOf(text: string, isAllowed: (code: number) => boolean): boolean {
  for (let index = 0; index < text.length; index++) if (!isAllowed(text.charCodeAt(index))) return false;
  return text !== "";
}

/** True for the code of 0 to 9. */
export function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** True for the code of an ASCII letter or digit. */
export function isAlphanumeric(code: number): boolean {
  return isDigit(code) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
}

/** The number that `text` is in decimal, without sign or leading zeros; undefined for anything else or more digits. */
export function parseDecimal(text: string, digitsMax: number): number | undefined {
  if (text.length > digitsMax) return undefined;
  const number = Number(text);
  // Written out again it is the same text, so there was no sign, zero or exponent in it.
  return Number.isInteger(number) && number >= 0 && String(number) === text ? number : undefined;
}

/** "1" or "true", in any case, as environment variables say yes. */
export function isYes(text: string | undefined): boolean {
  return text === "1" || text?.toLowerCase() === "true";
}

/** A value as JSON, cut to what fits an error message. */
export function show(value: unknown): string {
  const json = value === undefined ? "(missing)" : JSON.stringify(value);
  return json.length <= 100 ? json : `${json.slice(0, 97)}...`;
}
