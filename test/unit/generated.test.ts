/** What the documents have from the source, and whether the source's own words are complete. */

import { expect, test } from "bun:test";
import { join } from "node:path";
import Ajv from "ajv";
import { keysOf, type Section } from "../../src/cli/configuration.ts";
import { IPAM_PLACES } from "../../src/cli/configuration-ipam.ts";
import { checkFile } from "../../src/cli/validate/document.ts";
import { Findings } from "../../src/cli/validate/finding.ts";
import { generatedFiles } from "../../src/documents/generate.ts";
import { configurationSchema } from "../../src/documents/schema.ts";
import { VARIABLES } from "../../src/documents/variables.ts";

const root = join(import.meta.dir, "../..");
const read = (path: string) => Bun.file(join(root, path)).text();

for (const [path, text] of Object.entries(await generatedFiles()))
  test(`${path} is what the source makes it (bun run documents)`, async () => {
    expect(await read(path)).toBe(text);
  });

test("every key of a network that the plugin reads is described, and every described key is read", async () => {
  const options = await read("src/cni/options.ts");
  const source = (await read("src/cni/config.ts")) + (await read("src/cni/run.ts"));
  const read_ = new Set([...source.matchAll(/\bfields\.(\w+)/g)].map(([, key]) => key!));
  for (const [, key] of options.matchAll(/\bkey: "(\w+)"/g)) read_.add(key!.toLowerCase());
  for (const [, key] of options.matchAll(/\bfields\.(\w+)/g)) read_.add(key!);
  for (const [, keys] of source.matchAll(/\{([^{}]*)\}: Fields\b/g))
    for (const key of keys!.split(",")) read_.add(key.trim());
  for (const [, key] of source.matchAll(/= "(cni\.dev\/[a-z-]+)"/g)) read_.add(key!);
  const described = keysOf("network").map(({ name }) => name.toLowerCase());
  // The runtime's, not the plugin's: it decides what goes into runtimeConfig.
  const others = ["capabilities", "type"];
  // Of runtimeConfig.
  read_.delete("mac");
  expect([...read_].filter((key) => !described.includes(key))).toEqual([]);
  expect(described.filter((key) => !read_.has(key) && !others.includes(key))).toEqual([]);
});

test("every variable of our own that the source reads is described", async () => {
  const found = new Set<string>();
  for await (const file of new Bun.Glob("src/**/*.ts").scan(root))
    for (const [name] of (await read(file)).matchAll(/\bIPVLAN_(?!F_|MODE_)[A-Z_]+\b/g)) found.add(name);
  const described = VARIABLES.map(({ name }) => name).filter((name) => name.startsWith("IPVLAN_"));
  expect([...found].sort()).toEqual(described.sort());
});

test("every key of ipam that is described is one of the JSON Schema, under its type", () => {
  const schema = configurationSchema() as unknown as {
    definitions: { plugin: { properties: { ipam: { allOf: Typed[] } } } };
  };
  interface Typed {
    if: { properties: { type: { const: string } } };
    then: { properties: Record<string, object> };
  }
  const types = schema.definitions.plugin.properties.ipam.allOf;
  for (const [type, places] of Object.entries(IPAM_PLACES)) {
    const properties = types.find((each) => each.if.properties.type.const === type)?.then.properties ?? {};
    expect(Object.keys(properties).sort()).toEqual(
      keysOf(type as Section["id"])
        .map(({ name }) => name)
        .sort(),
    );
    for (const [path, id] of places.slice(1)) {
      const [, key] = path.split(/[.[]/);
      const below = JSON.stringify(properties[key!]);
      for (const { name } of keysOf(id as Section["id"]))
        expect([type, name, below.includes(`"${name}":`)]).toEqual([type, name, true]);
    }
  }
});

const matches = new Ajv({ strict: false }).compile(configurationSchema());
const network = (change: object = {}) => ({
  cniVersion: "1.1.0",
  name: "net",
  type: "ipvlan",
  ipam: {
    type: "host-local",
    ranges: [[{ subnet: "10.0.0.0/24", rangeStart: "10.0.0.9" }]],
    routes: [{ dst: "::/0" }],
  },
  ...change,
});
const list = (plugin: object) => ({
  cniVersion: "1.0.0",
  name: "net",
  plugins: [plugin, { type: "tuning", mode: 5 }],
});
const rows: [says: string, config: object][] = [
  ["a network", network({ mode: "l3s", flag: "vepa", mtu: 1400, linkInContainer: true })],
  ["a list", list({ type: "ipvlan", master: "eth0", ipam: {} })],
  ["static addresses", network({ ipam: { type: "static", addresses: [{ address: "10.0.0.1/24" }] } })],
  ["dhcp", network({ ipam: { type: "dhcp", families: [6], request: [{ option: "13" }], conflictMs: 0 } })],
  ["dhcp for a family that is none", network({ ipam: { type: "dhcp", families: [5] } })],
  ["dhcp that waits for ever", network({ ipam: { type: "dhcp", timeoutSeconds: 601 } })],
  ["an option without its name", network({ ipam: { type: "dhcp", provide: [{ value: "web" }] } })],
  ["an option nobody knows", network({ ipam: { type: "dhcp", provide: [{ option: "hostname" }] } })],
  ["an option that is none", network({ ipam: { type: "dhcp", request: [{ option: 255 }] } })],
  [
    "a directory of leases that is a number",
    network({ ipam: { type: "host-local", subnet: "10.0.0.0/8", dataDir: 5 } }),
  ],
  ["the program dhcp", network({ ipam: { type: "dhcp", external: true, provide: "all" } })],
  ["another IPAM", network({ ipam: { type: "whereabouts", range: "10.0.0.0/8" } })],
  [
    "options",
    network({ master: [{ mac: "02:00:00:00:00:01" }, "eth1"], hostAccess: true, vlan: 20, dad: "off" }),
  ],
  ["a VLAN that is none", network({ vlan: 4095 })],
  ["a wrong mode", network({ mode: "l4" })],
  ["a wrong mode in a list", list({ type: "ipvlan", mode: "l4", ipam: {} })],
  ["an MTU in quotes", network({ mtu: "1500" })],
  ["a range that is no object", network({ ipam: { type: "host-local", ranges: [["10.0.0.0/24"]] } })],
  ["a route without destination", network({ ipam: { type: "static", routes: [{ gw: "10.0.0.1" }] } })],
  ["no name", { type: "ipvlan", ipam: {} }],
  ["a version from the future", network({ cniVersion: "2.0.0" })],
];

test.each(rows)("the JSON Schema and the plugin agree on %s", (_, config) => {
  const findings = new Findings("x.conflist");
  checkFile("x.conflist", JSON.stringify(config), findings);
  expect(matches(config)).toBe(!findings.hasErrors);
});

test("every configuration in the documents is valid", async () => {
  let count = 0;
  for (const path of ["README.md", ...new Bun.Glob("docs/*.md").scanSync(root)]) {
    for (const [, block] of (await read(path)).matchAll(/^ *```json\n([\s\S]*?)^ *```$/gm)) {
      if (!block!.includes('"ipvlan"')) continue;
      const findings = new Findings(path);
      checkFile(path, block!, findings);
      expect(findings.all).toEqual([]);
      count++;
    }
  }
  expect(count).toBeGreaterThan(2);
});
