/** What the doctor finds among leases, host-local's and those of DHCP servers; each finding has a remedy. */

import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { daemon, dhcpNetwork, dnsmasq, leasesIn } from "../support/dhcp.ts";
import { leased, network } from "../support/network.ts";
import { configured, examine } from "../support/terminal.ts";
import { hostWorld, type World } from "../support/world.ts";

async function ofStore(world: World): Promise<string[]> {
  return (await examine(world)).all.filter((each) => each.includes("network net") && !each.startsWith("ok "));
}

test("a store: full, nearly full, locked, with torn, stray and unexplained leases", async () => {
  await using world = await hostWorld();
  const store = join(world.leases, "net");
  mkdirSync(store, { recursive: true });
  configured(world, network(world, { ipam: leased(world, "192.0.2.0/28") }));
  expect(await ofStore(world)).toEqual([]);
  for (let host = 2; host < 15; host++) writeFileSync(join(store, `192.0.2.${host}`), `c${host}\r\neth0`);
  const unexplained =
    "warning network net: 13 leases are of containers that no record explains: 192.0.2.10 of c10, 192.0.2.11 of c11, 192.0.2.12 of c12 and 10 more";
  expect(await ofStore(world)).toEqual(["error network net: 13 of 13 addresses are given", unexplained]);
  for (let host = 3; host < 15; host++) rmSync(join(store, `192.0.2.${host}`));
  writeFileSync(join(store, "192.0.2.9"), "");
  writeFileSync(join(store, "198.51.100.1"), "c2\r\neth1");
  expect(await ofStore(world)).toEqual([
    "warning network net: 1 leases are empty files, which a crash leaves: 192.0.2.9",
    "warning network net: 2 leases are of containers that no record explains: 192.0.2.2 of c2, 198.51.100.1 of c2",
    "warning network net: 1 leases lie outside of its ranges: 198.51.100.1",
  ]);
  rmSync(store, { recursive: true });
  mkdirSync(store);
  configured(world, network(world, { ipam: leased(world, "192.0.2.0/27") }));
  for (let host = 2; host < 30; host++) writeFileSync(join(store, `192.0.2.${host}`), `c${host}\r\neth0`);
  expect(await ofStore(world)).toContain("warning network net: 28 of 29 addresses are given");
  writeFileSync(join(store, "lock"), "");
  expect(await ofStore(world)).not.toContainEqual(expect.stringContaining("the lock of its leases"));
  const locked = await examine(world, {}, ["flock", "--no-fork", join(store, "lock")]);
  expect(locked.all).toContainEqual(expect.stringContaining("the lock of its leases"));
});

test("each set of addresses is counted for itself", async () => {
  await using world = await hostWorld();
  const ranges = [[{ subnet: "192.0.2.0/24" }], [{ subnet: "2001:db8:9::/126" }]];
  const net = network(world, { ipam: { type: "host-local", dataDir: world.leases, ranges } });
  configured(world, net);
  await net.add(await world.container());
  await net.add(await world.container());
  expect(await ofStore(world)).toEqual(["error network net: 2 of 2 addresses are given"]);
  expect(readFileSync(join(world.leases, "net", "2001:db8:9::2"), "utf8")).toContain("container");
});

test("DHCP: a daemon that does not answer, and leases that are lost or nobody's", async () => {
  await using world = await hostWorld();
  const net = dhcpNetwork(world, { conflictMs: 0 });
  configured(world, net);
  const without = await examine(world);
  expect(without.healthy).toBe(false);
  const socket = join(net.records, "dhcp.sock");
  expect(without.all).toContain(`error network net: the DHCP daemon does not answer at ${socket}`);
  await using _server = await dnsmasq(world);
  await using _daemon = await daemon(world, net);
  const container = await world.container();
  await net.add(container);
  expect((await examine(world)).all).toContain(`ok network net: the DHCP daemon at ${socket} keeps 1 leases`);
  expect(await ofStore(world)).toEqual([]);
  const path = join(net.records, "dhcp", leasesIn(net)[0]!);
  const lease = JSON.parse(readFileSync(path, "utf8"));
  const other = { ...lease, containerId: "stranger", address: "192.0.2.99" };
  writeFileSync(join(net.records, "dhcp/net,stranger,eth0.lease"), JSON.stringify(other));
  writeFileSync(path, JSON.stringify({ ...lease, lost: "the server refused" }));
  expect((await ofStore(world)).sort()).toEqual([
    `warning network net: the lease 192.0.2.99 is of stranger (eth0), which is not attached`,
    `warning network net: the lease of ${container.name} (eth0) is lost: the server refused`,
  ]);
});
