/** What the plugin offers beyond the reference, each option on the real driver. */

import { expect, test } from "bun:test";
import { namespace, remove } from "../support/namespace.ts";
import { fixed, leased, leasesOf, network, stateOf } from "../support/network.ts";
import { hostWorld, master, wire } from "../support/world.ts";

const ADDRESS = fixed(["192.0.2.11/24 192.0.2.2"], [{ dst: "0.0.0.0/0" }, { dst: "198.51.100.0/24" }]);

interface ShownLink {
  address: string;
  txqlen: number;
}

test("metric is the priority of routes that have none; defaultRoute false leaves default routes out", async () => {
  await using world = await hostWorld();
  const [one, two] = [await world.container(), await world.container()];
  const ipam = fixed(
    ["192.0.2.11/24 192.0.2.2"],
    [{ dst: "0.0.0.0/0" }, { dst: "198.51.100.0/24", priority: 7 }],
  );
  const result = await network(world, { ipam, metric: 321 }).add(one);
  expect(result.routes).toEqual([
    { dst: "0.0.0.0/0", priority: 321 },
    { dst: "198.51.100.0/24", priority: 7 },
  ]);
  const routes = (await one.json("route")) as { dst: string; metric?: number }[];
  expect(routes).toContainEqual(expect.objectContaining({ dst: "default", metric: 321 }));
  expect(routes).toContainEqual(expect.objectContaining({ dst: "198.51.100.0/24", metric: 7 }));

  const other = network(world, {
    name: "other",
    ipam: fixed(["192.0.2.12/24 192.0.2.2"], [{ dst: "0.0.0.0/0" }, { dst: "198.51.100.0/24" }]),
    defaultRoute: false,
  });
  const without = await other.add(two);
  expect(without.routes).toEqual([{ dst: "198.51.100.0/24" }]);
  const shown = (await two.json("route")) as { dst: string }[];
  expect(shown.map(({ dst }) => dst)).not.toContain("default");
  await other.check(two, without);
});

test("defaultRoute true adds one by the address's gateway where the IPAM gives none", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const ipam = fixed([`192.0.2.11/24 ${wire.outside.v4}`, `2001:db8:1::11/64 ${wire.outside.v6}`]);
  const result = await network(world, { ipam, defaultRoute: true }).add(container);
  expect(result.routes).toEqual([{ dst: "0.0.0.0/0" }, { dst: "::/0" }]);
  expect(await container.reaches(wire.outside.v4)).toBe(true);
});

test("txQueueLen is set", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await network(world, { ipam: {}, txQueueLen: 77 }).add(container);
  const [link] = (await container.json("link show dev eth0")) as [ShownLink];
  expect(link.txqlen).toBe(77);
});

test("the kernel makes no addresses of its own out of router advertisements unless asked to", async () => {
  await using world = await hostWorld();
  const settings = async (config: object) => {
    const container = await world.container();
    await network(world, { ipam: {}, ...config }).add(container);
    const read = (name: string) => container.run(["cat", `/proc/sys/net/ipv6/conf/eth0/${name}`]);
    return (await Promise.all([read("accept_ra"), read("autoconf")])).map(({ stdout }) => stdout.trim());
  };
  expect(await settings({})).toEqual(["0", "0"]);
  expect(await settings({ acceptRA: true })).toEqual(["1", "1"]);
});

test("the link announces its addresses whenever it comes up, and keeps those of IPv6 when it goes down", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await network(world, { ipam: fixed(["192.0.2.21/24", "2001:db8:1::25/64"]) }).add(container);
  for (const setting of [
    "ipv4/conf/eth0/arp_notify",
    "ipv6/conf/eth0/ndisc_notify",
    "ipv6/conf/eth0/keep_addr_on_down",
  ])
    expect(await container.run(["cat", `/proc/sys/net/${setting}`])).toMatchObject({ stdout: "1\n" });
});

test("addresses are announced: a peer forgets who had them before", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const stale = "02:00:00:00:00:99";
  await world.outside.ip(`neigh replace 192.0.2.11 lladdr ${stale} nud stale dev eth0
    neigh replace 2001:db8:1::11 lladdr ${stale} nud stale dev eth0`);
  const quiet = network(world, { ipam: fixed(["192.0.2.11/24", "2001:db8:1::11/64"]), dad: "off" });
  const result = await quiet.with({ announce: 2 }).add(container);
  const neighbours = (await world.outside.json("neigh")) as { dst: string; lladdr?: string }[];
  for (const dst of ["192.0.2.11", "2001:db8:1::11"]) {
    const lladdr = neighbours.find((entry) => entry.dst === dst)?.lladdr;
    expect([dst, lladdr]).toEqual([dst, result.interfaces?.[0]?.mac]);
  }
});

test("a conflict probe passes over addresses that the segment has, and gives them back", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await world.outside.ip(`address add 203.0.113.2/24 dev eth0
    address add 203.0.113.3/24 dev eth0`);
  const ipam = leased(world, "203.0.113.0/24");
  const net = network(world, { ipam, conflictProbe: true });
  const result = await net.add(container);
  expect(result.ips?.map(({ address }) => address)).toEqual(["203.0.113.4/24"]);
  expect(leasesOf(await stateOf(world))).toEqual({ "203.0.113.4": container.name });
});

test("a conflict probe asks for IPv6 addresses too, and gives up on an address that is offered again", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await world.outside.ip("address add 2001:db8:1::77/64 dev eth0 nodad");
  const before = await stateOf(world);
  const net = network(world, { ipam: fixed(["2001:db8:1::77/64"]), conflictProbe: true });
  const { msg, details } = await net.refusal("ADD", container);
  expect(msg).toBe("address 2001:db8:1::77 is in use by another station on the segment");
  expect(details).toEndWith("take what is in use out of the IPAM's range, or find the station");
  expect(await stateOf(world)).toEqual(before);
});

test("an address that another network's endpoint has on this master is refused, and that network is named", async () => {
  await using world = await hostWorld();
  const [one, two] = [await world.container(), await world.container()];
  await network(world, { name: "first", ipam: ADDRESS }).add(one);
  const before = await stateOf(world);
  const { msg, details } = await network(world, { name: "second", ipam: ADDRESS }).refusal("ADD", two);
  expect(msg).toContain("address 192.0.2.11 is in use by another ipvlan link on this master");
  expect(details).toContain(`network "first", container "${one.name}"`);
  expect(await stateOf(world)).toEqual(before);
});

test("an address that no recorded endpoint has is refused without naming anybody", async () => {
  await using world = await hostWorld();
  const [one, two, three] = [await world.container(), await world.container(), await world.container()];
  const gone = await namespace("gone");
  // Recorded, but another link by now; recorded, but without its namespace.
  await network(world, { name: "first", ipam: ADDRESS }).add(one);
  await one.ip(`link delete eth0
    link add eth0 up type dummy
    address add 192.0.2.11/24 dev eth0`);
  await network(world, { name: "second", ipam: ADDRESS }).add(gone);
  await remove([gone]);
  await world.host.ip(`link add link ${master} name foreign0 netns ${two.name} type ipvlan mode l2`);
  await two.ip("address add 192.0.2.11/24 dev foreign0");
  const { msg, details } = await network(world, { name: "third", ipam: ADDRESS }).refusal("ADD", three);
  expect(msg).toContain("address 192.0.2.11 is in use by another ipvlan link on this master");
  expect(details).not.toContain("it belongs to");
  expect(details).toEndWith(
    "look for an endpoint that was not removed, or for two networks that give out the same addresses",
  );
});
