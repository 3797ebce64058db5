/** What the plugin offers beyond the reference, each option on the real driver. */

import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
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

test("dad off takes an IPv6 address at once, wait returns only when it is settled", async () => {
  await using world = await hostWorld();
  const flagsWith = async (dad: string, address: string) => {
    const container = await world.container();
    await network(world, { ipam: fixed([`${address}/64`]), dad }).add(container);
    const [link] = (await container.json("addr show dev eth0")) as [
      { addr_info: { local: string; tentative?: boolean; nodad?: boolean }[] },
    ];
    return link.addr_info.find(({ local }) => local === address);
  };
  expect(await flagsWith("off", "2001:db8:1::21")).toMatchObject({ nodad: true });
  const waited = await flagsWith("wait", "2001:db8:1::22");
  expect(waited?.tentative).toBeUndefined();
  expect(waited?.nodad).toBeUndefined();
});

test("dad optimistic marks the address where the kernel can, and waits where it cannot", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await network(world, { ipam: fixed(["2001:db8:1::23/64"]), dad: "optimistic" }).add(container);
  const { stdout } = await container.run(["ip", "-6", "addr", "show", "dev", "eth0", "scope", "global"]);
  if (existsSync("/proc/sys/net/ipv6/conf/default/optimistic_dad")) expect(stdout).toContain("optimistic");
  else expect(stdout).not.toContain("tentative");
});

test("an IPv6 address that somebody on the segment has is an error that names it, with dad wait", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await world.outside.ip("address add 2001:db8:1::66/64 dev eth0 nodad");
  const before = await stateOf(world);
  const net = network(world, { ipam: fixed(["2001:db8:1::66/64"]), dad: "wait" });
  const { msg } = await net.refusal("ADD", container);
  expect(msg).toContain("address 2001:db8:1::66");
  expect(msg).toContain("DADFAILED");
  expect(await stateOf(world)).toEqual(before);
});

test("with dad wait, a detection that takes for ever is an error that may pass, and leaves nothing", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  // A question a second, so many times.
  await container.run(["sh", "-c", "echo 60 >/proc/sys/net/ipv6/conf/default/dad_transmits"]);
  const before = await stateOf(world);
  const net = network(world, { ipam: fixed(["2001:db8:1::67/64"]), dad: "wait" });
  expect(await net.refusal("ADD", container)).toMatchObject({
    code: 11,
    msg: 'the IPv6 addresses of "eth0" are still tentative after 5000 ms',
    details: "try again later; see whether the master passes multicast",
  });
  expect(await stateOf(world)).toEqual(before);
});

test("a master without carrier does not cost the time that detection may take", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await world.outside.ip("link set eth0 down");
  const net = network(world, { ipam: fixed([`2001:db8:1::24/64 ${wire.outside.v6}`]), dad: "wait" });
  const result = await net.add(container);
  const [link] = (await container.json("addr show dev eth0")) as [
    { addr_info: { local: string; tentative?: boolean }[] },
  ];
  expect(result.ips?.[0]?.address).toBe("2001:db8:1::24/64");
  // Still tentative: nothing was waited for.
  expect(link.addr_info.find(({ local }) => local === "2001:db8:1::24")?.tentative).toBe(true);
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
  const { msg } = await net.refusal("ADD", container);
  expect(msg).toBe("address 2001:db8:1::77 is in use by another station on the segment");
  expect(await stateOf(world)).toEqual(before);
});

test("a master that is down is refused, unless that is allowed", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await world.host.ip(`link set ${master} down`);
  const net = network(world, { ipam: {} });
  const { code, msg } = await net.refusal("ADD", container);
  expect([code, msg]).toEqual([101, `master "${master}" is down`]);
  expect((await net.refusal("STATUS")).code).toBe(50);
  await net.with({ allowMasterDown: true }).add(container);
});

test("the master can be chosen by list, alternative name, MAC, prefix and pattern", async () => {
  await using world = await hostWorld();
  await world.wire(
    world.host,
    "wan1",
    "address add 198.18.0.1/24 dev wan1\nlink property add dev wan1 altname uplink",
  );
  await world.host.ip("link add wan2 type dummy");
  const links = (await world.host.json("link")) as { ifname: string; address: string; ifindex: number }[];
  const wanted = links.find(({ ifname }) => ifname === "wan1");
  const chosen = async (masterOption: unknown) => {
    const container = await world.container();
    const net = network(world, { master: masterOption, ipam: {} });
    await net.add(container);
    const [link] = (await container.json("link show dev eth0")) as [{ link_index: number }];
    await net.del(container);
    return link.link_index;
  };
  for (const selection of [
    ["absent0", "wan2", "wan1"],
    "uplink",
    { name: "uplink" },
    { mac: wanted?.address.toUpperCase() },
    { prefix: "198.18.0.0/16" },
    [{ match: "^nothing" }, { match: "^wan1$" }],
    { match: "^wan", prefix: "198.18.0.0/16" },
  ]) {
    expect(JSON.stringify([selection, await chosen(selection)])).toBe(
      JSON.stringify([selection, wanted?.ifindex]),
    );
  }
});

test("an ambiguous choice lists the candidates; one that nobody fits says why", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await world.host.ip(`link add wan1 up type dummy
    link add wan2 up type dummy
    link add wan3 type dummy`);
  const net = network(world, { ipam: {} });
  const ambiguous = await net.with({ master: { match: "^wan" } }).refusal("ADD", container);
  expect(ambiguous.msg).toBe('match "^wan" of "master" fits several interfaces: "wan1", "wan2"');
  const none = await net
    .with({ master: ["wan3", { mac: "02:00:00:00:00:01" }, "lo"] })
    .refusal("ADD", container);
  expect(none.msg).toBe('no interface that "master" names can serve');
  expect(none.details).toContain('name "wan3": "wan3" is down');
  expect(none.details).toContain('mac "02:00:00:00:00:01": no such interface');
  expect(none.details).toContain("loopback");
});

test("chained: the sandbox of the previous interface decides where the master is looked up", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await container.ip("link add inner0 up type dummy");
  const prevResult = {
    cniVersion: "1.1.0",
    interfaces: [{ name: "inner0", sandbox: container.path }],
    ips: [{ address: "192.0.2.31/24", interface: 0 }],
  };
  const net = network(world, { master: undefined, prevResult });
  const result = await net.add(container);
  expect(result.interfaces?.map(({ name }) => name)).toEqual(["inner0", "eth0"]);
  const shown = (await container.json("link")) as { ifname: string; link?: string }[];
  expect(shown.find(({ ifname }) => ifname === "eth0")?.link).toBe("inner0");
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
