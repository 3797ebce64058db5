import * as v from "valibot";
import { Failure, type FailureKind } from "../error.ts";
import { fold, isObject } from "./json.ts";

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

/**
 * The value as the schema has it. Throws a Failure of that kind that names field, value and what is wrong:
 * `invalid mtu "1500": must be an integer`. `name` is the JSON path of the value itself.
 */
export function validate<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  name: string,
  kind: FailureKind = "config",
  remedy?: string,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new Failure(kind, `invalid ${pathOf(name, issue)} ${show(issue.input)}: ${issue.message}`, {
    remedy,
  });
}

/** Keys are looked up in lower case; messages name them as the specification spells them. */
const SPELLING: Record<string, string> = {
  containerid: "containerID",
  pciid: "pciID",
  socketpath: "socketPath",
};

/** `prevResult.ips[0].address` */
function pathOf(name: string, issue: v.BaseIssue<unknown>): string {
  let path = name;
  for (const { key } of issue.path ?? []) {
    if (typeof key === "number") path += `[${key}]`;
    else path += `.${SPELLING[String(key)] ?? key}`;
  }
  return path;
}

/** A value as JSON, cut to what fits an error message. */
export function show(value: unknown): string {
  const json = value === undefined ? "(missing)" : JSON.stringify(value);
  return json.length <= 100 ? json : `${json.slice(0, 97)}...`;
}
