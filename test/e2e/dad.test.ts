/** Duplicate address detection: waited for, left to the kernel, or done without. */

import { expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
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

test("a kernel that can be optimistic is told so, and nothing is waited for; half of the settings are not enough", async () => {
  await using world = await hostWorld();
  const log = join(world.directory, "debug.log");
  const told = join(world.directory, "told");
  const conf = "/proc/sys/net/ipv6/conf";
  // The test kernels cannot be: what the plugin finds in /proc/sys is another kernel's.
  const withSettings = (settings: string[]) => {
    const paths = settings.map((setting) => `${conf}/eth0/${setting}`).join(" ");
    const script = `mount -t tmpfs none /proc/sys
      for each in lo eth0; do mkdir -p ${conf}/$each; echo 0 >${conf}/$each/disable_ipv6; done
      touch ${paths}
      "$0"; status=$?
      cat ${paths} >${told}; exit $status`;
    return ["sh", "-c", script];
  };
  const outcome = async (settings: string[], dad: string | undefined, address: string) => {
    const container = await world.container();
    await container.run(["sh", "-c", "echo 3 >/proc/sys/net/ipv6/conf/default/dad_transmits"]);
    const net = network(world, { ipam: fixed([address]), dad });
    await net.add(container, { wrapper: withSettings(settings), environment: { IPVLAN_DEBUG: log } });
    const { stdout } = await container.run(["ip", "-6", "addr", "show", "dev", "eth0", "scope", "global"]);
    const text = readFileSync(log, "utf8");
    rmSync(log);
    return {
      told: readFileSync(told, "utf8"),
      isOptimistic: /"RTM_NEWADDR"[^}]*"addressFlags":4\b/.test(text),
      isTentative: stdout.includes("tentative"),
    };
  };
  const both = ["optimistic_dad", "use_optimistic"];
  const gateway = ` ${wire.outside.v6}`;
  const optimistic = { told: "11", isOptimistic: true, isTentative: true };
  expect(await outcome(both, undefined, `2001:db8:1::31/64${gateway}`)).toEqual(optimistic);
  expect(await outcome(both, "optimistic", "2001:db8:1::32/64")).toEqual(optimistic);
  const waited = { told: "1", isOptimistic: false, isTentative: false };
  expect(await outcome(["optimistic_dad"], undefined, `2001:db8:1::33/64${gateway}`)).toEqual(waited);
  expect(await outcome(["use_optimistic"], "optimistic", "2001:db8:1::34/64")).toEqual({
    ...waited,
    told: "",
  });
  expect(await outcome(both, "wait", "2001:db8:1::35/64")).toEqual({ ...waited, told: "" });
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
