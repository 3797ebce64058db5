/** Many calls at once, on one master and one store of leases. */

import { expect, test } from "bun:test";
import { expectResultIsTrue } from "../support/kernel-state.ts";
import { type CniResult, leased, leasesOf, network, stateOf, succeeded } from "../support/network.ts";
import { hostWorld } from "../support/world.ts";

test("ten ADDs at once give ten endpoints with ten addresses, and ten DELs at once remove them", async () => {
  await using world = await hostWorld();
  const containers = await Promise.all(Array.from({ length: 10 }, () => world.container({ dad: false })));
  const net = network(world, { ipam: leased(world, "192.0.2.0/24", { routes: [{ dst: "0.0.0.0/0" }] }) });
  const before = await stateOf(world);
  const answers = await Promise.all(containers.map((container) => net.run("ADD", container)));
  answers.forEach(succeeded);
  const addresses = answers.map(({ json }) => (json as CniResult).ips?.[0]?.address);
  expect(new Set(addresses).size).toBe(10);
  for (const [index, container] of containers.entries())
    await expectResultIsTrue(answers[index]?.json as CniResult, container);
  expect(Object.values(leasesOf(await stateOf(world))).sort()).toEqual(
    containers.map(({ name }) => name).sort(),
  );
  expect(await containers[0]?.reaches(String(addresses[9]).replace("/24", ""))).toBe(true);
  await Promise.all(containers.map((container) => net.del(container)));
  expect(await stateOf(world)).toEqual(before);
});

test("several interfaces of one container come and go at once", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { ipam: leased(world, "192.0.2.0/24") });
  const before = await stateOf(world);
  const names = ["eth0", "net1", "net2", "net3"];
  await Promise.all(names.map((ifName) => net.add(container, { ifName })));
  expect((await container.linkNames()).sort()).toEqual(names);
  await Promise.all(names.map((ifName) => net.del(container, { ifName })));
  expect(await stateOf(world)).toEqual(before);
});
