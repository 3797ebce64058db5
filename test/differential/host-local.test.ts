/** Ours and the reference's host-local: the same calls, the same answers, the same files. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { inputs, propertyTimeoutMs } from "../support/inputs.ts";
import {
  callOurs,
  callProgram,
  crowd,
  filesOf,
  type IpamCall,
  leasesOf,
  MANY,
  type NetworkConfig,
  referencePlugins,
  scratch,
} from "../support/ipam.ts";
import type { Release } from "../support/plugin.ts";

type Step = Omit<IpamCall, "config"> & { ips?: string[]; by: "ours" | "theirs" };
type Ranges = Record<string, unknown>;

// Small ranges, so that sequences of a dozen calls wrap around and run out.
const networks: Ranges[] = [
  { subnet: "10.1.2.0/29" },
  { subnet: "10.1.2.0/24", rangeStart: "10.1.2.250" },
  { subnet: "10.1.2.0/24", rangeStart: "10.1.2.9", rangeEnd: "10.1.2.13", gateway: "10.1.2.11" },
  { subnet: "fd00:7::/125" },
  { subnet: "fd00:7::/64", rangeStart: "fd00:7::ffff:ffff:fffd", gateway: "fd00:7::1" },
  { subnet: "fd00:7::/64", rangeEnd: "fd00:7::4", routes: [{ dst: "::/0", gw: "fd00:7::1" }] },
  { ranges: [[{ subnet: "10.1.2.0/29" }], [{ subnet: "fd00:7::/126" }]] },
  { ranges: [[{ subnet: "10.1.2.0/30" }, { subnet: "10.1.3.0/29", rangeEnd: "10.1.3.3" }]] },
  {
    ranges: [
      [{ subnet: "10.1.2.0/24", rangeStart: "10.1.2.8", rangeEnd: "10.1.2.11" }],
      [{ subnet: "10.1.2.0/24", rangeStart: "10.1.2.98", rangeEnd: "10.1.2.102" }],
    ],
    routes: [{ dst: "0.0.0.0/0" }, { dst: "192.168.7.9/24", gw: "10.1.2.1" }],
  },
];

const requests = [
  "10.1.2.3",
  "10.1.2.10/24",
  "10.1.2.1",
  "10.1.2.11",
  "10.1.3.2",
  "10.1.2.251",
  "10.9.9.9",
  "fd00:7::3",
  "fd00:7::2/64",
];

const stepOf = (by: fc.Arbitrary<Step["by"]>): fc.Arbitrary<Step> =>
  fc.record({
    by,
    verb: fc.oneof(
      { weight: 6, arbitrary: fc.constant("ADD" as const) },
      { weight: 3, arbitrary: fc.constant("DEL" as const) },
      { weight: 1, arbitrary: fc.constant("CHECK" as const) },
    ),
    containerId: fc.constantFrom("c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"),
    ifName: fc.constantFrom("eth0", "eth0", "net1"),
    ips: fc.oneof(
      { weight: 5, arbitrary: fc.constant([] as string[]) },
      { weight: 1, arbitrary: fc.constantFrom(...requests).map((ip) => [ip]) },
    ),
    cniArgs: fc.oneof(
      { weight: 8, arbitrary: fc.constant("") },
      {
        weight: 1,
        arbitrary: fc.constantFrom(...requests).map((ip) => `IgnoreUnknown=1;K8S_POD_NAME=p;IP=${ip}`),
      },
    ),
  });

const sequence = (by: fc.Arbitrary<Step["by"]>) =>
  fc
    .record({
      cniVersion: fc.constantFrom("0.2.0", "0.3.1", "0.4.0", "1.0.0"),
      network: fc.constantFrom(...networks),
      others: fc.constantFrom(0, MANY),
      steps: fc.array(stepOf(by), { minLength: 4, maxLength: 14 }),
    })
    // What the CNI face refuses before IPAM is asked, and what ours does better: DEL with a configuration gone wrong.
    .map(({ cniVersion, network, others, steps }) => ({
      cniVersion: network === networks.at(-1) && cniVersion === "0.2.0" ? "0.3.1" : cniVersion,
      network,
      others,
      steps: steps.filter(({ verb }) => verb !== "CHECK" || cniVersion >= "0.4.0"),
    }));

function callOf(step: Step, cniVersion: string, network: Ranges, dataDir: string): IpamCall {
  // The reference takes any one of several that fit; two requests for one set have no defined outcome.
  const ips = step.cniArgs === "" ? step.ips : [];
  const config: NetworkConfig = {
    cniVersion,
    name: "net",
    ipam: { type: "host-local", dataDir, ...network },
    ...(ips?.length ? { runtimeConfig: { ips } } : {}),
  };
  return { ...step, config };
}

/** The store's files, without permissions when leases of the older release (0644) are among them. */
function stateOf(dataDir: string, withModes: boolean): Record<string, unknown> {
  const files = Object.entries(filesOf(dataDir, "net")).filter(([name]) => name !== "lock");
  return Object.fromEntries(files.map(([name, file]) => [name, withModes ? file : file.text]));
}

/** Which leases of before are no more. */
function lost(before: Record<string, string>, dataDir: string): string[] {
  const now = leasesOf(dataDir, "net");
  return Object.keys(before).filter((address) => now[address] === undefined);
}

/** Ours may say more than the reference, after what the reference says. */
function expectSameOutcome(ours: ReturnType<typeof callOurs>, theirs: ReturnType<typeof callOurs>): void {
  if (ours.error !== undefined && theirs.error !== undefined)
    expect(ours.error.slice(0, theirs.error.length)).toBe(theirs.error);
  else expect(ours).toEqual(theirs);
}

async function compare(release: Release, by: fc.Arbitrary<Step["by"]>, runs: number): Promise<void> {
  const program = [`${await referencePlugins(release)}/host-local`];
  fc.assert(
    fc.property(sequence(by), ({ cniVersion, network, others, steps }) => {
      using shared = scratch();
      using control = scratch();
      for (const { path } of [shared, control]) crowd(path, "net", others);
      for (const step of steps) {
        const before = leasesOf(control.path, "net");
        const expected = callProgram(program, callOf(step, cniVersion, network, control.path));
        const call = callOf(step, cniVersion, network, shared.path);
        const found = step.by === "ours" ? callOurs(call) : callProgram(program, call);
        expectSameOutcome(found, expected);
        if (step.verb === "ADD" && expected.error !== undefined && lost(before, control.path).length > 0) {
          // The reference undoes a failed ADD by freeing all that the attachment holds, from earlier ADDs too.
          if (step.by === "ours") expect(lost(before, shared.path)).toEqual([]);
          return;
        }
        expect(stateOf(shared.path, release === "1.9.1")).toEqual(stateOf(control.path, release === "1.9.1"));
      }
    }),
    inputs(runs),
  );
}

const ours = fc.constant("ours" as const);
const eitherOfUs = fc.constantFrom("ours" as const, "theirs" as const);

test("alone, as 1.9.1 does", () => compare("1.9.1", ours, 120), propertyTimeoutMs);
test("alone, as 1.1.1 does", () => compare("1.1.1", ours, 120), propertyTimeoutMs);
test(
  "in turns with 1.9.1 on one store, as it does alone",
  () => compare("1.9.1", eitherOfUs, 100),
  propertyTimeoutMs,
);
test(
  "in turns with 1.1.1 on one store, as it does alone",
  () => compare("1.1.1", eitherOfUs, 100),
  propertyTimeoutMs,
);
