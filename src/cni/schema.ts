import type * as v from "valibot";
import type { FailureKind } from "../error.ts";
import * as schema from "../schema.ts";

export { arrayOf, bool, integer, object, objectOf, text, texts } from "../schema.ts";

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
