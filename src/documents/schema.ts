/** The JSON Schema of a configuration, for editors: the shapes from the valibot schemas, the words from the table of keys. */

import { toJsonSchema } from "@valibot/to-json-schema";
import * as v from "valibot";
import { keysOf, type Section } from "../cli/configuration.ts";
import { IPAM_PLACES } from "../cli/configuration-ipam.ts";
import { flagSchema, masterSchema, modeSchema, mtuSchema } from "../cni/config-schema.ts";
import { addressesSchema, OPTIONS } from "../cni/options.ts";
import { SUPPORTED_VERSIONS } from "../cni/version.ts";
import { dhcpSchema } from "../ipam/dhcp/config.ts";
import { OPTION_NAMES } from "../ipam/dhcp/option.ts";
import { FIELDS } from "../ipam/host-local/config-schema.ts";
import { ipamSchema as staticSchema } from "../ipam/static.ts";
import { dnsSchema } from "../net/schema.ts";
import { bool, objectOf, text } from "../schema.ts";

type Json = Record<string, unknown>;

/** The plugin builds only those schemas that a configuration needs; here all of them are one. */
const hostLocalSchema = () =>
  objectOf({
    ...Object.fromEntries(Object.entries(FIELDS).map(([key, schema]) => [key, v.optional(schema())])),
    // Read apart, since DEL needs nothing else.
    datadir: v.optional(text),
  });

/** How the keys that stand in no schema of their own are shaped: the plugin looks at them by hand. */
const BY_HAND: Record<string, Json> = {
  cniVersion: { enum: SUPPORTED_VERSIONS },
  name: { type: "string", pattern: "^[a-zA-Z0-9][a-zA-Z0-9_.-]*$" },
  type: { type: "string", minLength: 1 },
  capabilities: { type: "object", additionalProperties: { type: "boolean" } },
  debug: { type: "string", pattern: "^[a-zA-Z0-9][a-zA-Z0-9_.-]*$" },
  args: { type: "object" },
  runtimeConfig: { type: "object" },
  prevResult: { type: "object" },
};

/** An option of DHCP: a name, or a code, which may be in quotes. */
const DHCP_OPTION: Json = {
  anyOf: [
    { enum: Object.keys(OPTION_NAMES) },
    { type: "integer", minimum: 1, maximum: 254 },
    { type: "string", pattern: "^0*([1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-4])$", maxLength: 3 },
  ],
};

/** The whole schema: of a single plugin's configuration, or of a list with such plugins in it. */
export function configurationSchema(): Json {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "CNI network with ipvlan",
    ...when({ required: ["plugins"] }, { $ref: "#/definitions/list" }),
    else: { allOf: [{ $ref: "#/definitions/plugin" }, { required: ["name"] }] },
    definitions: {
      list: {
        ...described("list", {
          cniVersion: BY_HAND.cniVersion!,
          cniVersions: { type: "array", items: { type: "string" } },
          name: BY_HAND.name!,
          disableCheck: { type: "boolean" },
          disableGC: { type: "boolean" },
          loadOnlyInlinedPlugins: { type: "boolean" },
          plugins: {
            type: "array",
            minItems: 1,
            items: {
              type: "object",
              required: ["type"],
              ...when({ properties: { type: { const: "ipvlan" } } }, { $ref: "#/definitions/plugin" }),
            },
          },
        }),
        required: ["name", "plugins"],
      },
      plugin: { ...described("network", pluginProperties()), required: ["type"] },
    },
  };
}

function pluginProperties(): Record<string, Json> {
  const ofType = (type: "host-local" | "static" | "dhcp", schema: v.GenericSchema) =>
    // What a program of CNI_PATH takes, only that program knows.
    when(
      { properties: { type: { const: type }, external: { not: { const: true } } }, required: ["type"] },
      withWords(converted(schema), type),
    );
  // Which of the keys there must be one of, is the plugin's to say.
  const selector = { type: "object", properties: stringsNamed("name", "mac", "prefix", "match") };
  return {
    ...BY_HAND,
    master: {
      anyOf: [
        converted(masterSchema()),
        selector,
        { type: "array", minItems: 1, items: { anyOf: [{ type: "string" }, selector] } },
      ],
    },
    hostAccess: { anyOf: [converted(bool), converted(addressesSchema())] },
    ...Object.fromEntries(OPTIONS.map(({ key, schema }) => [key, converted(schema())])),
    mode: converted(modeSchema()),
    flag: converted(flagSchema()),
    mtu: { ...converted(mtuSchema()), minimum: 68, maximum: 65_535 },
    linkInContainer: converted(bool),
    dns: withWords(converted(dnsSchema()), "dns"),
    ipam: {
      ...described("ipam", {
        type: { type: "string", examples: Object.keys(IPAM_PLACES) },
        external: { type: "boolean" },
      }),
      allOf: [
        ofType("host-local", hostLocalSchema()),
        ofType("static", staticSchema()),
        ofType("dhcp", dhcpSchema()),
      ],
    },
  };
}

function stringsNamed(...names: string[]): Json {
  return Object.fromEntries(names.map((name) => [name, { type: "string" }]));
}

function when(condition: Json, consequence: Json): Json {
  // biome-ignore lint/suspicious/noThenProperty: JSON Schema's own word
  return { if: condition, then: consequence };
}

/** A valibot schema as JSON Schema, without what only a tolerant reader takes: null and "" for absent. */
function converted(schema: v.GenericSchema): Json {
  // What JSON Schema cannot say (that a text is an address) is left out; `ipvlan validate` says it.
  const { $schema: _, ...rest } = toJsonSchema(schema, { typeMode: "output", errorMode: "ignore" });
  return strict(rest as Json);
}

function strict(schema: Json): Json {
  const { default: _, minimum, maximum, required, ...rest } = schema;
  const kept: Json = { ...rest };
  if (minimum !== Number.MIN_SAFE_INTEGER && minimum !== undefined) kept.minimum = minimum;
  if (maximum !== Number.MAX_SAFE_INTEGER && maximum !== undefined) kept.maximum = maximum;
  if (Array.isArray(required) && required.length > 0) kept.required = required;
  if (Array.isArray(kept.enum)) kept.enum = kept.enum.filter((value) => value !== "");
  if (kept.items !== undefined) kept.items = strict(kept.items as Json);
  if (kept.properties !== undefined)
    kept.properties = Object.fromEntries(
      Object.entries(kept.properties as Record<string, Json>).map(([key, value]) => [key, strict(value)]),
    );
  const choices = (kept.anyOf as Json[] | undefined)?.filter(
    ({ type, const: only }) => type !== "null" && only !== "",
  );
  if (choices?.length !== 1) return kept;
  const { anyOf: _any, ...others } = kept;
  return { ...others, ...strict(choices[0]!) };
}

/** Spells the keys as people do, and says what they mean; in lists of objects too. */
function withWords(schema: Json, section: Section["id"]): Json {
  const inner: Partial<Record<string, Section["id"]>> = {
    routes: "route",
    ranges: "range",
    addresses: "address",
    provide: "provide",
    request: "request",
    dns: "dns",
  };
  const properties = Object.entries((schema.properties ?? {}) as Record<string, Json>).map(([key, value]) => {
    const { name, meaning } = keyNamed(section, key);
    const below = inner[name];
    const worded = below === undefined ? value : deepest(value, (object) => withWords(object, below));
    return [name, { description: plain(meaning), ...(name === "option" ? DHCP_OPTION : worded) }];
  });
  return { ...schema, properties: Object.fromEntries(properties) };
}

/** Changes the objects that a list, or a list of lists, is of. */
function deepest(schema: Json, change: (object: Json) => Json): Json {
  if (schema.type === "array") return { ...schema, items: deepest(schema.items as Json, change) };
  return schema.type === "object" ? change(schema) : schema;
}

function described(section: Section["id"], properties: Record<string, Json>): Json {
  return withWords({ type: "object", properties }, section);
}

function keyNamed(section: Section["id"], key: string) {
  const found = keysOf(section).find(({ name }) => name.toLowerCase() === key.toLowerCase());
  if (found === undefined)
    throw new Error(`src/cli/configuration.ts does not describe "${key}" of ${section}`);
  return found;
}

/** Markdown without its marks. */
function plain(markdown: string): string {
  return markdown.replaceAll(/[`*]/g, "");
}
