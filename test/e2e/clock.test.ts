/** A clock that is set back, or ahead, is no reason for anything: no lease is lost, none expires, nothing is left. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { mustRun } from "../support/command.ts";
import { daemon, dhcpNetwork, dnsmasq, leasesIn } from "../support/dhcp.ts";
import { expectTrueIndex } from "../support/index.ts";
import { crowd, MANY } from "../support/ipam.ts";
import { type CniResult, leased, leasesOf, network, stateOf, succeeded } from "../support/network.ts";
import { reference } from "../support/plugin.ts";
import { hostWorld } from "../support/world.ts";

/** Only a machine of the tests' own may have its clock set. */
const isOurs = readFileSync("/proc/cpuinfo", "utf8").includes("User Mode Linux");
const DAY = 24 * 3600;

/** The machine's clock, which is right again at the end. */
class Clock implements AsyncDisposable {
  readonly #startedAt = Date.now() - performance.now();

  /** Sets it to so many seconds from what is right. */
  async set(offsetSeconds: number): Promise<void> {
    const rightMs = this.#startedAt + performance.now();
    await mustRun(["date", "-s", `@${Math.floor(rightMs / 1000) + offsetSeconds}`]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.set(0);
  }
}

test.if(isOurs)(
  "host-local: leases made a day ahead, a day back and by the reference are all kept apart",
  async () => {
    await using world = await hostWorld();
    await using clock = new Clock();
    const net = network(world, { cniVersion: "1.0.0", ipam: leased(world, "203.0.113.0/24") });
    const external = net.with({ ipam: leased(world, "203.0.113.0/24", { external: true }) });
    // Of so many there is an index, which lives by the times of files.
    const others = crowd(world.leases, "net", MANY);
    const before = await stateOf(world);
    const members: {
      container: Awaited<ReturnType<typeof world.container>>;
      result: CniResult;
    }[] = [];
    const path = reference("1.9.1");
    for (const [index, offset] of [DAY, 0, -DAY, -2 * DAY, DAY / 2, -DAY].entries()) {
      await clock.set(offset);
      const container = await world.container({ dad: false });
      const of = index % 3 === 2 ? external : net;
      members.push({ container, result: await of.add(container, { path }) });
      expectTrueIndex(world.leases, "net");
      const [eldest] = members;
      await net.check(eldest!.container, eldest!.result);
    }
    const given = members.map(({ result }) => result.ips![0]!.address.replace("/24", ""));
    const held: Record<string, string> = { ...others };
    for (const [index, { container }] of members.entries()) held[given[index]!] = container.name;
    expect(leasesOf(await stateOf(world))).toEqual(held);
    await clock.set(-30 * DAY);
    const valid = members.map(({ container }) => ({ containerID: container.name, ifname: "eth0" }));
    succeeded(await net.with({ cniVersion: "1.1.0", "cni.dev/valid-attachments": valid }).run("GC"));
    expect(leasesOf(await stateOf(world))).toEqual(held);
    for (const [index, { container }] of members.entries()) {
      await clock.set((index - 3) * DAY);
      await net.del(container);
      expectTrueIndex(world.leases, "net");
    }
    expect((await stateOf(world)).files).toEqual(before.files);
    expect((await stateOf(world)).network.host).toEqual(before.network.host!);
  },
  180_000,
);

test.if(isOurs)("dhcp: a lease lives by the time since boot, whatever the clock says", async () => {
  await using world = await hostWorld();
  await using clock = new Clock();
  await using _server = await dnsmasq(world);
  const net = dhcpNetwork(world, { conflictMs: 0 });
  await using keeper = await daemon(world, net);
  const container = await world.container();
  await clock.set(-DAY);
  const result = await net.add(container);
  for (const offset of [365 * DAY, -365 * DAY, 0]) {
    await clock.set(offset);
    await Bun.sleep(200);
    await net.check(container, result);
    expect(leasesIn(net)).toHaveLength(1);
    const [link] =
      await container.json<{ addr_info: { valid_life_time: number }[] }[]>("-4 address show dev eth0");
    expect(link!.addr_info[0]!.valid_life_time).toBeGreaterThan(3000);
  }
  // The next daemon knows what is on disk.
  await keeper.kill();
  await using again = await daemon(world, net);
  expect(again.output).toContain("keeps 1 leases");
  expect(`${keeper.output}${again.output}`).not.toMatch(/expired|given anew|renewed/);
  await net.del(container);
  expect(leasesIn(net)).toEqual([]);
});
