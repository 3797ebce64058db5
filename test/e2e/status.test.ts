/** STATUS: says whether an ADD could be served now, with code 50 and the reason when not. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { command, mustRun } from "../support/command.ts";
import { fail, fakeIpam } from "../support/fake-ipam.ts";
import { fixed, leased, network, stateOf } from "../support/network.ts";
import { refusals } from "../support/refusals.ts";
import { hostWorld, wire } from "../support/world.ts";

test("STATUS succeeds where ADD would, and changes nothing", async () => {
  await using world = await hostWorld();
  const before = await stateOf(world);
  const net = network(world, { ipam: leased(world, "192.0.2.0/24") });
  await net.status();
  await net.with({ master: undefined }).status();
  await net.with({ ipam: {} }).status();
  // Which masters there are in containers to come nobody can say.
  await net.with({ master: "any0", linkInContainer: true }).status();
  // A runtime exports all variables, empty ones too.
  await net.status({ environment: { CNI_CONTAINERID: "", CNI_IFNAME: "", CNI_NETNS: "" } });
  await net.with({ mode: "l3s", mtu: 1500 }).status();
  expect(await stateOf(world)).toEqual(before);
});

refusals(
  "STATUS fails with code 50 and the reason where ADD would",
  () => ({ ipam: fixed(["192.0.2.11/24"]) }),
  [
    { of: "master", config: { master: "absent0" }, code: 50, says: ['"absent0"', "not found"] },
    { of: "loopback", config: { master: "lo" }, code: 50, says: ['"lo"', "loopback"] },
    { of: "port of a bridge", config: { master: "port0" }, code: 50, says: ['"port0"', 'bridge "br0"'] },
    {
      of: "carries macvlan",
      config: { master: "busy0" },
      code: 50,
      says: ['"busy0"', 'macvlan link "macv0"'],
    },
    { of: "no default route", config: { master: undefined }, code: 50, says: ["no default route"] },
    { of: "mode", config: { mode: "l9" }, code: 50, says: ["mode", '"l9"'] },
    { of: "mtu above the master's", config: { mtu: 1501 }, code: 50, says: ["mtu", "1501", "1500"] },
    { of: "IPAM missing", config: { ipam: { type: "absent" } }, code: 50, says: ['"absent"', "in path"] },
    { of: "a MAC address", config: { runtimeConfig: { mac: "02:00:00:00:00:01" } }, code: 50, says: ["mac"] },
    {
      of: "an older spec version",
      config: { cniVersion: "1.0.0" },
      code: 1,
      says: ["does not allow STATUS"],
    },
  ].map((row) => ({ ...row, verb: "STATUS" as const })),
  async ({ world }) => {
    await world.host.ip(`route delete default via ${wire.outside.v4}
      route delete default via ${wire.outside.v6}
      link add br0 type bridge
      link add port0 up type dummy
      link set port0 master br0
      link add busy0 up type dummy
      link add link busy0 name macv0 type macvlan`);
  },
);

test("the IPAM plugin's own answer to STATUS is passed on, whatever its code", async () => {
  await using world = await hostWorld();
  using ipam = fakeIpam(world, { STATUS: fail({ code: 51, msg: "pool exhausted", details: "net" }) });
  const net = network(world, { ipam: { type: ipam.type } });
  const error = await net.refusal("STATUS", undefined, { path: ipam.path });
  expect(error).toEqual({ cniVersion: "1.1.0", code: 51, msg: "pool exhausted", details: "net" });
  expect(ipam.calls()[0]).toBe("STATUS");
});

/** Only a kernel that is thrown away afterwards may lose its driver. */
const isThrowAwayKernel = readFileSync("/proc/cpuinfo", "utf8").includes("User Mode Linux");

test.if(isThrowAwayKernel)(
  "a kernel without the driver fails STATUS with code 50, and ADD without a trace",
  async () => {
    await using world = await hostWorld();
    const container = await world.container();
    const net = network(world, { ipam: leased(world, "192.0.2.0/24") });
    const before = await stateOf(world);
    await using _ = await withoutDriver();
    const unserved = { code: 50, msg: expect.stringContaining("lacks the ipvlan driver") };
    for (const error of [await net.refusal("STATUS"), await net.refusal("ADD", container)]) {
      expect({ ...error }).toMatchObject(unserved);
      expect(error.details).toContain("modprobe ipvlan");
      expect(error.details).toContain("RTM_NEWLINK ");
    }
    expect(await stateOf(world)).toEqual(before);
  },
);

/** Takes the module away and keeps the kernel from fetching it again, until disposed of. */
async function withoutDriver(): Promise<AsyncDisposable> {
  const release = (await mustRun(["uname", "-r"])).trim();
  const file = `/lib/modules/${release}/kernel/drivers/net/ipvlan/ipvlan.ko`;
  const helper = readFileSync("/proc/sys/kernel/modprobe", "utf8").trim();
  await Bun.write("/proc/sys/kernel/modprobe", "/bin/false");
  // The links of tests before are removed a moment after their namespaces.
  const deadline = performance.now() + 10_000;
  while ((await command(["perl", "-e", REMOVE_MODULE])).exitCode !== 0) {
    if (performance.now() > deadline) throw new Error("the ipvlan module stays in use");
    await Bun.sleep(50);
  }
  return {
    async [Symbol.asyncDispose]() {
      await mustRun(["perl", "-e", INSERT_MODULE, file]);
      await Bun.write("/proc/sys/kernel/modprobe", helper);
    },
  };
}

// delete_module(2) and finit_module(2) of x86-64; rmmod is not on every system.
const REMOVE_MODULE = 'my $name = "ipvlan"; exit(syscall(176, $name, 2048) == 0 ? 0 : 1)';
const INSERT_MODULE =
  'open my $file, "<", $ARGV[0] or die; my $none = ""; exit(syscall(313, fileno $file, $none, 0) == 0 ? 0 : 1)';
