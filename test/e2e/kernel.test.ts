/** The ground under all other end-to-end tests: the real driver, and the worlds that tests run in. */

import { expect, test } from "bun:test";
import { snapshot } from "../support/snapshot.ts";
import { hostWorld, master, routed, wire } from "../support/world.ts";

const onWire = [
  { v4: "192.0.2.11", v6: "2001:db8:1::11" },
  { v4: "192.0.2.12", v6: "2001:db8:1::12" },
] as const;
const behindHost = [
  { v4: "198.51.100.11", v6: "2001:db8:2::11" },
  { v4: "198.51.100.12", v6: "2001:db8:2::12" },
] as const;

test.each([
  { mode: "l2", addresses: onWire, v4Length: 24, v6Length: 64 },
  { mode: "l3", addresses: behindHost, v4Length: 32, v6Length: 128 },
  { mode: "l3s", addresses: behindHost, v4Length: 32, v6Length: 128 },
])(
  "$mode: two containers and the outside reach each other",
  async ({ mode, addresses, v4Length, v6Length }) => {
    await using world = await hostWorld();
    const [first, second] = [await world.container(), await world.container()];
    const pair = [
      { container: first, ...addresses[0] },
      { container: second, ...addresses[1] },
    ];
    for (const { container, v4, v6 } of pair) {
      // The name is settled inside: on older kernels a name that the host uses is refused here.
      await world.host.ip(`link add link ${master} name temporary0 type ipvlan mode ${mode}
      link set temporary0 netns ${container.name} name eth0`);
      await container.ip(`address add ${v4}/${v4Length} dev eth0
      address add ${v6}/${v6Length} dev eth0 nodad
      link set eth0 up
      route add default dev eth0
      route add ::/0 dev eth0`);
    }
    for (const [container, there] of [
      [first, addresses[1]],
      [second, addresses[0]],
    ] as const) {
      expect(await container.json("link show eth0")).toMatchObject([
        { linkinfo: { info_kind: "ipvlan", info_data: { mode } } },
      ]);
      expect(await container.reaches(there.v4)).toBe(true);
      expect(await container.reaches(there.v6)).toBe(true);
      expect(await container.reaches(wire.outside.v4)).toBe(true);
      expect(await container.reaches(wire.outside.v6)).toBe(true);
    }
    expect(await world.outside.reaches(addresses[0].v4)).toBe(true);
    expect(await world.outside.reaches(addresses[1].v6)).toBe(true);
  },
);

test("a snapshot is the same again once a link is gone", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const before = await snapshot(world);
  await world.host.ip(`link add link ${master} name temporary0 netns ${container.name} type ipvlan mode l2`);
  await container.ip("address add 192.0.2.11/24 dev temporary0\nlink set temporary0 up");
  expect(await container.reaches(wire.host.v4, 0)).toBe(false);
  expect(await container.reaches(wire.outside.v4)).toBe(true);
  expect(await snapshot(world)).not.toEqual(before);
  await container.ip("link delete temporary0");
  expect(await snapshot(world)).toEqual(before);
});

test("a snapshot sees a file that was left", async () => {
  await using world = await hostWorld();
  const before = await snapshot(world);
  await Bun.write(`${world.leases}/network/192.0.2.11`, "container-1");
  const after = await snapshot(world);
  expect(after).not.toEqual(before);
  expect(after.files).toEqual({
    "leases/": "",
    "leases/network/": "",
    "leases/network/192.0.2.11": "container-1",
  });
});

test("the routed networks are known outside", async () => {
  await using world = await hostWorld();
  expect(await world.outside.json(`route show ${routed.v4}`)).toMatchObject([{ gateway: wire.host.v4 }]);
  expect(await world.outside.json(`-6 route show ${routed.v6}`)).toMatchObject([{ gateway: wire.host.v6 }]);
});
