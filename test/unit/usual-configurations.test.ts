/**
 * A configuration as nearly every network has it is read without valibot, whose loading costs each call milliseconds:
 * a process of its own reads one after another, and says which was the first to load it.
 */

import { expect, test } from "bun:test";
import { join } from "node:path";

const source = join(import.meta.dir, "../../src");

/** Reads configurations until one of them has a schema loaded; prints that one, or nothing. */
const reader = `
  const { decodeConfig, ipamConfig, networkConfig } = await import("${source}/cni/config.ts");
  const { readConfig, readDataDir } = await import("${source}/ipam/host-local/config.ts");
  const { NOTHING_ASKED } = await import("${source}/ipam/options.ts");
  const isLoaded = () => Object.keys(require.cache).some((path) => /\\/valibot\\/|schema\\.ts$/.test(path));
  if (isLoaded()) throw new Error("it comes with the program");
  for (const given of JSON.parse(process.argv[1])) {
    const { command = "ADD", asked, ...config } = given;
    const raw = decodeConfig(Buffer.from(JSON.stringify({ name: "net", type: "ipvlan", ...config })));
    networkConfig(raw, "1.1.0", command);
    ipamConfig(raw, "1.1.0", command);
    const options = { network: "net", cniVersion: "1.1.0", config: config.ipam, ...NOTHING_ASKED, ...asked };
    if (config.ipam.type === "host-local") readConfig(options);
    readDataDir(config.ipam);
    if (isLoaded()) {
      console.log(JSON.stringify(given));
      break;
    }
  }`;

function firstWithSchema(configurations: object[]): object | undefined {
  const { stdout, stderr, exitCode } = Bun.spawnSync(
    [process.execPath, "-e", reader, JSON.stringify(configurations)],
    { env: { PATH: process.env.PATH ?? "" } },
  );
  expect([exitCode, stderr.toString()]).toEqual([0, ""]);
  return stdout.length === 0 ? undefined : JSON.parse(stdout.toString());
}

const subnet = "10.1.0.0/16";
const ipam = { type: "host-local", subnet };
const hostLocal = (more: object) => ({ ipam: { ...ipam, ...more } });

test("nothing that a network usually says has a schema loaded", () => {
  const ranges = [
    [{ subnet, rangeStart: "10.1.0.5", rangeEnd: "10.1.0.9", gateway: "10.1.0.1" }],
    [{ Subnet: "fd00::/64" }, { subnet: "fd01::/64", RANGEEND: "fd01::9" }],
  ];
  expect(
    firstWithSchema([
      { ipam },
      { ipam: {} },
      { ipam: { type: "other" } },
      { ipam, runtimeConfig: {}, args: {} },
      { ipam, runtimeConfig: { ips: ["10.1.0.7"] }, args: { cni: { ips: [] } } },
      ...["eth0", "e", "fifteen-letters"].map((master) => ({ ipam, master })),
      ...["l2", "l3", "l3s"].map((mode) => ({ ipam, mode })),
      ...["bridge", "private", "vepa"].map((flag) => ({ ipam, flag })),
      ...[68, 1500, 65_535].map((mtu) => ({ ipam, mtu })),
      ...[true, false].map((linkInContainer) => ({ ipam, linkInContainer })),
      ...["DEL", "STATUS"].map((command) => ({ ipam, command })),
      hostLocal({ dataDir: "/run/leases" }),
      hostLocal({ resolvConf: "/etc/resolv.conf" }),
      hostLocal({ rangeStart: "10.1.0.5", RangeEnd: "10.1.0.9", gateway: "10.1.0.1" }),
      hostLocal({
        routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0", gw: "fd00::1" }, { gw: "10.1.0.1", dst: subnet }],
      }),
      hostLocal({ subnet: undefined, ranges }),
      hostLocal({ subnet: null, ranges, routes: [] }),
      { ipam, asked: { argsIps: ["10.1.0.7", "10.1.0.8"] } },
      { ipam, asked: { runtimeIps: ["10.1.0.7"], argsIps: null } },
      { ipam, asked: { cniArgs: "IP=10.1.0.7" } },
      { ipam: { type: "host-local" }, asked: { runtimeIpRanges: ranges } },
    ]),
  ).toBeUndefined();
});

test.each([
  { ipam, dns: {} },
  { ipam, mtu: 0 },
  { ipam, mode: "" },
  { ipam, vlan: 7 },
  hostLocal({ exclude: [] }),
  hostLocal({ routes: [{ dst: subnet, mtu: 1400 }] }),
])("what is rarer does: %j", (rare) => {
  expect(firstWithSchema([{ ipam }, rare, { ipam }])).toEqual(rare);
});
