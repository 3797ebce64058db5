/** However many endpoints there are, whoever comes or goes reads the records of the first that answers the question. */

import { expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { logFile, straced } from "../support/faults.ts";
import type { Namespace } from "../support/namespace.ts";
import { leased, type Network, network, succeeded } from "../support/network.ts";
import { hostWorld, type World } from "../support/world.ts";

const CROWD = ["eth0", "eth1", "eth2", "eth3", "eth4"];

/** The interfaces whose records the call reads, its own aside. */
async function recordsRead(
  world: World,
  net: Network,
  verb: "ADD" | "DEL" | "STATUS",
  container: Namespace,
  ifName: string,
): Promise<Set<string>> {
  const log = logFile(world.directory);
  const call = { ifName, wrapper: straced(log) };
  succeeded(await net.run(verb, verb === "STATUS" ? undefined : container, call));
  const read = [...readFileSync(log, "utf8").matchAll(/^openat\(AT_FDCWD, "[^"]*\/net,[^,]+,(\w+)"/gm)];
  rmSync(log);
  return new Set(read.map(([, name]) => name!).filter((name) => name !== ifName));
}

test("one other record is read when a port's witness goes, and when it is not known", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { ipam: {} });
  for (const ifName of CROWD) await net.add(container, { ifName });
  expect((await recordsRead(world, net, "DEL", container, "eth0")).size).toBe(1);
  expect((await recordsRead(world, net, "STATUS", container, "none")).size).toBe(0);
  const ports = join(net.records, "ports");
  for (const name of readdirSync(ports)) rmSync(join(ports, name));
  expect((await recordsRead(world, net, "ADD", container, "eth0")).size).toBe(1);
  expect((await recordsRead(world, net, "DEL", container, "eth0")).size).toBe(0);
});

test("one other record is read to see that the host's endpoint and the VLAN are needed", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { vlan: 20, hostAccess: true, ipam: leased(world, "203.0.113.0/24") });
  for (const ifName of CROWD) await net.add(container, { ifName });
  expect((await recordsRead(world, net, "DEL", container, "eth2")).size).toBe(1);
});
