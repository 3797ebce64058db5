import * as v from "valibot";
import { Failure } from "../error.ts";
import { type IpAddress, type IpPrefix, parseAddress, parsePrefix } from "../net/ip.ts";
import type { Dns, Route } from "../net/result.ts";

/** True for a JSON object: neither an array nor null. */
function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The object with lower-case keys and without nulls, as Go's decoder reads it: `"Subnet"` is `subnet`, of two
 * spellings the later one counts, and null is absent. Anything else is returned as it is, for the schema to refuse.
 */
function fold(value: unknown): unknown {
  if (!isObject(value)) return value;
  const fields: Record<string, unknown> = Object.create(null);
  for (const [key, item] of Object.entries(value)) {
    if (item === null) delete fields[key.toLowerCase()];
    else fields[key.toLowerCase()] = item;
  }
  return fields;
}

/** A JSON object whose keys are spelled in any case; `entries` has them in lower case. Unknown keys are ignored. */
export function fields<const Entries extends v.ObjectEntries>(entries: Entries) {
  return v.pipe(
    v.unknown(),
    v.transform(fold),
    v.object(entries, (issue) =>
      issue.expected === "Object"
        ? `an object is expected, not ${issue.received}`
        : `${issue.expected} is missing`,
    ),
  );
}

/** A string, and a sentence otherwise. */
export const text = v.string((issue) => `a string is expected, not ${issue.received}`);

/** A list; null counts as none. */
export function list<const Item extends v.GenericSchema>(item: Item) {
  return v.nullish(
    v.array(item, (issue) => `a list is expected, not ${issue.received}`),
    [],
  );
}

/** An address, `undefined` for "". */
const optionalAddress = v.pipe(
  text,
  v.rawTransform(({ dataset, addIssue, NEVER }): IpAddress | undefined => {
    if (dataset.value === "") return undefined;
    const address = parseAddress(dataset.value);
    if (address !== undefined) return address;
    addIssue({ message: `invalid IP address: ${dataset.value}` });
    return NEVER;
  }),
);

/** A key that may be absent or "", else is an address. */
export const address = v.optional(optionalAddress);

/** An address with a prefix length. */
export const prefix = v.pipe(
  text,
  v.rawTransform(({ dataset, addIssue, NEVER }): IpPrefix => {
    const found = parsePrefix(dataset.value);
    if (found !== undefined) return found;
    addIssue({ message: `invalid CIDR address: ${dataset.value}` });
    return NEVER;
  }),
);

const count = v.optional(
  v.pipe(
    v.number((issue) => `a number is expected, not ${issue.received}`),
    v.integer("a whole number is expected"),
  ),
);

const route = v.pipe(
  fields({
    dst: prefix,
    gw: address,
    mtu: count,
    advmss: count,
    priority: count,
    table: count,
    scope: count,
  }),
  v.transform((given): Route => withoutUndefined<Route>(given)),
);

/** The `routes` of a configuration, as they go into the result. */
export const routes = list(route);

/** A `dns` object. */
export const dns = v.optional(
  v.pipe(
    fields({
      nameservers: list(text),
      domain: v.optional(text, ""),
      search: list(text),
      options: list(text),
    }),
    v.transform((given): Dns => {
      const { nameservers, domain, search, options } = given;
      return {
        ...(nameservers.length > 0 ? { nameservers } : {}),
        ...(domain === "" ? {} : { domain }),
        ...(search.length > 0 ? { search } : {}),
        ...(options.length > 0 ? { options } : {}),
      };
    }),
  ),
  {},
);

function withoutUndefined<Whole extends object>(
  given: { [Key in keyof Whole]: Whole[Key] | undefined },
): Whole {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Whole;
}

/** Reads `input`; the Failure names the path: `ipam.ranges[0][1].subnet: invalid CIDR address: 10.1`. */
export function read<const Schema extends v.GenericSchema>(
  schema: Schema,
  input: unknown,
  where: string,
): v.InferOutput<Schema> {
  const outcome = v.safeParse(schema, input, { abortEarly: true });
  if (outcome.success) return outcome.output;
  const issue = outcome.issues[0];
  const path = (issue.path ?? []).map(({ key }) =>
    typeof key === "number" ? `[${key}]` : `.${String(key)}`,
  );
  throw new Failure("config", `${where}${path.join("")}: ${issue.message}`);
}
