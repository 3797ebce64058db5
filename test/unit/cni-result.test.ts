import { describe, expect, test } from "bun:test";
import { allowsNoAddress, firstDns } from "../../src/cni/result.ts";
import { parseResult } from "../../src/cni/result-in.ts";
import { formatResult } from "../../src/cni/result-out.ts";
import { type CniVersion, SUPPORTED_VERSIONS } from "../../src/cni/version.ts";
import { Failure } from "../../src/error.ts";
import { formatPrefix, parseAddress, parsePrefix } from "../../src/net/ip.ts";
import { emptyResult, type Result } from "../../src/net/result.ts";

const prefix = (text: string) => parsePrefix(text)!;
const address = (text: string) => parseAddress(text)!;

/** Everything a result can have. */
const FULL: Result = {
  interfaces: [
    {
      name: "eth0",
      mac: "02:00:00:00:00:01",
      mtu: 1500,
      sandbox: "/run/netns/c1",
      socketPath: "/run/s",
      pciID: "0000:00:1f.6",
    },
    { name: "" },
  ],
  ips: [
    { address: prefix("10.1.2.2/24"), gateway: address("10.1.2.1"), interface: 0 },
    { address: prefix("fd00::2/64") },
    { address: prefix("10.1.3.2/24"), interface: 1 },
  ],
  routes: [
    { dst: prefix("0.0.0.0/0"), gw: address("10.1.2.1") },
    { dst: prefix("10.9.8.7/16"), mtu: 1400, advmss: 1360, priority: 10, table: 0, scope: 0 },
    { dst: prefix("::/0"), gw: address("fe80::1"), table: 100, scope: 253 },
  ],
  dns: { nameservers: ["10.1.2.1"], domain: "example.org", search: ["a", "b"], options: ["ndots:5"] },
};

const print = (value: unknown) => JSON.stringify(value, null, 4);
const parse = (value: unknown, assume: CniVersion = "1.1.0") =>
  parseResult(value, { assume, name: "prevResult", kind: "config" });

describe("printing", () => {
  for (const version of ["0.1.0", "0.2.0"] as const)
    test(`${version} has one address a family and the routes that go with it`, () => {
      expect(formatResult(FULL, version)).toBe(
        print({
          cniVersion: version,
          ip4: {
            ip: "10.1.2.2/24",
            gateway: "10.1.2.1",
            routes: [{ dst: "0.0.0.0/0", gw: "10.1.2.1" }, { dst: "10.9.8.7/16" }],
          },
          ip6: { ip: "fd00::2/64", routes: [{ dst: "::/0", gw: "fe80::1" }] },
          dns: {
            nameservers: ["10.1.2.1"],
            domain: "example.org",
            search: ["a", "b"],
            options: ["ndots:5"],
          },
        }),
      );
    });

  for (const version of ["0.3.0", "0.3.1", "0.4.0"] as const)
    test(`${version} says each address's family, in the order of the reference's structures`, () => {
      expect(formatResult(FULL, version)).toBe(
        print({
          cniVersion: version,
          interfaces: [{ name: "eth0", mac: "02:00:00:00:00:01", sandbox: "/run/netns/c1" }, { name: "" }],
          ips: [
            { version: "4", interface: 0, address: "10.1.2.2/24", gateway: "10.1.2.1" },
            { version: "6", address: "fd00::2/64" },
            { version: "4", interface: 1, address: "10.1.3.2/24" },
          ],
          routes: [
            { dst: "0.0.0.0/0", gw: "10.1.2.1" },
            { dst: "10.9.8.7/16", mtu: 1400, advmss: 1360, priority: 10, table: 0, scope: 0 },
            { dst: "::/0", gw: "fe80::1", table: 100, scope: 253 },
          ],
          dns: {
            nameservers: ["10.1.2.1"],
            domain: "example.org",
            search: ["a", "b"],
            options: ["ndots:5"],
          },
        }),
      );
    });

  for (const version of ["1.0.0", "1.1.0"] as const)
    test(`${version} has its keys in alphabetical order`, () => {
      expect(formatResult(FULL, version)).toBe(
        print({
          cniVersion: version,
          dns: {
            domain: "example.org",
            nameservers: ["10.1.2.1"],
            options: ["ndots:5"],
            search: ["a", "b"],
          },
          interfaces: [
            {
              mac: "02:00:00:00:00:01",
              mtu: 1500,
              name: "eth0",
              pciID: "0000:00:1f.6",
              sandbox: "/run/netns/c1",
              socketPath: "/run/s",
            },
            { name: "" },
          ],
          ips: [
            { address: "10.1.2.2/24", gateway: "10.1.2.1", interface: 0 },
            { address: "fd00::2/64" },
            { address: "10.1.3.2/24", interface: 1 },
          ],
          routes: [
            { dst: "0.0.0.0/0", gw: "10.1.2.1" },
            { advmss: 1360, dst: "10.9.8.7/16", mtu: 1400, priority: 10, scope: 0, table: 0 },
            { dst: "::/0", gw: "fe80::1", scope: 253, table: 100 },
          ],
        }),
      );
    });

  test("is indented by four spaces and ends without a newline", () => {
    expect(formatResult({ ...emptyResult(), interfaces: [{ name: "a" }] }, "1.1.0")).toBe(
      '{\n    "cniVersion": "1.1.0",\n    "interfaces": [\n        {\n            "name": "a"\n        }\n    ]\n}',
    );
  });

  test("an empty dns is printed before 1.0.0 and left out since", () => {
    for (const dns of [{}, { nameservers: [], domain: "", search: [], options: [] }])
      for (const version of SUPPORTED_VERSIONS) {
        const text = formatResult({ ...FULL, dns }, version);
        expect([version, text.includes('"dns": {}'), text.includes('"dns"')]).toEqual(
          version.startsWith("1.") ? [version, false, false] : [version, true, true],
        );
      }
  });

  test("what is empty or zero is left out, but for interface, table and scope", () => {
    const sparse: Result = {
      interfaces: [{ name: "a", mac: "", mtu: 0, sandbox: "", socketPath: "", pciID: "" }],
      ips: [{ address: prefix("10.0.0.2/8"), interface: 0 }],
      routes: [{ dst: prefix("10.0.0.0/8"), mtu: 0, advmss: 0, priority: 0, table: 0, scope: 0 }],
      dns: {},
    };
    expect(JSON.parse(formatResult(sparse, "1.1.0"))).toEqual({
      cniVersion: "1.1.0",
      interfaces: [{ name: "a" }],
      ips: [{ address: "10.0.0.2/8", interface: 0 }],
      routes: [{ dst: "10.0.0.0/8", table: 0, scope: 0 }],
    });
    expect(JSON.parse(formatResult(sparse, "0.4.0"))).toEqual({
      cniVersion: "0.4.0",
      interfaces: [{ name: "a" }],
      ips: [{ version: "4", address: "10.0.0.2/8", interface: 0 }],
      routes: [{ dst: "10.0.0.0/8", table: 0, scope: 0 }],
      dns: {},
    });
    expect(formatResult(emptyResult(), "1.0.0")).toBe(print({ cniVersion: "1.0.0" }));
    expect(formatResult(emptyResult(), "0.4.0")).toBe(print({ cniVersion: "0.4.0", dns: {} }));
  });

  test("routes of a family without an address are dropped where they would hang from it", () => {
    const result = { ...FULL, ips: [{ address: prefix("fd00::2/64") }] };
    expect(JSON.parse(formatResult(result, "0.2.0"))).toEqual({
      cniVersion: "0.2.0",
      ip6: { ip: "fd00::2/64", routes: [{ dst: "::/0", gw: "fe80::1" }] },
      dns: FULL.dns,
    });
  });

  test("0.1.0 and 0.2.0 cannot be without an address", () => {
    for (const version of ["0.1.0", "0.2.0"] as const) {
      expect(() => formatResult(emptyResult(), version)).toThrow(
        new Failure("config", "cannot convert: no valid IP addresses"),
      );
      expect(allowsNoAddress(version)).toBe(false);
    }
    for (const version of SUPPORTED_VERSIONS.slice(2)) expect(allowsNoAddress(version)).toBe(true);
  });

  test("escapes what Go escapes", () => {
    const text = formatResult({ ...emptyResult(), dns: { domain: "<a>&\u2028\u2029" } }, "1.1.0");
    expect(text).toContain('"domain": "\\u003ca\\u003e\\u0026\\u2028\\u2029"');
  });
});

describe("reading", () => {
  test("0.1.0 and 0.2.0: IPv4 first, routes of both, no interfaces", () => {
    for (const cniVersion of ["0.1.0", "0.2.0"])
      expect(
        parse({
          cniVersion,
          ip6: { ip: "fd00::2/64", routes: [{ dst: "::/0" }] },
          ip4: { ip: "10.1.2.2/24", gateway: "10.1.2.1", routes: [{ dst: "0.0.0.0/0", gw: "10.1.2.1" }] },
          dns: { domain: "d" },
          interfaces: [{ name: "not of this version" }],
        }),
      ).toEqual({
        interfaces: [],
        ips: [
          { address: prefix("10.1.2.2/24"), gateway: address("10.1.2.1") },
          { address: prefix("fd00::2/64") },
        ],
        routes: [{ dst: prefix("0.0.0.0/0"), gw: address("10.1.2.1") }, { dst: prefix("::/0") }],
        dns: { domain: "d" },
      });
  });

  test("0.3.0 to 0.4.0: everything but what their interfaces cannot say", () => {
    for (const version of ["0.3.0", "0.3.1", "0.4.0"] as const)
      expect(parse(JSON.parse(formatResult(FULL, version)))).toEqual({
        ...FULL,
        interfaces: [{ name: "eth0", mac: "02:00:00:00:00:01", sandbox: "/run/netns/c1" }, { name: "" }],
      });
  });

  test("1.0.0 and 1.1.0: everything", () => {
    for (const version of ["1.0.0", "1.1.0"] as const)
      expect(parse(JSON.parse(formatResult(FULL, version)))).toEqual(FULL);
  });

  test("keys in any case, null for absent, unknown keys ignored", () => {
    expect(
      parse({
        CNIVersion: "1.0.0",
        Interfaces: [{ NAME: "a", PCIID: "p", SocketPath: "s", Mac: null, future: 1 }],
        IPs: [{ Address: "10.0.0.2/8", gateway: null, interface: null }],
        routes: null,
        dns: { nameservers: null, domain: null },
        __proto__: { x: 1 },
      }),
    ).toEqual({
      interfaces: [{ name: "a", pciID: "p", socketPath: "s" }],
      ips: [{ address: prefix("10.0.0.2/8") }],
      routes: [],
      dns: {},
    });
  });

  test("nothing at all is an empty result", () => {
    for (const value of [null, {}]) expect(parse(value)).toEqual(emptyResult());
  });

  test("empty and zero fields are absent, but for interface, table and scope", () => {
    expect(
      parse({
        interfaces: [{ name: "a", mac: "", mtu: 0, sandbox: "", socketPath: "", pciID: "" }, {}],
        ips: [{ version: 4, address: "10.0.0.2/8", gateway: "", interface: 0 }],
        routes: [{ dst: "10.0.0.0/8", gw: "", mtu: 0, advmss: 0, priority: 0, table: 0, scope: 0 }],
        dns: { domain: "" },
      }),
    ).toEqual({
      interfaces: [{ name: "a" }, { name: "" }],
      ips: [{ address: prefix("10.0.0.2/8"), interface: 0 }],
      routes: [{ dst: prefix("10.0.0.0/8"), table: 0, scope: 0 }],
      dns: {},
    });
  });

  test("an IPv4-mapped address is the IPv4 address, and host bits stay", () => {
    const { ips, routes } = parse({
      ips: [{ address: "::ffff:10.0.0.2/120" }],
      routes: [{ dst: "10.1.2.3/8" }],
    });
    expect([...ips.map((ip) => ip.address), ...routes.map((route) => route.dst)].map(formatPrefix)).toEqual([
      "10.0.0.2/24",
      "10.1.2.3/8",
    ]);
  });

  test("a version that is missing is the configuration's", () => {
    const old = { ip4: { ip: "10.0.0.2/8" } };
    for (const cniVersion of [undefined, null, ""]) {
      expect(parse({ cniVersion, ...old }, "0.1.0").ips).toHaveLength(1);
      expect(parse({ cniVersion, ...old }, "1.0.0").ips).toHaveLength(0);
    }
    expect(parse({ cniVersion: "0.2.0", ...old }, "1.1.0").ips).toHaveLength(1);
  });

  const NO_PREFIX = 'must be an address with a prefix length, such as "10.1.2.3/24"';
  const WRONG: [value: unknown, message: string][] = [
    ["x", 'invalid prevResult "x": must be an object'],
    [[], "invalid prevResult []: must be an object"],
    [{ cniVersion: 1 }, "invalid prevResult.cniVersion 1: must be a string"],
    [{ cniVersion: "9.0.0" }, 'unsupported CNI result version "9.0.0"'],
    [{ interfaces: {} }, "invalid prevResult.interfaces {}: must be an array"],
    [{ interfaces: [null] }, "invalid prevResult.interfaces[0] null: must be an object"],
    [{ interfaces: [{ name: 1 }] }, "invalid prevResult.interfaces[0].name 1: must be a string"],
    [{ interfaces: [{ socketPath: 1 }] }, "invalid prevResult.interfaces[0].socketPath 1: must be a string"],
    [{ interfaces: [{ pciID: [] }] }, "invalid prevResult.interfaces[0].pciID []: must be a string"],
    [{ ips: "x" }, 'invalid prevResult.ips "x": must be an array'],
    [{ ips: [{}] }, "invalid prevResult.ips[0].address (missing): must be set"],
    [{ ips: [{ address: "" }] }, `invalid prevResult.ips[0].address "": ${NO_PREFIX}`],
    [{ ips: [{ address: "10.0.0.1" }] }, `invalid prevResult.ips[0].address "10.0.0.1": ${NO_PREFIX}`],
    [{ ips: [{ address: "10.0.0.01/8" }] }, `invalid prevResult.ips[0].address "10.0.0.01/8": ${NO_PREFIX}`],
    [{ ips: [{ address: "10.0.0.1/33" }] }, `invalid prevResult.ips[0].address "10.0.0.1/33": ${NO_PREFIX}`],
    [{ ips: [{ address: null }] }, "invalid prevResult.ips[0].address null: must be a string"],
    [
      { ips: [{ address: "10.0.0.1/8", gateway: "x" }] },
      'invalid prevResult.ips[0].gateway "x": must be an IP address',
    ],
    [
      { ips: [{ address: "10.0.0.1/8", interface: 0.5 }] },
      "invalid prevResult.ips[0].interface 0.5: must be an integer",
    ],
    [
      { ips: [{ address: "10.0.0.1/8", interface: "0" }] },
      'invalid prevResult.ips[0].interface "0": must be an integer',
    ],
    [{ routes: [{ dst: "default" }] }, `invalid prevResult.routes[0].dst "default": ${NO_PREFIX}`],
    [
      { routes: [{ dst: "0.0.0.0/0", gw: "fe80::1%eth0" }] },
      'invalid prevResult.routes[0].gw "fe80::1%eth0": must be an IP address',
    ],
    [
      { routes: [{ dst: "0.0.0.0/0", mtu: 1e300 }] },
      "invalid prevResult.routes[0].mtu 1e+300: must be an integer",
    ],
    [{ dns: [] }, "invalid prevResult.dns []: must be an object"],
    [{ dns: { options: [null] } }, "invalid prevResult.dns.options[0] null: must be a string"],
    [{ cniVersion: "0.2.0", ip4: { ip: "10.0.0.1" } }, `invalid prevResult.ip4.ip "10.0.0.1": ${NO_PREFIX}`],
    [
      { cniVersion: "0.1.0", ip6: { ip: "fd00::1/64", routes: [{}] } },
      "invalid prevResult.ip6.routes[0].dst (missing): must be set",
    ],
  ];
  for (const [value, message] of WRONG)
    test(`names the path: ${message}`, () => {
      expect(() => parse(value)).toThrow(new Failure("config", message));
    });

  test("gives the kind and name it is told", () => {
    try {
      parseResult({ ips: 1 }, { assume: "1.0.0", name: "result of x", kind: "ipam" });
      expect.unreachable();
    } catch (thrown) {
      expect(thrown).toMatchObject({ kind: "ipam", message: "invalid result of x.ips 1: must be an array" });
    }
  });
});

test("DNS is the configuration's, else IPAM's, else the previous plugin's", () => {
  const a = { domain: "a" };
  const b = { nameservers: ["1.1.1.1"], search: [] };
  expect(firstDns(a, b)).toBe(a);
  expect(firstDns({}, b, a)).toBe(b);
  expect(firstDns({ domain: "", search: [], nameservers: [], options: [] }, undefined, a)).toBe(a);
  expect(firstDns({ options: ["x"] }, a)).toEqual({ options: ["x"] });
  expect(firstDns({ search: ["x"] }, a)).toEqual({ search: ["x"] });
  expect(firstDns({}, undefined)).toEqual({});
});
