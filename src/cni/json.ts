export { DEPTH_LIMIT, isObject, parseJson } from "../json.ts";

/** A JSON object with its keys in lower case. It has no prototype, so `__proto__` is a key like any other. */
export type Fields = Record<string, unknown>;

/**
 * The object with lower-case keys, as Go's decoder reads it: `"Master"` is `master`, and of two spellings the later
 * one counts.
 */
export function fold(value: object): Fields {
  const fields: Fields = Object.create(null);
  for (const [key, item] of Object.entries(value)) fields[key.toLowerCase()] = item;
  return fields;
}

/**
 * JSON as CNI plugins print it: indented by four spaces, no newline at the end, and `<`, `>`, `&` and the two
 * Unicode line separators escaped as Go does.
 */
export function formatJson(value: unknown): string {
  return JSON.stringify(value, null, 4).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
