/** Whoever hangs holds nobody up for ever: the call ends in time with code 11, and what it started has ended with it. */

import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fakeIpam, lease } from "../support/fake-ipam.ts";
import { leased, leasesOf, network, stateOf } from "../support/network.ts";
import type { Verb } from "../support/plugin.ts";
import { until } from "../support/running.ts";
import { hostWorld, routed } from "../support/world.ts";

/** The processes that were given this variable. */
function processesWith(variable: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const hasEnded = /\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
        return !hasEnded && readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(variable);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Shell that never comes to an end, each in its own way. */
const STUCK: Record<string, string> = {
  "waits for ever": "sleep 600",
  "ignores every signal it can": "trap '' TERM HUP INT PIPE ALRM QUIT USR1 USR2; sleep 600; sleep 600",
  "is stopped": "kill -STOP $$",
  "has children and grandchildren": "(sleep 600 & sleep 600 | sleep 600) & (sleep 600; sleep 600)",
  "has ended its output": "exec >&- 2>&-; sleep 600",
};

for (const [how, shell] of Object.entries(STUCK))
  test(`an IPAM plugin that ${how} ends with its process group, and the call in code 11`, async () => {
    await using world = await hostWorld();
    const container = await world.container({ dad: false });
    const verbs = ["ADD", "DEL", "CHECK", "STATUS", "GC"] as const;
    const address = routed.v4.replace("0/24", "11/24");
    using quick = fakeIpam(world, { ADD: lease(address) });
    using stuck = fakeIpam(world, Object.fromEntries(verbs.map((verb) => [verb, shell])));
    const net = network(world, { mode: "l3", ipam: { type: "fake" } });
    const variable = `STUCK=${stuck.path}`;
    const call = { path: stuck.path, environment: { STUCK: stuck.path, IPVLAN_IPAM_TIMEOUT_MS: "300" } };
    const expectBusy = async (verb: Verb, config?: object) => {
      const { code, msg } = await net.refusal(verb, container, call, config);
      expect(msg).toContain(`(${verb}) did not finish within 300 ms`);
      expect(code).toBe(11);
      // What has been killed is there a moment longer, until it is scheduled.
      await until(() => processesWith(variable).length === 0, "the end of all that the plugin started");
    };
    const before = await stateOf(world);
    await expectBusy("ADD");
    expect(await stateOf(world)).toEqual(before);
    await expectBusy("STATUS");
    const prevResult = await net.add(container, { path: quick.path });
    await expectBusy("CHECK", { ...net.config, prevResult });
    const attachment = { containerID: container.name, ifname: "eth0" };
    await expectBusy("GC", { ...net.config, "cni.dev/valid-attachments": [attachment] });
    await expectBusy("DEL");
    // The link has gone all the same; only the IPAM has to be asked again.
    expect(await container.linkNames()).toEqual([]);
    await net.del(container, { path: quick.path });
    expect(await stateOf(world)).toEqual(before);
  });

test("what an IPAM plugin leaves running, in a session of its own with the pipes open, holds nobody up", async () => {
  await using world = await hostWorld();
  const container = await world.container({ dad: false });
  using ipam = fakeIpam(world, { ADD: `setsid sleep 600 & ${lease("198.51.100.11/24")}` });
  const net = network(world, { mode: "l3", ipam: { type: "fake" } });
  const call = { path: ipam.path, environment: { STUCK: ipam.path } };
  const before = await stateOf(world);
  try {
    const { ips } = await net.add(container, call);
    expect(ips).toMatchObject([{ address: "198.51.100.11/24" }]);
    await net.del(container, call);
    expect(await stateOf(world)).toEqual(before);
  } finally {
    // It was meant to stay: a plugin may start its daemon.
    const left = processesWith(`STUCK=${ipam.path}`);
    for (const pid of left) process.kill(pid, "SIGKILL");
    expect(left).toHaveLength(1);
  }
});

/** Somebody who has locked a file and hangs. */
async function holder(path: string): Promise<AsyncDisposable> {
  mkdirSync(dirname(path), { recursive: true });
  const child = Bun.spawn(["flock", "-F", path, "sleep", "600"], { stdio: ["ignore", "ignore", "inherit"] });
  const isHeld = () => Bun.spawnSync(["flock", "-n", path, "true"]).exitCode === 1;
  await until(isHeld, `the lock on ${path}`);
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** Waits for a lock less long than usual. */
const quick = { environment: { IPVLAN_LOCK_TIMEOUT_MS: "300" } };

test("the store's lock stuck: every verb that needs it says so with code 11, and nothing is lost", async () => {
  await using world = await hostWorld();
  const [resident, newcomer] = [await world.container({ dad: false }), await world.container({ dad: false })];
  const net = network(world, { ipam: leased(world, "203.0.113.0/24") });
  const empty = await stateOf(world);
  const prevResult = await net.add(resident);
  const before = await stateOf(world);
  const lock = join(world.leases, "net/lock");
  const refusal = (verb: Verb, container = resident, config: object = net.config) =>
    net.refusal(verb, container, quick, config);
  {
    await using _ = await holder(lock);
    const said = { code: 11, msg: `host-local: ${lock} was held by others for 0.3 s` };
    expect(await refusal("ADD", newcomer)).toMatchObject(said);
    expect(await refusal("CHECK", resident, { ...net.config, prevResult })).toMatchObject(said);
    expect(await refusal("STATUS")).toMatchObject(said);
    expect(await refusal("GC", resident, { ...net.config, "cni.dev/valid-attachments": [] })).toMatchObject(
      said,
    );
    // GC has removed the link all the same, but not its lease.
    expect((await stateOf(world)).files).not.toEqual(before.files);
    expect(await refusal("DEL")).toMatchObject(said);
  }
  await net.del(resident);
  expect(await stateOf(world)).toEqual(empty);
});

for (const { what, config, lockIn } of [
  { what: "a port's", config: {}, lockIn: "ports" },
  { what: "a VLAN's", config: { vlan: 20 }, lockIn: "vlans" },
  { what: "the host's endpoint's", config: { hostAccess: true }, lockIn: "hosts" },
])
  test(`${what} lock stuck: ADD leaves no link and no lease, and DEL can be repeated`, async () => {
    await using world = await hostWorld();
    const [resident, newcomer] = [
      await world.container({ dad: false }),
      await world.container({ dad: false }),
    ];
    const net = network(world, { ...config, ipam: leased(world, "203.0.113.0/24") });
    const empty = await stateOf(world);
    await net.add(resident);
    const before = await stateOf(world);
    const folder = join(net.records, lockIn);
    const lock = join(folder, readdirSync(folder)[0]!);
    {
      await using _ = await holder(lock);
      const said = { code: 11, msg: expect.stringContaining(`${lock} was held by others for 0.3 s`) };
      expect(await net.refusal("ADD", newcomer, quick)).toMatchObject(said);
      const after = await stateOf(world);
      expect([after.network, leasesOf(after)]).toEqual([before.network, leasesOf(before)]);
      expect(await net.refusal("DEL", resident, quick)).toMatchObject(said);
      expect(await resident.linkNames()).toEqual([]);
    }
    // As a runtime does after an ADD that failed: what it could not undo is still on record.
    await net.del(newcomer);
    await net.del(resident);
    expect(await stateOf(world)).toEqual(empty);
  });

test("an attachment's lock stuck: ADD says so with code 11 and leaves nothing, DEL does not wait for it", async () => {
  await using world = await hostWorld();
  const container = await world.container({ dad: false });
  const net = network(world, { ipam: leased(world, "203.0.113.0/24") });
  const empty = await stateOf(world);
  const lock = join(net.records, `net,${container.name},eth0`);
  {
    await using _ = await holder(lock);
    const { code, msg } = await net.refusal("ADD", container, quick);
    expect([code, msg]).toEqual([11, `${lock} was held by others for 0.3 s`]);
    expect((await stateOf(world)).network).toEqual(empty.network);
    await net.del(container, quick);
  }
  expect(await stateOf(world)).toEqual(empty);
});
