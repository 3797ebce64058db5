import { isMadeOf } from "./text.ts";

/** The deepest nesting of objects and arrays that is read; real configurations have about six levels. */
export const DEPTH_LIMIT = 100;

/** True for a JSON object: neither an array nor null. */
export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * JSON.parse with a limit on depth. Throws SyntaxError; for nothing but white space with the sentence of Go's
 * decoder, which operators know from every other plugin.
 */
export function parseJson(text: string): unknown {
  if (text === "" || isMadeOf(text, isWhiteSpace)) throw new SyntaxError("unexpected end of JSON input");
  checkDepth(text);
  return JSON.parse(text);
}

/** JSON's white space, which is less than JavaScript's. */
function isWhiteSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d;
}

function checkDepth(text: string): void {
  // Fewer brackets than levels are allowed cannot be too deep; looking for them is native, the loop below is not.
  if (countOf(text, "{") + countOf(text, "[") <= DEPTH_LIMIT) return;
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x22) index = endOfString(text, index);
    else if (code === 0x7b || code === 0x5b) depth++;
    else if (code === 0x7d || code === 0x5d) depth--;
    if (depth > DEPTH_LIMIT) throw new SyntaxError(`nested deeper than ${DEPTH_LIMIT} levels`);
  }
}

/** How often it occurs, or something above the limit. */
function countOf(text: string, character: string): number {
  let count = 0;
  for (
    let at = text.indexOf(character);
    at >= 0 && count <= DEPTH_LIMIT;
    at = text.indexOf(character, at + 1)
  )
    count++;
  return count;
}

/** The index of the closing quote, or the end of an unterminated string. */
function endOfString(text: string, start: number): number {
  for (let index = start + 1; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x22) return index;
    if (code === 0x5c) index++;
  }
  return text.length;
}

/** A JSON object with its keys in lower case. It has no prototype, so `__proto__` is a key like any other. */
export type Fields = Record<string, unknown>;

/**
 * The object with lower-case keys, as Go's decoder reads it: `"Master"` is `master`, and of two spellings the later
 * one counts.
 */
export function fold(value: object): Fields {
  const fields: Fields = Object.create(null);
  for (const key in value) fields[key.toLowerCase()] = (value as Fields)[key];
  return fields;
}
