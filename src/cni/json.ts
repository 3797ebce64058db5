export { DEPTH_LIMIT, type Fields, fold, isObject, parseJson } from "../json.ts";

/**
 * JSON as CNI plugins print it: indented by four spaces, no newline at the end, and `<`, `>`, `&` and the two
 * Unicode line separators escaped as Go does.
 */
export function formatJson(value: unknown): string {
  let json = JSON.stringify(value, null, 4);
  for (const character of ["<", ">", "&", "\u2028", "\u2029"]) {
    if (!json.includes(character)) continue;
    json = json.replaceAll(character, `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
  }
  return json;
}
