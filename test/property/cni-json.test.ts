import { expect, test } from "bun:test";
import fc from "fast-check";
import { decodeConfig, decodeVersion, networkConfig } from "../../src/cni/config.ts";
import { readEnvironment } from "../../src/cni/environment.ts";
import { type Command, gate } from "../../src/cni/gate.ts";
import { fold, formatJson, parseJson } from "../../src/cni/json.ts";
import { Failure } from "../../src/error.ts";
import { inputs } from "../support/inputs.ts";

const COMMANDS: Command[] = ["ADD", "CHECK", "STATUS", "DEL", "GC"];
const KEYS = [
  ...["cniVersion", "name", "type", "master", "mode", "mtu", "flag", "ipam", "linkInContainer", "dns"],
  ...["prevResult", "runtimeConfig", "args", "cni.dev/valid-attachments", "cni.dev/attachments"],
  ...["__proto__", "constructor", "interfaces", "ips", "routes", "ip4", "address", "ip", "dst"],
];
const key = fc.oneof(
  fc.constantFrom(...KEYS),
  fc.constantFrom(...KEYS).map((name) => name.toUpperCase()),
  fc.string(),
);
const leaf = fc.oneof(
  fc.constantFrom("", "l2", "l3s", "vepa", "eth0", "host-local", "10.0.0.2/24", "1.1.0", "0.2.0", "9.9"),
  fc.string({ unit: "binary" }),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
);
const { value: json } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    fc.array(tie("value"), { maxLength: 4 }),
    // From entries, so that __proto__ is a key.
    fc.array(fc.tuple(key, tie("value")), { maxLength: 8 }).map((entries) => Object.fromEntries(entries)),
  ),
}));

function failureOf(work: () => unknown): Failure | undefined {
  try {
    work();
    return undefined;
  } catch (thrown) {
    // Anything else would be reported as our own fault.
    if (thrown instanceof Failure) return thrown;
    throw thrown;
  }
}

test("any text is a configuration or a Failure that says why not", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string({ unit: "binary" }),
        json.map((value) => JSON.stringify(value)),
      ),
      (text) => {
        const failure = failureOf(() => decodeConfig(Buffer.from(text)));
        expect(["decode", "config", undefined]).toContain(failure?.kind);
      },
    ),
  );
});

/** The configuration of these fields with a right name and version, the only ones in any spelling. */
function named(fields: Record<string, unknown>): Uint8Array {
  const others = Object.entries(fields).filter(
    ([name]) => !["name", "cniversion"].includes(name.toLowerCase()),
  );
  return Buffer.from(JSON.stringify(Object.fromEntries([...others, ["name", "n"], ["cniVersion", "1.1.0"]])));
}

const anyConfig = fc.tuple(fc.dictionary(key, json), fc.constantFrom(...COMMANDS));

test("any configuration is valid or refused, and nothing of it reaches a prototype", () => {
  fc.assert(
    fc.property(anyConfig, ([fields, command]) => {
      const failure = failureOf(() => networkConfig(decodeConfig(named(fields)), "1.1.0", command));
      expect(["config", "unsupported", "unavailable", undefined]).toContain(failure?.kind);
      expect(failure?.message.length ?? 0).toBeLessThan(1000);
      expect(Object.keys(Object.prototype)).toEqual([]);
    }),
    inputs(1000),
  );
});

test("no configuration with a name and a version stops a DEL", () => {
  fc.assert(
    fc.property(fc.dictionary(key, json), (fields) => {
      const raw = decodeConfig(named(fields));
      expect(networkConfig(raw, gate("DEL", decodeVersion(raw)), "DEL").name).toBe("n");
    }),
    inputs(1000),
  );
});

test("an unknown key changes nothing", () => {
  const known = { name: "n", master: "eth0", mtu: 1400, ipam: { type: "x" } };
  const of = (fields: object) => {
    const { bytes: _, ...config } = networkConfig(
      decodeConfig(Buffer.from(JSON.stringify(fields))),
      "1.1.0",
      "ADD",
    );
    return JSON.stringify(config);
  };
  fc.assert(
    fc.property(fc.string(), json, (name, value) => {
      fc.pre(!KEYS.some((item) => item.toLowerCase() === name.toLowerCase()));
      expect(of({ ...known, [name]: value })).toBe(of(known));
    }),
  );
});

test("the case of keys changes nothing", () => {
  const mixed = (text: string) =>
    fc
      .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
      .map((upper) => [...text].map((c, i) => (upper[i] ? c.toUpperCase() : c.toLowerCase())).join(""));
  fc.assert(
    fc.property(
      mixed("linkInContainer"),
      mixed("master"),
      mixed("ipam"),
      mixed("type"),
      (link, master, ipam, type) => {
        const text = JSON.stringify({ name: "n", [link]: true, [master]: "eth0", [ipam]: { [type]: "x" } });
        const config = networkConfig(decodeConfig(Buffer.from(text)), "1.1.0", "ADD");
        expect([config.endpoint.linkInContainer, config.endpoint.master, config.ipam?.type]).toEqual([
          true,
          "eth0",
          "x",
        ]);
      },
    ),
  );
});

test("parseJson reads what JSON.stringify and formatJson write", () => {
  fc.assert(
    fc.property(json, (value) => {
      const text = JSON.stringify(value);
      expect(JSON.stringify(parseJson(text))).toBe(text);
      expect(JSON.stringify(parseJson(formatJson(value)))).toBe(text);
      expect(formatJson(value)).not.toMatch(/[<>&\u2028\u2029]/);
    }),
  );
});

test("fold keeps every value and lower-cases every key", () => {
  fc.assert(
    fc.property(fc.dictionary(key, fc.integer()), (object) => {
      const folded = fold(object);
      for (const [name, value] of Object.entries(folded)) {
        expect(name).toBe(name.toLowerCase());
        expect(Object.values(object)).toContain(value as number);
      }
      expect(Object.getPrototypeOf(folded)).toBeNull();
    }),
  );
});

test("any environment is read or refused as one", () => {
  const name = fc.constantFrom("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS", "CNI_PATH");
  const command = fc.oneof(fc.constantFrom<string>(...COMMANDS), fc.string());
  fc.assert(
    fc.property(command, fc.dictionary(name, fc.string({ unit: "binary" })), (CNI_COMMAND, variables) => {
      const failure = failureOf(() => readEnvironment({ CNI_COMMAND, ...variables }));
      expect(["environment", undefined]).toContain(failure?.kind);
    }),
  );
});
