import { expect, test } from "bun:test";
import fc from "fast-check";
import { LAYOUTS } from "../../src/cni/result.ts";
import { parseResult } from "../../src/cni/result-in.ts";
import { formatResult } from "../../src/cni/result-out.ts";
import { type CniVersion, SUPPORTED_VERSIONS } from "../../src/cni/version.ts";
import { Failure } from "../../src/error.ts";
import { bitsOf, type IpAddress, type IpPrefix } from "../../src/net/ip.ts";
import type { Dns, Interface, IpConfig, Result, Route } from "../../src/net/result.ts";
import { inputs } from "../support/inputs.ts";

const ofFamily = (family: 4 | 6): fc.Arbitrary<IpAddress> =>
  fc
    .bigInt({ min: 0n, max: (1n << BigInt(bitsOf(family))) - 1n })
    // A mapped IPv6 address is read back as the IPv4 address it is.
    .filter((value) => family === 4 || value >> 32n !== 0xffffn)
    .map((value) => ({ family, value }));
const address = fc.oneof(ofFamily(4), ofFamily(6));
const prefix: fc.Arbitrary<IpPrefix> = address.chain((at) =>
  fc.integer({ min: 0, max: bitsOf(at.family) }).map((length) => ({ ...at, length })),
);
const text = fc.string({ minLength: 1 }).filter((value) => value.isWellFormed());
const count = fc.integer({ min: 1 });
const optional = { requiredKeys: [] as [] };

const result: fc.Arbitrary<Result> = fc.record({
  interfaces: fc.array(
    fc.record(
      { name: fc.string(), mac: text, mtu: count, sandbox: text, socketPath: text, pciID: text },
      { requiredKeys: ["name"] },
    ),
  ) as fc.Arbitrary<Interface[]>,
  ips: fc.array(
    fc.record({ address: prefix, gateway: address, interface: fc.nat() }, { requiredKeys: ["address"] }),
  ) as fc.Arbitrary<IpConfig[]>,
  routes: fc.array(
    fc.record(
      {
        dst: prefix,
        gw: address,
        mtu: count,
        advmss: count,
        priority: count,
        table: fc.nat(),
        scope: fc.nat(),
      },
      { requiredKeys: ["dst"] },
    ),
  ) as fc.Arbitrary<Route[]>,
  dns: fc.record(
    {
      nameservers: fc.array(text, { minLength: 1 }),
      domain: text,
      search: fc.array(text, { minLength: 1 }),
      options: fc.array(text, { minLength: 1 }),
    },
    optional,
  ) as fc.Arbitrary<Dns>,
});
const version = fc.constantFrom(...SUPPORTED_VERSIONS);

/** Reads it back; the version it assumes is another one, so that the text's own must count. */
const read = (json: string, assume: CniVersion = "0.1.0") =>
  parseResult(JSON.parse(json), { assume, name: "prevResult", kind: "config" });

/** What the layout of a version can say of a result. */
function expressible({ interfaces, ips, routes, dns }: Result, to: CniVersion): Result {
  if (LAYOUTS[to] === "current") return { interfaces, ips, routes, dns };
  if (LAYOUTS[to] === "with-version")
    return {
      interfaces: interfaces.map(({ mtu: _m, socketPath: _s, pciID: _p, ...rest }) => rest),
      ips,
      routes,
      dns,
    };
  const first = ([4, 6] as const).flatMap((family) => ips.find((ip) => ip.address.family === family) ?? []);
  return {
    interfaces: [],
    ips: first.map(({ interface: _, ...ip }) => ip),
    routes: first.flatMap((ip) =>
      routes
        .filter(({ dst }) => dst.family === ip.address.family)
        .map(({ dst, gw }) => (gw === undefined ? { dst } : { dst, gw })),
    ),
    dns,
  };
}

test("what is printed reads back as what the version can express", () => {
  fc.assert(
    fc.property(result, version, (made, to) => {
      fc.pre(LAYOUTS[to] !== "one-per-family" || made.ips.length > 0);
      expect(read(formatResult(made, to))).toEqual(expressible(made, to));
    }),
    inputs(500),
  );
});

test("what is read prints as it was, in every version", () => {
  fc.assert(
    fc.property(result, version, (made, to) => {
      fc.pre(LAYOUTS[to] !== "one-per-family" || made.ips.length > 0);
      const printed = formatResult(made, to);
      expect(formatResult(read(printed), to)).toBe(printed);
    }),
    inputs(500),
  );
});

test("going through an older version loses what that version cannot express, and no more", () => {
  fc.assert(
    fc.property(result, version, version, (made, through, to) => {
      fc.pre(made.ips.length > 0);
      const direct = expressible(expressible(made, through), to);
      expect(read(formatResult(read(formatResult(made, through)), to))).toEqual(direct);
    }),
    inputs(500),
  );
});

test("1.x keys are in alphabetical order at every depth", () => {
  const sorted = (value: unknown): boolean =>
    typeof value !== "object" ||
    value === null ||
    ((Array.isArray(value) || Object.keys(value).join() === Object.keys(value).sort().join()) &&
      Object.values(value).every(sorted));
  fc.assert(
    fc.property(result, fc.constantFrom("1.0.0" as const, "1.1.0" as const), (made, to) => {
      expect(sorted(JSON.parse(formatResult(made, to)))).toBe(true);
    }),
  );
});

test("no empty string, empty array or null is ever printed, interface names apart", () => {
  const filled = (value: unknown): boolean =>
    value !== null &&
    value !== "" &&
    !(Array.isArray(value) && value.length === 0) &&
    (typeof value !== "object" ||
      Object.entries(value as object).every(
        ([key, item]) => key === "name" || key === "dns" || filled(item),
      ));
  fc.assert(
    fc.property(result, version, (made, to) => {
      fc.pre(LAYOUTS[to] !== "one-per-family" || made.ips.length > 0);
      expect(filled(JSON.parse(formatResult(made, to)))).toBe(true);
    }),
  );
});

test("any JSON is a result or a Failure that names the path", () => {
  const keys = [
    "interfaces",
    "ips",
    "routes",
    "dns",
    "ip4",
    "ip6",
    "address",
    "ip",
    "dst",
    "gw",
    "name",
    "mtu",
  ];
  const key = fc.constantFrom(...keys, "cniVersion", "__proto__");
  const leaf = fc.oneof(
    fc.string(),
    fc.double(),
    fc.constantFrom(null, true, "10.0.0.1/8", "0.2.0", "1.1.0"),
  );
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      leaf,
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(key, tie("value"), { maxKeys: 5 }),
    ),
  }));
  fc.assert(
    fc.property(value, version, (input, assume) => {
      try {
        read(JSON.stringify(input), assume);
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(Failure);
        expect((thrown as Failure).message).toMatch(/^(invalid prevResult|unsupported CNI result version)/);
      }
    }),
    inputs(1000),
  );
});
