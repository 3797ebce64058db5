import * as v from "valibot";
import { Failure, type FailureKind } from "./error.ts";
import { fold, isObject } from "./json.ts";
import { show } from "./text.ts";

// Building a schema costs as much as using it once, and every call is a process of its own: the few pieces are
// shared, and a schema that only some calls need is built by a function.

export const text = v.string("must be a string");
export const texts = v.nullish(v.array(text, "must be an array of strings"));
export const bool = v.boolean("must be true or false");
export const integer = v.pipe(v.number("must be an integer"), v.safeInteger("must be an integer"));

/** A JSON object, keys in lower case, not looked into. */
export const object = v.pipe(v.custom<object>(isObject, "must be an object"), v.transform(fold));

/** An object with these entries (lower-case names); other keys are ignored. */
export function objectOf<Entries extends v.ObjectEntries>(entries: Entries) {
  return v.pipe(object, v.object(entries, "must be set"));
}

/** An array of these. */
export function arrayOf<Item extends v.GenericSchema>(item: Item) {
  return v.array(item, "must be an array");
}

export interface ValidateOptions {
  /** "config" when left out. */
  kind?: FailureKind;
  remedy?: string | undefined;
  /** How messages spell keys that the schema spells differently. */
  spelling?: Record<string, string>;
}

/**
 * The value as the schema has it. Throws a Failure that names field, value and what is wrong:
 * `invalid mtu "1500": must be an integer`. `name` is the JSON path of the value itself, "" for a whole document.
 */
export function validate<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  name: string,
  { kind = "config", remedy, spelling = {} }: ValidateOptions = {},
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = pathOf(name, issue, spelling);
  throw new Failure(kind, `invalid ${path} ${show(issue.input)}: ${issue.message}`, { remedy, path });
}

/** `prevResult.ips[0].address` */
function pathOf(name: string, issue: v.BaseIssue<unknown>, spelling: Record<string, string>): string {
  let path = name;
  for (const { key } of issue.path ?? []) {
    if (typeof key === "number") path += `[${key}]`;
    else path += `${path === "" ? "" : "."}${spelling[String(key)] ?? key}`;
  }
  return path || "input";
}
