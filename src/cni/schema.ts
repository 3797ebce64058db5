import * as v from "valibot";
import type { FailureKind } from "../error.ts";
import * as schema from "../schema.ts";
import { fold, isObject } from "./json.ts";

export { arrayOf, bool, integer, show, text, texts } from "../schema.ts";

/** A JSON object, keys in lower case, not looked into. */
export const object = v.pipe(v.custom<object>(isObject, "must be an object"), v.transform(fold));

/** An object with these entries (lower-case names); other keys are ignored. */
export function objectOf<Entries extends v.ObjectEntries>(entries: Entries) {
  return v.pipe(object, v.object(entries, "must be set"));
}

/** Keys are looked up in lower case; messages name them as the specification spells them. */
const SPELLING: Record<string, string> = {
  containerid: "containerID",
  pciid: "pciID",
  socketpath: "socketPath",
};

/** As `validate` of ../schema.ts, with keys spelt as the specification does. */
export function validate<Schema extends v.GenericSchema>(
  wanted: Schema,
  value: unknown,
  name: string,
  kind: FailureKind = "config",
  remedy?: string,
): v.InferOutput<Schema> {
  return schema.validate(wanted, value, name, { kind, remedy, spelling: SPELLING });
}
