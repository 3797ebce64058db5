/** What host-local and static refuse: the field as the documentation spells it, the value, and what to do about it. */

import { describe, expect, test } from "bun:test";
import type { Failure } from "../../src/error.ts";
import { hostLocal } from "../../src/ipam/host-local/host-local.ts";
import { staticIpam } from "../../src/ipam/static.ts";
import { failureOf } from "../support/failure.ts";
import { type NetworkConfig, optionsOf } from "../support/ipam.ts";

interface Given {
  ipam?: object;
  runtimeConfig?: object;
  ips?: unknown;
  cniArgs?: string;
}

const faces = {
  "host-local": { open: hostLocal, usual: { dataDir: "/nonexistent", subnet: "10.1.2.0/24" } },
  static: { open: staticIpam, usual: {} },
};

function refusal(face: keyof typeof faces, { ipam, runtimeConfig, ips, cniArgs = "" }: Given): Failure {
  const { open, usual } = faces[face];
  const config = {
    cniVersion: "1.1.0",
    name: "net",
    ipam: { ...usual, ...ipam },
    runtimeConfig,
    args: { cni: { ips } },
  } as NetworkConfig;
  return failureOf(() => open(optionsOf({ verb: "ADD", cniArgs, config })).add());
}

const both: [Given, string][] = [
  [{ ips: 7 }, "args.cni.ips 7: must be an array of strings"],
  [{ ips: [5] }, "args.cni.ips[0] 5: must be a string"],
  [{ runtimeConfig: { ips: "10.1.2.3" } }, 'runtimeConfig.ips "10.1.2.3": must be an array of strings'],
  [{ ipam: { routes: 7 } }, "ipam.routes 7: must be an array"],
  [
    { ipam: { routes: [{ dst: "x" }] } },
    'ipam.routes[0].dst "x": must be an address with a prefix length, such as "10.1.2.3/24"',
  ],
];

const wrong: Record<keyof typeof faces, [Given, string][]> = {
  "host-local": [
    ...both,
    [{ ipam: { dataDir: 7 } }, "ipam.dataDir 7: must be a string"],
    [{ ipam: { subnet: "x" } }, 'ipam.subnet "x": must be a prefix, such as "10.1.2.0/24"'],
    [{ ipam: { rangeStart: 7 } }, "ipam.rangeStart 7: must be a string"],
    [{ ipam: { RANGEEND: "x" } }, 'ipam.rangeEnd "x": must be an IP address'],
    [{ ipam: { gateway: "x" } }, 'ipam.gateway "x": must be an IP address'],
    [{ ipam: { exclude: 7 } }, "ipam.exclude 7: must be an array"],
    [{ ipam: { exclude: ["x"] } }, 'ipam.exclude[0] "x": must be an address or a prefix'],
    [{ ipam: { resolvConf: 7 } }, "ipam.resolvConf 7: must be a string"],
    [{ ipam: { ranges: 7 } }, "ipam.ranges 7: must be an array"],
    [
      { ipam: { ranges: [[{ subnet: "10.9.0.0/16", rangeStart: "x" }]] } },
      'ipam.ranges[0][0].rangeStart "x": must be an IP address',
    ],
    [
      { ipam: { ranges: [[{ subnet: "10.9.0.0/16", rangeEnd: 7 }]] } },
      "ipam.ranges[0][0].rangeEnd 7: must be a string",
    ],
    [
      { runtimeConfig: { ipRanges: [[{ subnet: 7 }]] } },
      "runtimeConfig.ipRanges[0][0].subnet 7: must be a string",
    ],
    [{ runtimeConfig: { ipRanges: 7 } }, "runtimeConfig.ipRanges 7: must be an array"],
  ],
  static: [
    ...both,
    [{ ipam: { addresses: 7 } }, "ipam.addresses 7: must be an array"],
    [{ ipam: { addresses: [{}] } }, "ipam.addresses[0].address (missing): must be set"],
    [{ ipam: { addresses: [{ address: 7 }] } }, "ipam.addresses[0].address 7: must be a string"],
    [
      { ipam: { addresses: [{ address: "10.1.2.3/24", gateway: "x" }] } },
      'ipam.addresses[0].gateway "x": must be an IP address',
    ],
    [{ ipam: { dns: 7 } }, "ipam.dns 7: must be an object"],
  ],
};

for (const face of ["host-local", "static"] as const)
  test.each(wrong[face])(`${face}: %j is refused by name`, (given, sentence) => {
    const { kind, message, path } = refusal(face, given);
    expect([kind, message]).toEqual(["config", `invalid ${sentence}`]);
    expect(path).toBe(sentence.slice(0, sentence.indexOf(" ")));
  });

describe("ranges that do not go together", () => {
  test.each([
    [[[]], "invalid range set 1: empty range set"],
    [[[{ subnet: "10.9.0.0/24" }, { subnet: "fd00::/64" }]], "invalid range set 1: mixed address families"],
    [[[{ subnet: "10.1.2.0/25" }]], "range set 0 overlaps with 1"],
    [
      [[{ subnet: "10.9.0.0/24" }, { subnet: "10.9.0.0/25" }]],
      "invalid range set 1: subnets 10.9.0.1-10.9.0.254 and 10.9.0.1-10.9.0.126 overlap",
    ],
  ])("%j", (ranges, message) => {
    expect(refusal("host-local", { ipam: { ranges } })).toMatchObject({ kind: "config", message });
  });
});

/** What to do about an address without its prefix length. */
const CIDR = "write the address with its prefix length: 10.1.2.3/24";

describe("CNI_ARGS", () => {
  const LIST =
    "CNI_ARGS is a list of KEY=VALUE with semicolons between; IgnoreUnknown=1 lets keys of others pass";
  for (const face of ["host-local", "static"] as const)
    test.each([
      ["FOO", 'ARGS: invalid pair "FOO"'],
      ["FOO=1", 'ARGS: unknown args ["FOO=1"]'],
      [
        "IgnoreUnknown=2",
        'ARGS: error parsing value of pair "IgnoreUnknown=2": boolean unmarshal error: invalid input 2',
      ],
    ])(`${face}: %s`, (cniArgs, message) => {
      expect(refusal(face, { cniArgs })).toMatchObject({ kind: "environment", message, remedy: LIST });
    });

  test("with addresses that are none", () => {
    expect(refusal("static", { cniArgs: "IP=10.1.2.3" })).toMatchObject({
      kind: "environment",
      message: "the 'ip' field is expected to be in CIDR notation, got: '10.1.2.3'",
      remedy: CIDR,
    });
    expect(refusal("static", { cniArgs: "IP=10.1.2.3/24;GATEWAY=x" })).toMatchObject({
      kind: "environment",
      message: "invalid gateway address: x",
    });
  });
});

test("static: an address without its prefix length, wherever it comes from", () => {
  const given: [Given, string][] = [
    [
      { ipam: { addresses: [{ address: "10.1.2.3" }] } },
      "the 'address' field is expected to be in CIDR notation, got: '10.1.2.3'",
    ],
    [{ ips: ["10.1.2.3"] }, "an entry in the 'ips' field is NOT in CIDR notation, got: '10.1.2.3'"],
    [{ runtimeConfig: { ips: ["x"] } }, "an entry in the 'ips' field is NOT in CIDR notation, got: 'x'"],
  ];
  for (const [config, message] of given)
    expect(refusal("static", config)).toMatchObject({ kind: "config", message, remedy: CIDR });
});

test("host-local: a requested address that is none", () => {
  for (const given of [{ ips: ["x"] }, { runtimeConfig: { ips: ["x"] } }])
    expect(refusal("host-local", given)).toMatchObject({ kind: "config", message: "invalid IP address x" });
});

test("static: CHECK tells a gateway that is another now", () => {
  const check = (gateway: string | undefined, before: string | undefined) => {
    const ip = { address: "10.1.2.3/24", gateway };
    const config: NetworkConfig = {
      cniVersion: "1.1.0",
      name: "net",
      ipam: { addresses: [ip] },
      prevResult: { cniVersion: "1.1.0", ips: [{ address: "10.1.2.3/24", gateway: before }] },
    };
    return () => staticIpam(optionsOf({ verb: "CHECK", config })).check();
  };
  const sentence = (before: string, now: string) =>
    `static: Failed to match addr 10.1.2.3 on interface: gateway ${before} in prevResult, ${now} in the configuration`;
  const remedy = "the configuration was changed since ADD: DEL and ADD the container again";
  const [one, two] = ["10.1.2.1", "10.1.2.2"];
  expect(check(one, one)).not.toThrow();
  expect(check(undefined, undefined)).not.toThrow();
  for (const [now, before] of [
    [one, two],
    [one, undefined],
    [undefined, two],
  ])
    expect(failureOf(check(now, before))).toMatchObject({
      kind: "check",
      message: sentence(before ?? "none", now ?? "none"),
      remedy,
    });
});
