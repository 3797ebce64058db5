/** Configurations, right and wrong, to ours and to the reference. */

import { expect, test } from "bun:test";
import {
  callOurs,
  callProgram,
  type IpamCall,
  type NetworkConfig,
  referencePlugins,
  scratch,
} from "../support/ipam.ts";

interface Case {
  ipam: Record<string, unknown>;
  cniVersion?: string;
  cniArgs?: string;
  argsIps?: string[];
  runtime?: NetworkConfig["runtimeConfig"];
  prevResult?: unknown;
  verb?: IpamCall["verb"];
}

function callOf(
  { ipam, cniVersion, cniArgs, argsIps, runtime, prevResult, verb }: Case,
  type: string,
  dataDir: string,
): IpamCall {
  return {
    verb: verb ?? "ADD",
    cniArgs: cniArgs ?? "",
    config: {
      cniVersion: cniVersion ?? "1.0.0",
      name: "net",
      ipam: { type, dataDir, ...ipam },
      ...(argsIps ? { args: { cni: { ips: argsIps } } } : {}),
      ...(runtime ? { runtimeConfig: runtime } : {}),
      ...(prevResult ? { prevResult } : {}),
    },
  };
}

const one = { subnet: "10.1.2.0/24" };
const two = { ranges: [[{ subnet: "10.1.2.0/24" }], [{ subnet: "10.1.3.0/24" }]] };

/** Both answer alike: the same result, or a sentence of ours that starts with theirs. */
const hostLocal: Record<string, Case> = {
  "one range": { ipam: one },
  "keys in any case": { ipam: { Subnet: "10.1.2.0/24", RANGESTART: "10.1.2.9", gateWay: "10.1.2.254" } },
  "null is absent": { ipam: { ...one, rangeStart: null, gateway: null, routes: null, ranges: null } },
  nothing: { ipam: {} },
  "an empty range set": { ipam: { ranges: [[]] } },
  "host bits in the subnet": { ipam: { subnet: "10.1.2.9/24" } },
  "host bits in an IPv6 subnet": { ipam: { subnet: "fd00::9/64" } },
  "a range that starts outside": { ipam: { ...one, rangeStart: "10.1.3.1" } },
  "a range that ends outside": { ipam: { ...one, rangeEnd: "10.1.1.1" } },
  "a range that ends before it starts": { ipam: { ...one, rangeStart: "10.1.2.9", rangeEnd: "10.1.2.8" } },
  "a range that starts in another family": { ipam: { ...one, rangeStart: "fd00::1" } },
  "mixed families in a set": { ipam: { ranges: [[{ subnet: "10.1.2.0/24" }, { subnet: "fd00::/64" }]] } },
  "overlap in a set": { ipam: { ranges: [[{ subnet: "10.1.2.0/24" }, { subnet: "10.1.2.128/25" }]] } },
  "overlap of sets": { ipam: { ranges: [[{ subnet: "10.1.2.0/24" }], [{ subnet: "10.1.2.0/25" }]] } },
  "the single range overlaps a set": { ipam: { ...one, ranges: [[{ subnet: "10.1.2.0/25" }]] } },
  "the single range comes first": { ipam: { ...one, ranges: [[{ subnet: "fd00::/64" }]] } },
  "a range of the runtime comes before": { ipam: one, runtime: { ipRanges: [[{ subnet: "10.9.0.0/16" }]] } },
  "two of a family before 0.3.0": { ipam: two, cniVersion: "0.2.0" },
  "one of each family before 0.3.0": {
    ipam: { ranges: [[{ subnet: "10.1.2.0/24" }], [{ subnet: "fd00::/64" }]], routes: [{ dst: "::/0" }] },
    cniVersion: "0.2.0",
  },
  "a gateway outside the subnet": { ipam: { ...one, gateway: "10.9.9.9" } },
  "a gateway in the middle": { ipam: { ...one, gateway: "10.1.2.2", rangeStart: "10.1.2.2" } },
  "requested by CNI_ARGS": { ipam: one, cniArgs: "IP=10.1.2.77" },
  "requested with a prefix": { ipam: one, cniArgs: "IP=10.1.2.77/8" },
  "requested by args": { ipam: one, argsIps: ["10.1.2.78"] },
  "requested by the runtime": { ipam: one, runtime: { ips: ["10.1.2.79/24"] } },
  "requested thrice the same": {
    ipam: one,
    cniArgs: "IP=10.1.2.7",
    argsIps: ["10.1.2.7"],
    runtime: { ips: ["10.1.2.7"] },
  },
  "requested for each set": { ipam: two, argsIps: ["10.1.3.5"], runtime: { ips: ["10.1.2.5"] } },
  "requested for the second set only": { ipam: two, runtime: { ips: ["10.1.3.5"] } },
  "requested in no set": { ipam: one, cniArgs: "IP=10.7.7.7" },
  "requested the gateway": { ipam: one, cniArgs: "IP=10.1.2.1" },
  "requested nonsense": { ipam: one, runtime: { ips: ["10.1.2"] } },
  "requested nothing by CNI_ARGS": { ipam: one, cniArgs: "IP=" },
  "requested nonsense by CNI_ARGS": { ipam: one, cniArgs: "IP=ten" },
  "requested a wrong prefix by CNI_ARGS": { ipam: one, cniArgs: "IP=10.1.2.3/33" },
  "unknown CNI_ARGS": { ipam: one, cniArgs: "K8S_POD_NAME=p" },
  "unknown CNI_ARGS ignored": { ipam: one, cniArgs: "K8S_POD_NAME=p;IgnoreUnknown=True;IP=10.1.2.9" },
  "malformed CNI_ARGS": { ipam: one, cniArgs: "IP=10.1.2.9;" },
  "CNI_ARGS with two equal signs": { ipam: one, cniArgs: "IP=10.1.2.9=3" },
  "IgnoreUnknown is no boolean": { ipam: one, cniArgs: "IgnoreUnknown=maybe" },
  "routes with everything": {
    ipam: {
      ...one,
      routes: [
        { dst: "0.0.0.0/0" },
        { dst: "10.0.0.9/8", gw: "10.1.2.3" },
        { dst: "fd00::/8", gw: "fe80::1" },
      ],
    },
  },
  "an IPv4-mapped address": { ipam: { ...one, rangeStart: "::ffff:10.1.2.50" } },
};

for (const [name, given] of Object.entries(hostLocal))
  for (const release of ["1.1.1", "1.9.1"] as const)
    test(`host-local ${release}: ${name}`, async () => {
      using ours = scratch();
      using theirs = scratch();
      const found = callOurs(callOf(given, "host-local", ours.path));
      const expected = callProgram(
        [`${await referencePlugins(release)}/host-local`],
        callOf(given, "host-local", theirs.path),
      );
      if (expected.error === undefined) expect(found).toEqual(expected);
      else expect(found.error?.slice(0, expected.error.length)).toBe(expected.error);
    });

/** What the reference refuses or does otherwise, and ours must do as written here. */
const better: Record<string, Case & { gives: string | string[] }> = {
  "a /31 has two addresses": { ipam: { subnet: "10.1.2.0/31" }, gives: ["10.1.2.0/31", "10.1.2.1/31"] },
  "a /31 with a gateway has one": {
    ipam: { subnet: "10.1.2.0/31", gateway: "10.1.2.0" },
    gives: ["10.1.2.1/31"],
  },
  "a /32 has one": { ipam: { subnet: "10.1.2.9/32" }, gives: ["10.1.2.9/32"] },
  "a /127 has two": { ipam: { subnet: "fd00::/127" }, gives: ["fd00::/127", "fd00::1/127"] },
  "a /128 has one": { ipam: { subnet: "fd00::9/128" }, gives: ["fd00::9/128"] },
  "a range may start at the network's address, which is not given": {
    ipam: { subnet: "10.1.2.0/29", rangeStart: "10.1.2.0", rangeEnd: "10.1.2.2" },
    gives: ["10.1.2.2/29"],
  },
  "a range may end at the broadcast address, which is not given": {
    ipam: { subnet: "10.1.2.0/29", rangeStart: "10.1.2.6", rangeEnd: "10.1.2.7" },
    gives: ["10.1.2.6/29"],
  },
  "nor the anycast address of an IPv6 subnet": {
    ipam: { subnet: "fd00::/64", rangeStart: "fd00::", rangeEnd: "fd00::2" },
    gives: ["fd00::2/64"],
  },
  "excluded addresses and prefixes are not given": {
    ipam: { subnet: "10.1.2.0/28", exclude: ["10.1.2.2", "10.1.2.4/30", "10.1.2.10/31", "10.1.2.12/30"] },
    gives: ["10.1.2.3/28", "10.1.2.8/28", "10.1.2.9/28"],
  },
  "exclusions beside ranges are for all of them": {
    ipam: { ranges: [[{ subnet: "10.1.2.0/29" }]], exclude: ["10.1.2.2", "10.1.2.4/30"] },
    gives: ["10.1.2.3/29"],
  },
  "an exclusion outside is a mistake": {
    ipam: { ...one, exclude: ["10.1.3.9"] },
    gives: "exclude 10.1.3.9/32 is not in 10.1.2.0/24",
  },
  "an exclusion that is none is named": {
    ipam: { ...one, exclude: ["10.1.2.0/24", "ten"] },
    gives: 'invalid ipam.exclude[1] "ten": must be an address or a prefix',
  },
  "a subnet that is none is named": {
    ipam: { ranges: [[{ subnet: "10.1.2.0/24" }, { subnet: "10.1.3.0/33" }]] },
    gives: 'invalid ipam.ranges[0][1].subnet "10.1.3.0/33": must be an address with a prefix length',
  },
  "a range without subnet": {
    ipam: { ranges: [[{ rangeStart: "10.1.2.3" }]] },
    gives: "invalid ipam.ranges[0][0].subnet (missing)",
  },
  "routes that are no list": {
    ipam: { ...one, routes: { dst: "0.0.0.0/0" } },
    gives: 'invalid ipam.routes {"dst":"0.0.0.0/0"}: must be an array',
  },
  "a gateway of another family": {
    ipam: { ...one, gateway: "fd00::1" },
    gives: "invalid range set 0: gateway fd00::1 is not of the address family of 10.1.2.0/24",
  },
  "the network's address on request": {
    ipam: { ...one, rangeStart: "10.1.2.0" },
    cniArgs: "IP=10.1.2.0",
    gives: "failed to allocate for range 0: requested ip 10.1.2.0 is the network address of 10.1.2.0/24",
  },
  "the broadcast address on request": {
    ipam: { ...one, rangeEnd: "10.1.2.255" },
    cniArgs: "IP=10.1.2.255",
    gives: "failed to allocate for range 0: requested ip 10.1.2.255 is the broadcast address of 10.1.2.0/24",
  },
  "an excluded address on request": {
    ipam: { ...one, exclude: ["10.1.2.9"] },
    cniArgs: "IP=10.1.2.9",
    gives: "failed to allocate for range 0: requested ip 10.1.2.9 is excluded",
  },
};

for (const [name, { gives, ...given }] of Object.entries(better))
  test(`host-local: ${name}`, () => {
    using dataDir = scratch();
    const call = callOf(given, "host-local", dataDir.path);
    if (typeof gives === "string") {
      expect(callOurs(call).error).toStartWith(gives);
      return;
    }
    const addresses = gives.map((_, index) => {
      const { result, error } = callOurs({ ...call, containerId: `c${index}` });
      expect(error).toBeUndefined();
      return (result as { ips: { address: string }[] }).ips[0]!.address;
    });
    expect(addresses).toEqual(gives);
    expect(callOurs({ ...call, containerId: "late" }).error).toContain(
      `all ${gives.length} usable addresses are taken`,
    );
  });

const addresses = [{ address: "10.1.2.3/24", gateway: "10.1.2.1" }, { address: "fd00::3/64" }];
const result = {
  cniVersion: "1.0.0",
  ips: [{ address: "10.1.2.3/24", gateway: "10.1.2.1" }, { address: "fd00::3/64" }],
};

const staticCases: Record<string, Case> = {
  "addresses, routes and dns": {
    ipam: {
      addresses,
      routes: [{ dst: "0.0.0.0/0" }, { dst: "10.9.0.0/16", gw: "10.1.2.9" }],
      dns: { nameservers: ["10.1.2.1"], domain: "example.net", search: ["a", "b"], options: ["ndots:2"] },
    },
  },
  "no address": { ipam: {} },
  "an address without prefix": { ipam: { addresses: [{ address: "10.1.2.3" }] } },
  "CNI_ARGS adds": { ipam: { addresses }, cniArgs: "IP=10.7.7.7/16,fd01::1/64" },
  "CNI_ARGS without prefix": { ipam: { addresses }, cniArgs: "IP=10.7.7.7" },
  "CNI_ARGS sets gateways": { ipam: {}, cniArgs: "IP=10.1.2.3/24,fd00::3/64;GATEWAY=10.1.2.99,fd00::1" },
  "CNI_ARGS with a gateway that is none": { ipam: { addresses }, cniArgs: "GATEWAY=ten" },
  "args replaces": { ipam: {}, cniArgs: "IP=10.7.7.7/16", argsIps: ["10.8.8.8/24"] },
  "the runtime replaces": {
    ipam: {},
    argsIps: ["10.8.8.8/24"],
    runtime: { ips: ["10.9.9.9/24", "fd00::9/64"] },
  },
  "the runtime without prefix": { ipam: { addresses }, runtime: { ips: ["10.9.9.9"] } },
  "two of a family before 0.3.0": { ipam: { addresses }, cniArgs: "IP=10.7.7.7/16", cniVersion: "0.2.0" },
  "one of each family before 0.3.0": { ipam: { addresses }, cniVersion: "0.2.0" },
  "CHECK without prevResult": { ipam: { addresses }, verb: "CHECK" },
  "CHECK of what ADD made": { ipam: { addresses }, verb: "CHECK", prevResult: result },
  "CHECK with an address missing": {
    ipam: { addresses },
    verb: "CHECK",
    prevResult: { cniVersion: "1.0.0", ips: [] },
  },
  DEL: { ipam: { addresses: [{ address: "nonsense" }] }, verb: "DEL" },
};

for (const [name, given] of Object.entries(staticCases))
  for (const release of ["1.1.1", "1.9.1"] as const)
    test(`static ${release}: ${name}`, async () => {
      using dataDir = scratch();
      const call = callOf(given, "static", dataDir.path);
      const found = callOurs(call);
      const expected = callProgram([`${await referencePlugins(release)}/static`], call);
      if (expected.error === undefined) expect(found).toEqual(expected);
      else expect(found.error?.slice(0, expected.error.length)).toBe(expected.error);
    });

test("static: a requested address keeps the gateway of its subnet", () => {
  using dataDir = scratch();
  const call = callOf(
    { ipam: { addresses }, runtime: { ips: ["10.1.2.77/24", "10.5.5.5/24"] } },
    "static",
    dataDir.path,
  );
  expect(callOurs(call).result).toEqual({
    cniVersion: "1.0.0",
    ips: [{ address: "10.1.2.77/24", gateway: "10.1.2.1" }, { address: "10.5.5.5/24" }],
  });
});

test("static: GATEWAY of CNI_ARGS is for configured addresses too", () => {
  using dataDir = scratch();
  const call = callOf({ ipam: { addresses }, cniArgs: "GATEWAY=10.1.2.99,fd00::1" }, "static", dataDir.path);
  expect(callOurs(call).result).toMatchObject({ ips: [{ gateway: "10.1.2.99" }, { gateway: "fd00::1" }] });
});

test("static: CHECK finds a gateway that changed", () => {
  using dataDir = scratch();
  const changed = { ...result, ips: [{ address: "10.1.2.3/24", gateway: "10.1.2.2" }] };
  const call = callOf({ ipam: { addresses }, verb: "CHECK", prevResult: changed }, "static", dataDir.path);
  expect(callOurs(call).error).toContain("gateway 10.1.2.2 in prevResult, 10.1.2.1 in the configuration");
});
