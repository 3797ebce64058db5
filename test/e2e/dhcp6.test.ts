/** IPv6 addresses from a real DHCPv6 server, beside IPv4 and alone. */

import { expect, test } from "bun:test";
import { daemon, dhcpNetwork, dnsmasq, kea6, leasesIn, pool } from "../support/dhcp.ts";
import type { Namespace } from "../support/namespace.ts";
import { errorOf } from "../support/network.ts";
import { hostWorld, wire } from "../support/world.ts";

interface Shown {
  addr_info: { local: string; scope: string; valid_life_time: number }[];
}

async function lifetimesOf(container: Namespace): Promise<Record<string, number>> {
  const [link] = await container.json<Shown[]>("-6 address show dev eth0");
  const global = (link?.addr_info ?? []).filter(({ scope }) => scope === "global");
  return Object.fromEntries(global.map(({ local, valid_life_time }) => [local, valid_life_time]));
}

const addressesIn = (result: { ips?: { address: string }[] }) =>
  (result.ips ?? []).map(({ address }) => address.split("/")[0]!);

test("siblings get an address of each family of their own, both are renewed, and both are given back", async () => {
  const leaseSeconds = 8;
  await using world = await hostWorld();
  const net = dhcpNetwork(world, { families: [4, 6], conflictMs: 0 });
  await using server4 = await dnsmasq(world, { more: ["--dhcp-option=option:dns-server,192.0.2.53"] });
  await using server6 = await kea6(world, { leaseSeconds });
  await using keeper = await daemon(world, net);
  const [first, second] = [await world.container(), await world.container()];
  const [one, other] = [await net.add(first), await net.add(second)];
  expect(addressesIn(one)[0]).toBe(pool.first);
  expect(one.ips?.[1]?.address).toMatch(/^2001:db8:1::10[0-9a-f]{2}\/128$/);
  expect(addressesIn(other)[1]).not.toBe(addressesIn(one)[1]!);
  expect(one.dns).toEqual({ nameservers: ["192.0.2.53", "2001:db8:1::53"], search: ["six.example.com"] });
  await net.check(first, one);
  // Routers tell what is on the link; there is none here.
  for (const container of [first, second]) await container.ip(`route add ${wire.v6} dev eth0`);
  expect(await first.reaches(addressesIn(other)[1]!)).toBe(true);
  expect(await second.reaches(wire.outside.v6)).toBe(true);
  expect(leasesIn(net)).toHaveLength(4);
  await keeper.says(new RegExp(`${addressesIn(one)[1]} of .*: renewed by`));
  await Bun.sleep(leaseSeconds * 1000);
  const lifetimes = await lifetimesOf(first);
  expect(Object.keys(lifetimes)).toEqual([addressesIn(one)[1]!]);
  expect(Object.values(lifetimes)[0]).toBeLessThanOrEqual(leaseSeconds);
  await net.check(first, one);
  for (const container of [first, second]) await net.del(container);
  expect(leasesIn(net)).toEqual([]);
  await server4.says(`DHCPRELEASE(eth0) ${pool.first}`);
  await server6.says(new RegExp(`released.*${addressesIn(one)[1]}|${addressesIn(one)[1]}.*released`, "i"));
});

test("without a DHCPv6 server ADD fails, and the IPv4 lease goes back", async () => {
  await using world = await hostWorld();
  const net = dhcpNetwork(world, { families: [4, 6], conflictMs: 0, timeoutSeconds: 4 });
  await using server = await dnsmasq(world);
  await using _ = await daemon(world, net);
  const container = await world.container();
  const error = errorOf(await net.run("ADD", container));
  expect(error.msg).toMatch(/^no DHCPv6 server gave a lease within \d s$/);
  await server.says(`DHCPRELEASE(eth0) ${pool.first}`);
  expect([leasesIn(net), await container.linkNames()]).toEqual([[], []]);
});
