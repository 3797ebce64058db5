/** Any order of ADD, DEL, GC and kill, with everything that endpoints share, ends in a clean host. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { leased, type Network, network, stateOf } from "../support/network.ts";
import { hostWorld } from "../support/world.ts";

/** What a runtime may do with one container on one of the networks, or have happen to it. */
const operation = fc.record({
  what: fc.constantFrom("ADD", "ADD", "ADD", "DEL", "DEL", "killed ADD", "killed DEL", "GC", "link lost"),
  container: fc.nat({ max: 2 }),
  net: fc.nat({ max: 2 }),
  /** How long a call that is to be killed may live. */
  afterMs: fc.nat({ max: 150 }),
});

/** The seeds are fixed, so that a failure can be had again; other ones are one edit away. */
const SEEDS = [1, 2, 3];
const LENGTH = 14;

for (const seed of SEEDS) {
  test(`a random sequence of ${LENGTH} operations, seed ${seed}`, async () => {
    await using world = await hostWorld();
    const containers = await Promise.all(Array.from({ length: 3 }, () => world.container()));
    const before = await stateOf(world);
    const nets: Network[] = [
      network(world, { name: "shared", ipam: leased(world, "203.0.113.0/24"), hostAccess: true }),
      network(world, { name: "tagged", ipam: leased(world, "203.0.114.0/24"), vlan: 20 }),
      network(world, { name: "both", ipam: leased(world, "203.0.115.0/24"), vlan: 20, hostAccess: true }),
    ];
    const [operations] = fc.sample(fc.array(operation, { minLength: LENGTH, maxLength: LENGTH }), {
      seed,
      numRuns: 1,
    });
    const done: string[] = [];
    for (const { what, container, net, afterMs } of operations!) {
      const inside = containers[container]!;
      const call = { ifName: `net${net}` };
      const killed = { ...call, wrapper: ["timeout", "-s", "KILL", `${afterMs / 1000}`] };
      done.push(`${what} ${container} on ${net} (${afterMs} ms)`);
      if (what === "ADD") await nets[net]!.run("ADD", inside, call);
      if (what === "DEL") await nets[net]!.del(inside, call);
      if (what === "killed ADD") await nets[net]!.run("ADD", inside, killed);
      if (what === "killed DEL") await nets[net]!.run("DEL", inside, killed);
      if (what === "link lost") await inside.run(["ip", "link", "delete", "dev", `net${net}`]);
      if (what === "GC") {
        const valid = containers.map(({ name }) => ({ containerID: name, ifname: call.ifName }));
        await nets[net]!.gc(valid.slice(container));
      }
    }
    for (const net of nets) await net.gc([]);
    try {
      expect(await stateOf(world)).toEqual(before);
    } catch (thrown) {
      throw new Error(`after ${done.join(", ")}`, { cause: thrown });
    }
  });
}
