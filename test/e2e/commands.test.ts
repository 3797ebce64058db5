/** Every command of the documents does what they say: each document's blocks of shell are run in turn, on a host of its own. */

import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binary, repository } from "../kernel/environment.ts";
import { daemon, dhcpNetwork, dnsmasq } from "../support/dhcp.ts";
import { blocksOf, onTheDriver, runnable } from "../support/documented.ts";
import { stateOf } from "../support/network.ts";
import { hostWorld, type World } from "../support/world.ts";

/** What a document takes for granted, made ready in the world: shell that comes first, and what ends it. */
const grounds: Record<string, (world: World) => Promise<{ prelude: string; end(): Promise<unknown> }>> = {
  "docs/dhcp.md": async (world) => {
    const net = dhcpNetwork(world, { conflictMs: 0 });
    const server = await dnsmasq(world);
    const keeper = await daemon(world, net);
    const container = await world.container();
    await net.add(container);
    return {
      prelude: `mkdir -p /run/ipvlan; mount --bind ${net.records} /run/ipvlan
        tcpdump() { timeout --preserve-status --signal INT 1 /usr/bin/tcpdump "$@" 2>/dev/null; }`,
      end: async () => {
        await net.del(container);
        await Promise.all([server.kill(), keeper.kill()]);
        rmSync(net.records, { recursive: true });
        mkdirSync(net.records);
      },
    };
  },
};

test.each(onTheDriver)("the commands in %s work, and clean up behind themselves", async (path) => {
  await using world = await hostWorld();
  const directory = mkdtempSync(join(tmpdir(), "ipvlan-commands-"));
  try {
    // The README says how it is installed, and everything after that finds it there.
    if (path !== "README.md") symlinkSync(binary, join(directory, "ipvlan"));
    const before = await stateOf(world);
    const ground = await grounds[path]?.(world);
    // Mounts of this shell alone: what is installed goes with them.
    const prelude = ["/opt", "/usr/local/sbin"].map((place) => `mount -t tmpfs none ${place}`);
    prelude.push(path === "README.md" ? "" : "mkdir -p /opt/cni/bin", ground?.prelude ?? "");
    const script = [...prelude, ...blocksOf(path).map((block) => runnable(path, block))].join("\n");
    const { exitCode, stderr } = await world.host.run(["unshare", "--mount", "sh", "-euc", script], {
      environment: { PATH: `${directory}:/usr/local/sbin:${process.env.PATH}` },
      directory: repository,
    });
    expect([exitCode, stderr]).toEqual([0, ""]);
    await ground?.end();
    if (ground === undefined) expect(await stateOf(world)).toEqual(before);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
