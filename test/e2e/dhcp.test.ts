/** Delegation to the reference's dhcp plugin and its daemon, with a server that broadcasts its answers. */

import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expectResultIsTrue } from "../support/kernel-state.ts";
import { errorOf, network, stateOf } from "../support/network.ts";
import { type Release, reference } from "../support/plugin.ts";
import { Running, until } from "../support/running.ts";
import { hostWorld, wire } from "../support/world.ts";

test.each<Release>(["1.1.1", "1.9.1"])(
  "two endpoints get addresses of their own from a DHCP server, by the plugin of release %s, and give them back",
  async (release) => {
    await using world = await hostWorld();
    const socket = join(world.directory, "dhcp.sock");
    const serverFile = join(import.meta.dir, "../support/dhcp-server.ts");
    const serverWords = [process.execPath, serverFile, wire.outside.v4, "192.0.2.255"];
    const daemonWords = [`${reference(release)}/dhcp`, "daemon", "-broadcast", "-socketpath", socket];
    await using server = new Running(world.outside, serverWords);
    await using _ = new Running(world.host, daemonWords);
    await until(() => server.output.includes("ready") && existsSync(socket), "server and daemon");
    const [first, second] = [await world.container(), await world.container()];
    const before = await stateOf(world);
    const ipam = { type: "dhcp", external: true, daemonSocketPath: socket };
    const net = network(world, { cniVersion: "1.0.0", ipam });
    const call = { path: reference(release), timeoutMs: 50_000 };
    const results = [await net.add(first, call), await net.add(second, call)];
    expect(results.map((result) => result.ips)).toEqual([
      [{ address: "192.0.2.100/24", gateway: wire.outside.v4, interface: 0 }],
      [{ address: "192.0.2.101/24", gateway: wire.outside.v4, interface: 0 }],
    ]);
    await expectResultIsTrue(results[0]!, first);
    expect(await first.reaches("192.0.2.101")).toBe(true);
    await net.check(second, results[1]!, call);
    for (const container of [first, second]) await net.del(container, call);
    // Release 1.9.1 sends its RELEASE from 0.0.0.0, which no UDP socket gets to see.
    const released = release === "1.1.1" ? [first, second].map(({ name }) => `RELEASE ${name}/net/eth0`) : [];
    for (const line of released) await server.says(line);
    expect(await stateOf(world)).toEqual(before);
  },
);

test("a DHCP plugin without its daemon fails ADD, and nothing is left", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const ipam = { type: "dhcp", external: true, daemonSocketPath: `${world.directory}/absent.sock` };
  const net = network(world, { cniVersion: "1.0.0", ipam });
  const before = await stateOf(world);
  const error = errorOf(await net.run("ADD", container));
  expect(error.msg).toContain("absent.sock");
  expect(await stateOf(world)).toEqual(before);
});
