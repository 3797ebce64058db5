/** libcni of Debian 12 with this plugin, in a chain with another one. */

import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { binary } from "../kernel/environment.ts";
import { leased, network, stateOf } from "../support/network.ts";
import { reference } from "../support/plugin.ts";
import { hostWorld, type World } from "../support/world.ts";

const client = join(process.env.IPVLAN_REFERENCE ?? "", "../clients/bin/libcni-client");

/** Runs the client on a network of ipvlan and tuning. */
async function run(world: World, verb: "add" | "check" | "del", netns: string) {
  const { cniVersion: _, name, ...plugin } = network(world, { ipam: leased(world, "192.0.2.0/24") }).config;
  const plugins = join(world.directory, "plugins");
  mkdirSync(plugins, { recursive: true });
  const programs = { ipvlan: binary, tuning: join(reference("1.9.1"), "tuning") };
  for (const [file, target] of Object.entries(programs))
    if (!readdirSync(plugins).includes(file)) symlinkSync(target, join(plugins, file));
  const path = join(world.directory, "net.conflist");
  writeFileSync(
    path,
    JSON.stringify({
      cniVersion: "1.0.0",
      name,
      plugins: [plugin, { type: "tuning", sysctl: { "net.ipv4.conf.eth0.arp_filter": "1" } }],
    }),
  );
  return world.host.run([client, verb, path, join(world.directory, "cache"), "c1", netns, "eth0"], {
    environment: {
      PATH: process.env.PATH ?? "",
      CNI_PATH: plugins,
      IPVLAN_RUN_DIR: join(world.directory, "records"),
    },
  });
}

test("libcni adds, checks and deletes an attachment in a chain; what drifts is found", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const before = await stateOf(world);
  const added = await run(world, "add", container.path);
  expect([added.exitCode, added.stderr]).toEqual([0, ""]);
  expect(JSON.parse(added.stdout).ips[0].address).toBe("192.0.2.2/24");
  expect((await run(world, "check", container.path)).stderr).toBe("");
  await container.ip("link set eth0 down");
  expect((await run(world, "check", container.path)).stderr).toContain('interface "eth0" is down');
  expect((await run(world, "del", container.path)).exitCode).toBe(0);
  expect((await run(world, "del", "/run/netns/gone")).exitCode).toBe(0);
  expect((await stateOf(world)).network).toEqual(before.network);
});
