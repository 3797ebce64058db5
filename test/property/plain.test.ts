import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import * as v from "valibot";
import { decodeConfig, networkConfig } from "../../src/cni/config.ts";
import * as schemas from "../../src/cni/config-schema.ts";
import { OPTION_KEYS, optionsIn } from "../../src/cni/option-keys.ts";
import { OPTIONS } from "../../src/cni/options.ts";
import { PLAIN } from "../../src/ipam/host-local/config.ts";
import { FIELDS } from "../../src/ipam/host-local/config-schema.ts";
import {
  plainAddress,
  plainBool,
  plainObject,
  plainPrefix,
  plainRoutes,
  plainTexts,
} from "../../src/net/plain.ts";
import { optionalAddress, prefix, routesSchema } from "../../src/net/schema.ts";
import { bool, object, texts } from "../../src/schema.ts";
import { jsonWith, mutated } from "../support/hostile.ts";

// What is recognised without a schema must be what the schema makes of it; whatever else is the schema's anyway.

const usual: Record<string, unknown> = {
  address: "10.1.0.1",
  subnet: "10.1.0.0/16",
  subnet6: "fd00::/64",
  texts: ["10.1.0.5", "fd00::5/64"],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "10.9.0.0/16", gw: "10.1.0.9" }, { dst: "::/0", mtu: 1400 }],
  ranges: [
    [{ subnet: "10.1.0.0/16", rangeStart: "10.1.0.5", rangeEnd: "10.1.0.9", gateway: "10.1.0.1" }],
    [{ subnet: "fd00::/64", exclude: ["fd00::1"] }],
  ],
};
const value = fc.oneof(
  fc.constantFrom(...Object.values(usual)),
  mutated(usual.routes, jsonWith(["dst", "gw", "mtu", "Dst"])),
  mutated(usual.ranges, jsonWith(["subnet", "rangeStart", "rangeEnd", "gateway", "exclude"])),
  jsonWith(["dst", "gw", "subnet", "gateway"]),
);

const pairs: [string, (value: unknown) => unknown, v.GenericSchema][] = [
  ["bool", plainBool, bool],
  ["object", plainObject, object],
  ["texts", plainTexts, texts],
  ["address", plainAddress, optionalAddress],
  ["prefix", plainPrefix, prefix],
  ["routes", plainRoutes, routesSchema()],
  ...Object.entries(PLAIN).map(([key, plain]): [string, (value: unknown) => unknown, v.GenericSchema] => [
    `host-local ${key}`,
    plain,
    FIELDS[key as keyof typeof FIELDS]() as v.GenericSchema,
  ]),
];

describe("what is recognised without a schema", () => {
  for (const [name, plain, schema] of pairs) {
    test(name, () => {
      fc.assert(
        fc.property(value, (given) => {
          const recognised = plain(structuredClone(given));
          if (recognised === undefined) return;
          const result = v.safeParse(schema, structuredClone(given));
          expect(result.success).toBe(true);
          expect(recognised).toEqual(result.output as typeof recognised);
        }),
        { numRuns: 2000 },
      );
    });
  }
});

test("what nearly every configuration has is recognised", () => {
  const found = [
    [plainAddress, usual.address],
    [plainPrefix, usual.subnet],
    [plainPrefix, usual.subnet6],
    [plainTexts, usual.texts],
    [plainRoutes, (usual.routes as unknown[]).slice(0, 2)],
    [PLAIN.ranges, (usual.ranges as unknown[]).slice(0, 1)],
  ] as [(value: unknown) => unknown, unknown][];
  for (const [plain, given] of found) expect([given, plain(given)]).not.toEqual([given, undefined]);
});

describe("the endpoint's keys, with and without schema", () => {
  const keys: [string, () => v.GenericSchema, unknown[]][] = [
    [
      "master",
      schemas.masterSchema,
      ["eth0", "", ".", "..", "a/b", "é".repeat(15), "x".repeat(127), "x".repeat(128)],
    ],
    ["mode", schemas.modeSchema, ["l2", "l3", "l3s", "", "L2", "l4"]],
    ["flag", schemas.flagSchema, ["bridge", "private", "vepa", "", "none"]],
    ["mtu", schemas.mtuSchema, [0, 67, 68, 1500, 65_535, 65_536, -1, 1500.5, "1500", 2 ** 53]],
    ["linkInContainer", () => schemas.bool, [true, false, "true", 0, 1]],
  ];
  for (const [key, schema, values] of keys)
    test(key, () => {
      for (const given of [...values, {}, [], null]) {
        if (key === "master" && typeof given === "object") continue;
        const text = JSON.stringify({ name: "n", type: "ipvlan", ipam: { type: "x" }, [key]: given });
        const read = () =>
          networkConfig(decodeConfig(new TextEncoder().encode(text)), "1.0.0", "ADD").endpoint;
        const result = given === null ? { success: true, output: undefined } : v.safeParse(schema(), given);
        if (!result.success) {
          expect(read).toThrow(key);
          continue;
        }
        const defaults: Record<string, unknown> = { mode: "l2", flag: "bridge", linkInContainer: false };
        expect([given, read()[key as "mode"]]).toEqual([given, (result.output || defaults[key]) as "l2"]);
      }
    });
});

test("each option has a schema, and each schema's key is looked for", () => {
  expect([...OPTIONS.map(({ key }) => key), "hostAccess"].sort()).toEqual([...OPTION_KEYS].sort());
  for (const key of OPTION_KEYS) expect(() => optionsIn({ [key.toLowerCase()]: "wrong" }, true)).toThrow(key);
});
