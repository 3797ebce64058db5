/** Leases of seconds on real servers: what the daemon keeps alive, and what it lets go. */

import { expect, test } from "bun:test";
import { readdirSync, readlinkSync } from "node:fs";
import { mustRun } from "../support/command.ts";
import { daemon, dhcpNetwork, dnsmasq, kea, leasesIn, pool } from "../support/dhcp.ts";
import { type Namespace, remove } from "../support/namespace.ts";
import { errorOf } from "../support/network.ts";
import { until } from "../support/running.ts";
import { hostWorld, wire } from "../support/world.ts";

interface Shown {
  addr_info: { family: string; local: string; valid_life_time: number }[];
}

/** The IPv4 addresses of a container's eth0 with what is left of their lifetimes. */
async function addressesOf(container: Namespace): Promise<{ local: string; seconds: number }[]> {
  const [link] = await container.json<Shown[]>("-4 address show dev eth0");
  return (link?.addr_info ?? []).map(({ local, valid_life_time }) => ({ local, seconds: valid_life_time }));
}

test("leases of seconds live on: through restarts of daemon and server, until their endpoint goes or nobody prolongs them", async () => {
  const leaseSeconds = 6;
  await using world = await hostWorld();
  const net = dhcpNetwork(world, { conflictMs: 0 });
  const server = await kea(world, { leaseSeconds });
  const keeper = await daemon(world, net);
  const [first, second] = [await world.container(), await world.container()];
  const results = [await net.add(first), await net.add(second)];
  await Bun.sleep((leaseSeconds + 1) * 1000);
  for (const [index, container] of [first, second].entries()) {
    const [address] = await addressesOf(container);
    expect(`${address?.local}/24`).toBe(results[index]!.ips![0]!.address);
    expect(address!.seconds).toBeLessThanOrEqual(leaseSeconds);
    await net.check(container, results[index]!);
  }
  expect(keeper.output).toMatch(/renewed by 192\.0\.2\.2 for \d+ s/);

  // Between two exchanges the daemon holds no namespace but its own.
  const held = readdirSync(`/proc/${keeper.pid}/fd`)
    .map((fd) => readlinkSync(`/proc/${keeper.pid}/fd/${fd}`))
    .filter((target) => target.startsWith("net:"));
  expect(held).toEqual([]);

  await Promise.all([keeper.kill(), server.kill()]);
  const [again, nextServer] = await Promise.all([daemon(world, net), kea(world, { leaseSeconds })]);
  await using _again = again;
  expect(again.output).toContain("keeps 2 leases");
  await again.says(/(renewed|rebound) by/);
  await Bun.sleep(leaseSeconds * 1000);
  expect(await addressesOf(first)).toHaveLength(1);
  expect(await first.reaches(wire.outside.v4)).toBe(true);

  // Another namespace of the same name, with a link of the same name, is another endpoint.
  await remove([second]);
  await mustRun(["ip", "netns", "add", second.name]);
  await second.ip("link add eth0 type dummy");
  await again.says("its endpoint has gone");
  await until(() => leasesIn(net).length === 1, "the lease of the vanished endpoint to be dropped");

  await nextServer.kill();
  await again.says("the address is removed: it expired", 2 * leaseSeconds);
  expect(await addressesOf(first)).toEqual([]);
  const refusal = errorOf(await net.with({ prevResult: results[0]! }).run("CHECK", first));
  expect(refusal.msg).toContain("is lost: it expired");
  await net.del(first);
  expect(leasesIn(net)).toEqual([]);
});

test("a server that has lost its memory gives the same address anew; one that refuses it ends the lease", async () => {
  await using world = await hostWorld();
  const net = dhcpNetwork(world, { conflictMs: 0 });
  const renewal = ["--dhcp-option=option:T1,3s", "--dhcp-option=option:T2,6s"];
  const server = await dnsmasq(world, { forgetful: true, more: renewal });
  await using keeper = await daemon(world, net);
  const container = await world.container();
  await net.add(container);
  await server.kill();
  const amnesic = await dnsmasq(world, { forgetful: true, more: renewal });
  await keeper.says(/renewed by|given anew by/);
  expect(await addressesOf(container)).toMatchObject([{ local: pool.first }]);
  await amnesic.kill();
  await using _moved = await dnsmasq(world, {
    forgetful: true,
    first: "192.0.2.200",
    last: "192.0.2.210",
    more: renewal,
  });
  await keeper.says("refused to prolong it");
  await keeper.says("the address is removed: a server refused it");
  expect(await addressesOf(container)).toEqual([]);
});
