/** Duplicate address detection: waited for, left to the kernel, or done without. */

import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { fixed, network, stateOf } from "../support/network.ts";
import { hostWorld, wire } from "../support/world.ts";

test("dad off takes an IPv6 address at once, wait returns only when it is settled", async () => {
  await using world = await hostWorld();
  const flagsWith = async (dad: string, address: string) => {
    const container = await world.container();
    await network(world, { ipam: fixed([`${address}/64`]), dad }).add(container);
    const [link] = (await container.json("addr show dev eth0")) as [
      { addr_info: { local: string; tentative?: boolean; nodad?: boolean }[] },
    ];
    return link.addr_info.find(({ local }) => local === address);
  };
  expect(await flagsWith("off", "2001:db8:1::21")).toMatchObject({ nodad: true });
  const waited = await flagsWith("wait", "2001:db8:1::22");
  expect(waited?.tentative).toBeUndefined();
  expect(waited?.nodad).toBeUndefined();
});

test("without a word detection is waited for where it must be: no optimism in the kernel, and a gateway", async () => {
  await using world = await hostWorld();
  const isTentative = async (address: string) => {
    const container = await world.container();
    await container.run(["sh", "-c", "echo 3 >/proc/sys/net/ipv6/conf/default/dad_transmits"]);
    await network(world, { ipam: fixed([address]) }).add(container);
    const { stdout } = await container.run(["ip", "-6", "addr", "show", "dev", "eth0", "scope", "global"]);
    return stdout.includes("tentative");
  };
  if (existsSync("/proc/sys/net/ipv6/conf/default/optimistic_dad")) return;
  expect(await isTentative(`2001:db8:1::25/64 ${wire.outside.v6}`)).toBe(false);
  expect(await isTentative("2001:db8:1::26/64")).toBe(true);
});

test("dad optimistic marks the address where the kernel can, and waits where it cannot", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await network(world, { ipam: fixed(["2001:db8:1::23/64"]), dad: "optimistic" }).add(container);
  const { stdout } = await container.run(["ip", "-6", "addr", "show", "dev", "eth0", "scope", "global"]);
  if (existsSync("/proc/sys/net/ipv6/conf/default/optimistic_dad")) expect(stdout).toContain("optimistic");
  else expect(stdout).not.toContain("tentative");
});

test("an IPv6 address that somebody on the segment has is an error that names it, with dad wait", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await world.outside.ip("address add 2001:db8:1::66/64 dev eth0 nodad");
  const before = await stateOf(world);
  const net = network(world, { ipam: fixed(["2001:db8:1::66/64"]), dad: "wait" });
  const { msg } = await net.refusal("ADD", container);
  expect(msg).toContain("address 2001:db8:1::66");
  expect(msg).toContain("DADFAILED");
  expect(await stateOf(world)).toEqual(before);
});

test("with dad wait, a detection that takes for ever is an error that may pass, and leaves nothing", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  // A question a second, so many times.
  await container.run(["sh", "-c", "echo 60 >/proc/sys/net/ipv6/conf/default/dad_transmits"]);
  const before = await stateOf(world);
  const net = network(world, { ipam: fixed(["2001:db8:1::67/64"]), dad: "wait" });
  expect(await net.refusal("ADD", container)).toMatchObject({
    code: 11,
    msg: 'the IPv6 addresses of "eth0" are still tentative after 5000 ms',
    details: "try again later; see whether the master passes multicast",
  });
  expect(await stateOf(world)).toEqual(before);
});

test("a master without carrier does not cost the time that detection may take", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await world.outside.ip("link set eth0 down");
  const net = network(world, { ipam: fixed([`2001:db8:1::24/64 ${wire.outside.v6}`]), dad: "wait" });
  const result = await net.add(container);
  const [link] = (await container.json("addr show dev eth0")) as [
    { addr_info: { local: string; tentative?: boolean }[] },
  ];
  expect(result.ips?.[0]?.address).toBe("2001:db8:1::24/64");
  // Still tentative: nothing was waited for.
  expect(link.addr_info.find(({ local }) => local === "2001:db8:1::24")?.tentative).toBe(true);
});
