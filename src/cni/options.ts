import * as v from "valibot";
import type { EndpointOptions, MasterSelector } from "../ipvlan/call.ts";
import { parseAddress, parsePrefix } from "../net/ip.ts";
import type { Fields } from "./json.ts";
import { isSelection, type OPTION_KEYS } from "./option-keys.ts";
import { bool, integer, objectOf, text, validate } from "./schema.ts";

const between = (least: number, most: number) =>
  v.pipe(
    integer,
    v.minValue(least, `must be from ${least} to ${most}`),
    v.maxValue(most, `must be from ${least} to ${most}`),
  );

const U32_MAX = 0xffff_ffff;

type Key = Exclude<(typeof OPTION_KEYS)[number], "hostAccess">;

/** Each option but hostAccess: its key as it is written, its schema, and where its value goes. */
export const OPTIONS: {
  key: Key;
  schema: () => v.GenericSchema;
  into: keyof EndpointOptions;
}[] = [
  { key: "allowPortChange", schema: () => bool, into: "allowPortChange" },
  { key: "allowMasterDown", schema: () => bool, into: "allowMasterDown" },
  { key: "announce", schema: () => between(0, 10), into: "announce" },
  {
    key: "dad",
    schema: () => v.picklist(["wait", "optimistic", "off"], 'must be "wait", "optimistic" or "off"'),
    into: "dad",
  },
  { key: "acceptRA", schema: () => bool, into: "acceptRa" },
  { key: "conflictProbe", schema: () => bool, into: "probe" },
  { key: "metric", schema: () => between(0, U32_MAX), into: "metric" },
  { key: "defaultRoute", schema: () => bool, into: "defaultRoute" },
  { key: "vlan", schema: () => between(1, 4094), into: "vlan" },
  { key: "txQueueLen", schema: () => between(0, U32_MAX), into: "txQueueLen" },
];

/**
 * The options of a configuration whose keys are in lower case; undefined when it has none. Throws a `config` Failure for
 * a value that is wrong, or passes over it unless `strict`.
 */
export function readOptions(fields: Fields, strict: boolean): EndpointOptions | undefined {
  const options: Record<string, unknown> = {};
  for (const { key, schema, into } of OPTIONS) {
    const value = fields[key.toLowerCase()];
    if (value !== undefined && value !== null) set(options, into, schema(), value, key, strict);
  }
  readHostAccess(fields.hostaccess, options, strict);
  if (isSelection(fields.master)) set(options, "masters", selectionSchema(), fields.master, "master", strict);
  return Object.keys(options).length > 0 ? options : undefined;
}

function set(
  options: Record<string, unknown>,
  into: string,
  schema: v.GenericSchema,
  value: unknown,
  key: string,
  strict: boolean,
): void {
  if (strict) {
    options[into] = validate(schema, value, key);
    return;
  }
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) options[into] = result.output;
}

/** `true`, or the addresses that the host is to have. */
function readHostAccess(value: unknown, options: Record<string, unknown>, strict: boolean): void {
  if (value === undefined || value === null) return;
  const list = Array.isArray(value);
  set(
    options,
    list ? "hostAddresses" : "hostAccess",
    list ? addressesSchema() : v.boolean("must be true, false or a list of IP addresses"),
    value,
    "hostAccess",
    strict,
  );
  if (options.hostAddresses !== undefined) options.hostAccess = true;
}

export const addressesSchema = () =>
  v.pipe(
    v.array(
      v.pipe(
        text,
        v.rawTransform(({ dataset, addIssue, NEVER }) => {
          const address = parseAddress(dataset.value);
          if (address !== undefined) return address;
          addIssue({ message: "must be an IP address without a prefix length" });
          return NEVER;
        }),
      ),
    ),
    v.minLength(1, "must name at least one address"),
  );

function selectionSchema() {
  const selector = selectorSchema();
  const list = v.pipe(v.array(selector), v.minLength(1, "must name at least one interface"));
  return v.pipe(
    v.custom(() => true),
    v.transform((value) => (Array.isArray(value) ? value : [value])),
    list,
  );
}

const SIMPLE_PATTERN = "must be a regular expression that repeats no group, and at most four things";

/**
 * The expression, unless matching it against a name could take for ever: what backtracking costs grows with the number of
 * repetitions, and without bound where a repeated group repeats something itself.
 */
function simplePattern(source: string): RegExp | undefined {
  const bare = source.replace(/\\.|\[(?:\\.|[^\]])*\]/g, "x");
  if (/\)[*+{]/.test(bare) || (bare.match(/[*+{]/g)?.length ?? 0) > 4) return undefined;
  try {
    return new RegExp(source, "u");
  } catch {
    return undefined;
  }
}

const SELECTOR_KEYS = "must have name, mac, prefix or match";

function selectorSchema() {
  const entries = {
    name: v.nullish(v.pipe(text, v.nonEmpty("must be the name of an interface"))),
    mac: v.nullish(
      v.pipe(
        text,
        v.regex(/^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/, "must be a MAC address such as 02:00:00:00:00:01"),
        v.toLowerCase(),
      ),
    ),
    prefix: v.nullish(
      v.pipe(
        text,
        v.rawTransform(({ dataset, addIssue, NEVER }) => {
          const prefix = parsePrefix(dataset.value);
          if (prefix !== undefined) return prefix;
          addIssue({ message: "must be a prefix such as 192.0.2.0/24" });
          return NEVER;
        }),
      ),
    ),
    match: v.nullish(
      v.pipe(
        text,
        v.rawTransform(({ dataset, addIssue, NEVER }) => {
          const pattern = simplePattern(dataset.value);
          if (pattern !== undefined) return pattern;
          addIssue({ message: SIMPLE_PATTERN });
          return NEVER;
        }),
      ),
    ),
  };
  const fromObject = v.pipe(
    objectOf(entries),
    v.transform(({ name, mac, prefix, match }) => compact({ name, mac, prefix, pattern: match })),
    v.check((selector) => Object.keys(selector).length > 0, SELECTOR_KEYS),
  );
  const fromName = v.pipe(
    text,
    v.nonEmpty("must be the name of an interface"),
    v.transform((name): MasterSelector => ({ name })),
  );
  return v.lazy((value) => (typeof value === "string" ? fromName : fromObject));
}

function compact(
  selector: { [Key in keyof MasterSelector]: MasterSelector[Key] | null | undefined },
): MasterSelector {
  return Object.fromEntries(
    Object.entries(selector).filter(([, value]) => value !== undefined && value !== null),
  );
}
