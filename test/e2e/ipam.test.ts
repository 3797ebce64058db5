/** IPAM delegation: how a plugin is called, what becomes of its words, and how its failures end. */

import { expect, test } from "bun:test";
import { closeSync, openSync, rmSync } from "node:fs";
import { fail, fakeIpam, lease, print } from "../support/fake-ipam.ts";
import { logFile } from "../support/faults.ts";
import { network, stateOf } from "../support/network.ts";
import { reference } from "../support/plugin.ts";
import { hostWorld, wire } from "../support/world.ts";

test("the plugin is called with our environment and input, in the host's namespace, with the link in place", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  using ipam = fakeIpam(world, {
    ADD: `ip -n "\${CNI_NETNS##*/}" -o link show eth0 | { read -r line; case $line in *state?DOWN*) ;; *) exit 9;; esac; } || exit 9
      ip -o link show eth0 >/dev/null || exit 8
      echo a word to the operator >&2
      ${lease("192.0.2.11/24")}`,
    CHECK: "echo another >&2",
  });
  const net = network(world, { ipam: { type: ipam.type, own: { Key: [1, null] } }, unknown: "ü" });
  const text = ` ${JSON.stringify(net.config)}`;
  const call = {
    path: ipam.path,
    args: "IgnoreUnknown=1;K=V",
    environment: { EXTRA: "e x", BUN_OPTIONS: "" },
  };
  const added = await net.run("ADD", container, call, text);
  expect([added.exitCode, added.stderr]).toEqual([0, "a word to the operator\n"]);
  expect(ipam.input("ADD")).toBe(text);
  const names = [
    "CNI_COMMAND",
    "CNI_CONTAINERID",
    "CNI_NETNS",
    "CNI_IFNAME",
    "CNI_ARGS",
    "CNI_PATH",
    "EXTRA",
  ];
  expect(names.map((name) => ipam.variable("ADD", name))).toEqual([
    ...["ADD", container.name, container.path, "eth0", "IgnoreUnknown=1;K=V", ipam.path, "e x"],
  ]);
  const checked = net.with({ prevResult: added.json });
  const check = await checked.run("CHECK", container, call);
  expect([check.exitCode, check.stdout, check.stderr]).toEqual([0, "", "another\n"]);
  await checked.del(container, call);
  await net.status(call);
  expect(ipam.calls()).toEqual(["ADD", "CHECK", "DEL", "STATUS"]);
  expect(ipam.variable("DEL", "CNI_COMMAND")).toBe("DEL");
});

test("an ADD that fails after the plugin gave an address gives it back", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  using ipam = fakeIpam(world, {
    ADD: `echo >"$lease"; ${print({ ips: [{ address: "192.0.2.11/24" }], routes: [{ dst: "2001:db8::/64", gw: "192.0.2.2" }] })}`,
  });
  const before = await stateOf(world);
  const error = await network(world, { ipam: { type: ipam.type } }).refusal("ADD", container, {
    path: ipam.path,
  });
  expect(error).toMatchObject({ code: 104 });
  expect(ipam.calls()).toEqual(["ADD", "DEL"]);
  expect(await stateOf(world)).toEqual(before);
});

test("what a plugin says on standard error reaches the operator, even when it fails with an error document", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  using ipam = fakeIpam(world, { ADD: `echo pool 7 is full >&2; ${fail({ code: 11, msg: "later" })}` });
  const net = network(world, { ipam: { type: ipam.type } });
  const answer = await net.run("ADD", container, { path: ipam.path });
  expect(answer.json).toEqual({ cniVersion: "1.1.0", code: 11, msg: "later" });
  expect(answer.stderr).toBe("pool 7 is full\n");
});

/** What a plugin may do instead of giving an address, and the error that comes of it. */
const failures: { of: string; ADD: string; code: number; says: string; details?: string }[] = [
  {
    of: "its own error",
    ADD: fail({ code: 101, msg: "pool <a> exhausted", details: "of net" }),
    code: 101,
    says: "pool <a> exhausted",
    details: "of net",
  },
  { of: "an error without a code", ADD: fail({ msg: "it is late" }), code: 105, says: "it is late" },
  {
    of: "words on standard error alone",
    ADD: "echo 'no such pool' >&2; exit 1",
    code: 105,
    says: "no such pool",
  },
  { of: "nothing at all", ADD: "exit 3", code: 105, says: "exit status 3" },
  { of: "garbage with an error", ADD: "echo panic: oops; exit 2", code: 105, says: "panic: oops" },
  { of: "garbage for a result", ADD: "echo not json", code: 105, says: "printed no result" },
  { of: "no result", ADD: "true", code: 105, says: "printed no result" },
  {
    of: "a result without addresses",
    ADD: print({ cniVersion: "1.1.0", routes: [] }),
    code: 105,
    says: "no address",
    details: 'give it an address to hand out, or set "ipam": {} for an endpoint without addresses',
  },
  { of: "null for a result", ADD: "echo null", code: 105, says: "no address" },
  {
    of: "an address that is none",
    ADD: print({ ips: [{ address: "192.0.2.300/24" }] }),
    code: 105,
    says: "192.0.2.300/24",
  },
  { of: "a version unheard of", ADD: print({ cniVersion: "7.0.0", ips: [] }), code: 105, says: "7.0.0" },
  { of: "a kill by signal", ADD: "kill -9 $$", code: 105, says: "SIGKILL" },
];

test("whatever a plugin does instead of giving an address, it is told DEL, and nothing is left", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world);
  const before = await stateOf(world);
  for (const { of, ADD, code, says, details } of failures) {
    using ipam = fakeIpam(world, { ADD: `echo >"$lease"; ${ADD}` });
    const error = await net
      .with({ ipam: { type: ipam.type } })
      .refusal("ADD", container, { path: ipam.path });
    expect([of, error.cniVersion, error.code]).toEqual([of, "1.1.0", code]);
    expect([of, error.msg]).toEqual([of, expect.stringContaining(says)]);
    if (details !== undefined) expect(error.details).toBe(details);
    expect([of, ipam.calls()]).toEqual([of, ["ADD", "DEL"]]);
  }
  expect(await stateOf(world)).toEqual(before);
});

test("a plugin that never ends is ended with all that it started, and the call fails with code 11", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  using ipam = fakeIpam(world, { ADD: "sleep 987654 & wait" });
  const net = network(world, { ipam: { type: ipam.type } });
  const before = await stateOf(world);
  const call = { path: ipam.path, environment: { IPVLAN_IPAM_TIMEOUT_MS: "700" } };
  expect((await net.refusal("ADD", container, call)).code).toBe(11);
  expect(await stateOf(world)).toEqual(before);
  const processes = await world.host.run(["sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '"]);
  expect(processes.stdout).not.toContain(`${987_653 + 1} `);
});

test("a plugin that took its lease although its start failed half-way gives it back", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  using ipam = fakeIpam(world, { ADD: lease("192.0.2.11/24") });
  const before = await stateOf(world);
  const log = logFile(world.directory);
  // It is killed then, but not before it has done its work.
  const faults = ["inject=pidfd_open:error=EIO:when=1", "inject=kill:delay_enter=1000000:when=1"];
  const wrapper = ["strace", "-qq", "-o", log, ...faults.flatMap((fault) => ["-e", fault])];
  const net = network(world, { ipam: { type: ipam.type } });
  const refusal = await net.refusal("ADD", container, { path: ipam.path, wrapper });
  rmSync(log);
  expect(refusal.msg).toContain("cannot execute");
  expect(ipam.calls()).toEqual(["ADD", "DEL"]);
  expect(await stateOf(world)).toEqual(before);
});

test("a plugin that is being written is tried again until it is complete", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  using ipam = fakeIpam(world, { ADD: lease("192.0.2.11/24") });
  const writer = openSync(`${ipam.path.split(":")[0]}/${ipam.type}`, "r+");
  const added = network(world, { ipam: { type: ipam.type } }).add(container, { path: ipam.path });
  await Bun.sleep(800);
  closeSync(writer);
  expect((await added).ips).toEqual([{ address: "192.0.2.11/24", interface: 0 }]);
});

test("a plugin's result may be of any version, and an interface of its own does not matter", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const results = [
    {
      cniVersion: "0.2.0",
      ip4: { ip: "192.0.2.11/24", gateway: wire.outside.v4, routes: [{ dst: "0.0.0.0/0" }] },
    },
    {
      cniVersion: "0.4.0",
      interfaces: [{ name: "other" }],
      ips: [{ version: "4", address: "192.0.2.11/24", gateway: wire.outside.v4, interface: 0 }],
      routes: [{ dst: "0.0.0.0/0" }],
    },
    { ips: [{ address: "192.0.2.11/24", gateway: wire.outside.v4 }], routes: [{ dst: "0.0.0.0/0" }] },
  ];
  for (const each of results) {
    using ipam = fakeIpam(world, { ADD: print(each) });
    const net = network(world, { ipam: { type: ipam.type } });
    const result = await net.add(container, { path: ipam.path });
    expect(result).toEqual({
      cniVersion: "1.1.0",
      interfaces: result.interfaces ?? [],
      ips: [{ address: "192.0.2.11/24", gateway: wire.outside.v4, interface: 0 }],
      routes: [{ dst: "0.0.0.0/0" }],
    });
    expect(result.interfaces).toHaveLength(1);
    await net.del(container, { path: ipam.path });
  }
});

test.each(["1.1.1", "1.9.1"] as const)(
  "the IPAM plugins of the reference's release %s serve it",
  async (release) => {
    await using world = await hostWorld();
    const container = await world.container({ dad: false });
    const sections = [
      {
        type: "host-local",
        dataDir: world.leases,
        subnet: "192.0.2.0/24",
        rangeStart: "192.0.2.40",
        routes: [{ dst: "0.0.0.0/0" }],
      },
      { type: "static", addresses: [{ address: "192.0.2.41/24" }, { address: "2001:db8:1::41/64" }] },
    ];
    const call = { path: reference(release) };
    const before = await stateOf(world);
    for (const ipam of sections) {
      const net = network(world, { cniVersion: "1.0.0", ipam });
      const result = await net.add(container, call);
      expect(result.ips?.[0]?.address).toMatch(/^192.0.2.4[01]\/24$/);
      expect(await container.reaches(wire.outside.v4)).toBe(true);
      await net.check(container, result, call);
      await net.with({ prevResult: result }).del(container, call);
      expect(await stateOf(world)).toEqual(before);
    }
  },
);
