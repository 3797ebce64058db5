/** No name leads out of the directory it is used in: every short text over the letters that could, system calls watched. */

import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { checkIfName, isIdentifier, isPluginName } from "../../src/cni/name.ts";
import { findPlugin as findNetavarkPlugin } from "../../src/netavark/external.ts";
import { recordName } from "../../src/netavark/plan.ts";
import { checkContainerId, checkContainerInterface } from "../../src/netavark/rules.ts";
import { binary } from "../kernel/environment.ts";
import { scratch } from "../support/ipam.ts";
import { CONTAINER, hostLocalIn, ipamOnly, release, unexpected, watched } from "../support/release.ts";

/** All texts over the alphabet of up to that length. */
function texts(alphabet: string[], length: number): string[] {
  if (length === 0) return [""];
  const shorter = texts(alphabet, length - 1);
  const longest = shorter.filter((text) => [...text].length === length - 1);
  return [...shorter, ...longest.flatMap((text) => alphabet.map((letter) => text + letter))];
}

const accepts = (check: (name: string) => unknown) => (name: string) => {
  try {
    return check(name) !== false;
  } catch {
    return false;
  }
};

describe("what is accepted is a file in its directory, among all texts of up to five letters: as", () => {
  const alphabet = ["a", ".", "/", "\\", "-", "\0", ",", "%", "~", " ", "\u2215"];
  const every = texts(alphabet, 5);
  const rules: [string, (name: string) => boolean, (name: string) => string][] = [
    ["a container id or network's name", isIdentifier, (name) => name],
    ["an interface's name", accepts(checkIfName), (name) => `net,c1,${name}`],
    ["an IPAM type", (name) => name !== "" && isPluginName(name), (name) => name],
    ["netavark's container id", accepts(checkContainerId), (name) => name],
    ["netavark's interface name", accepts(checkContainerInterface), (name) => `net,c1,${name}`],
    ["netavark's network name", accepts(recordName), (name) => recordName(name)],
  ];
  test.each(rules)("%s", (_, isAccepted, fileOf) => {
    let accepted = 0;
    for (const name of every) {
      if (!isAccepted(name)) continue;
      accepted++;
      const file = fileOf(name);
      if (file.includes("\0") || file === "." || normalize(`/base/${file}`) !== `/base/${file}`)
        throw new Error(`accepted: ${JSON.stringify(name)}`);
      if (dirname(`/base/${file}`) !== "/base") throw new Error(`leads elsewhere: ${JSON.stringify(name)}`);
    }
    expect(accepted).toBeGreaterThan(0);
    expect(every.length).toBe(177_156);
  });
});

const directory = scratch();
const run = join(directory.path, "run");
const programs = join(directory.path, "programs");
const leases = join(directory.path, "leases");
const canary = join(directory.path, "canary");
mkdirSync(programs);
const hostLocal = hostLocalIn(directory.path);
for (const place of [canary, join(programs, "a")]) {
  writeFileSync(place, "#!/bin/sh\necho '{}'\n");
  chmodSync(place, 0o755);
}

beforeEach(() => {
  for (const made of [run, leases]) rmSync(made, { recursive: true, force: true });
  mkdirSync(run);
});
afterAll(() => directory[Symbol.dispose]());

/** Short, and those that would reach the canary. */
const hostile = [
  ...texts(["a", ".", "/"], 3).filter((text) => text !== ""),
  ...[
    "../canary",
    "../../canary",
    "a/../../canary",
    "./a",
    "//a",
    "%2e%2e",
    "..%00",
    "~",
    "-rf",
    "a,b",
    "..,c1,eth0",
  ],
];
const before = readdirSync(directory.path).sort();

/** The call must touch nothing but these. */
function expectWithin(allowed: string[], call: Parameters<typeof watched>[0], name: string): void {
  const { touches, exitCode } = watched(call);
  expect({ name, unexpected: unexpected(touches, binary, ...allowed) }).toEqual({ name, unexpected: [] });
  expect([0, 1]).toContain(exitCode as number);
  expect(existsSync(canary)).toBe(true);
}

const config = (fields: object = {}) =>
  JSON.stringify({ cniVersion: "1.1.0", name: "net", type: "ipvlan", ipam: {}, ...fields });
const places: [string, (name: string) => { environment?: Record<string, string>; stdin: string }][] = [
  ["CNI_CONTAINERID", (name) => ({ environment: { CNI_CONTAINERID: name }, stdin: config() })],
  ["CNI_IFNAME", (name) => ({ environment: { CNI_IFNAME: name }, stdin: config() })],
  ["the network's name", (name) => ({ stdin: config({ name }) })],
  ["the IPAM type", (name) => ({ stdin: config({ ipam: { type: name } }) })],
];

test.each(places)("a DEL with any %s stays in the run directory and CNI_PATH", (_, callWith) => {
  for (const name of hostile) {
    const { environment, stdin } = callWith(name);
    const variables = { ...CONTAINER, CNI_PATH: programs, IPVLAN_RUN_DIR: run, CNI_COMMAND: "DEL" };
    // A plugin found in CNI_PATH is a shell's business from there on.
    const shell = ["/bin/sh", "/usr/bin/sh", "/bin/dash", "/usr/bin/dash", "/nonexistent"];
    expectWithin([run, programs, ...shell], { environment: { ...variables, ...environment }, stdin }, name);
  }
  expect(readdirSync(run)).toEqual([]);
});

test("an ADD of the IPAM with any network's name stays in dataDir", () => {
  for (const name of hostile) {
    const call = {
      program: hostLocal,
      environment: { CNI_COMMAND: "ADD", ...CONTAINER },
      stdin: ipamOnly({ dataDir: leases }, name),
    };
    expectWithin([leases, hostLocal], call, name);
  }
  expect(readdirSync(directory.path).sort()).toEqual([...before, "leases", "run"].sort());
});

test("an ADD of the IPAM with any dataDir changes nothing but that directory, and what is missing above it", () => {
  for (const name of hostile.filter((each) => !each.includes("%"))) {
    rmSync(leases, { recursive: true, force: true });
    mkdirSync(join(leases, "deep"), { recursive: true });
    const dataDir = `${leases}/deep/${name}`;
    // What is named leads where it says; the file that it may be is left alone.
    if (normalize(dataDir).startsWith(canary)) continue;
    const call = {
      program: hostLocal,
      environment: { CNI_COMMAND: "ADD", ...CONTAINER },
      stdin: ipamOnly({ dataDir }),
    };
    const { touches } = watched(call);
    const changed = touches
      .filter(({ changes, call: by }) => changes && by !== "mkdirat")
      .map(({ path }) => normalize(path));
    const own = normalize(dataDir).replace(/\/$/, "");
    for (const path of changed)
      if (!path.startsWith(`${own}/net/`) && path !== `${own}/net` && path !== `${own}/.ipvlan/net`)
        throw new Error(`${JSON.stringify(name)} changes ${path}`);
    if (!leases.startsWith(`${own}/`) && own !== directory.path) continue;
    rmSync(join(own, "net"), { recursive: true, force: true });
    rmSync(join(own, ".ipvlan"), { recursive: true, force: true });
  }
});

test("resolvConf is read and never written, whatever it names", () => {
  writeFileSync(join(directory.path, "resolv.conf"), "nameserver 192.0.2.53\n");
  for (const name of [
    "resolv.conf",
    "./resolv.conf",
    "programs/../resolv.conf",
    "canary",
    "programs",
    "none",
    "",
    "..\0",
  ]) {
    const resolvConf = `${directory.path}/${name}`;
    const call = {
      program: hostLocal,
      environment: { CNI_COMMAND: "ADD", ...CONTAINER, CNI_CONTAINERID: `c${Bun.hash(name)}` },
      stdin: ipamOnly({ dataDir: leases, resolvConf }),
    };
    const { touches } = watched(call);
    expect(
      unexpected(touches, leases, hostLocal, binary, normalize(resolvConf).replace(/(.)\/$/, "$1")),
    ).toEqual([]);
    const changed = touches.filter(({ path, changes }) => changes && !path.startsWith(leases));
    expect(changed).toEqual([]);
  }
  rmSync(join(directory.path, "resolv.conf"));
});

test("a driver of netavark's is looked for in its plugin directories only", () => {
  for (const driver of texts(["a", ".", "/", "\0"], 4)) {
    const found = findNetavarkPlugin(driver, [programs]);
    expect(found?.path).toBe(driver === "a" ? join(programs, "a") : undefined);
  }
});

test("the watch sees a name that leads elsewhere", () => {
  const environment = { CNI_COMMAND: "ADD", ...CONTAINER };
  const { touches } = watched({
    program: hostLocal,
    environment,
    stdin: ipamOnly({ dataDir: `${leases}/../elsewhere` }),
  });
  expect(unexpected(touches, leases, hostLocal, binary).length).toBeGreaterThan(0);
  expect(release({ environment: { CNI_COMMAND: "VERSION" } }).exitCode).toBe(0);
  rmSync(join(directory.path, "elsewhere"), { recursive: true });
});
