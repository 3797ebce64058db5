/** Addresses from real DHCP servers, by our own client: what ADD, CHECK, STATUS, DEL and GC promise. */

import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { daemon, dhcpd, dhcpNetwork, dnsmasq, kea, leasesIn, pool } from "../support/dhcp.ts";
import { expectResultIsTrue } from "../support/kernel-state.ts";
import type { Namespace } from "../support/namespace.ts";
import { errorOf, fixed, type Network, network, stateOf } from "../support/network.ts";
import { Running, until } from "../support/running.ts";
import { hostWorld, type World, wire } from "../support/world.ts";

/**
 * The whole of namespaces and records; not what client and daemon keep for themselves (locks, the socket), nor the carrier
 * of the world's own wires, which takes a moment.
 */
async function stateBesidesDaemon(world: World) {
  const { files, ...state } = await stateOf(world);
  const records = Object.keys(files).filter((path) => /^records\/(.*,.*|dhcp\/.*\.lease)$/.test(path));
  const settled = JSON.stringify(state, (_, item) =>
    Array.isArray(item) ? item.filter((flag) => flag !== "NO-CARRIER") : item,
  );
  return { ...JSON.parse(settled), records };
}

async function containers(world: World, count: number): Promise<Namespace[]> {
  const made: Namespace[] = [];
  for (let index = 0; index < count; index++) made.push(await world.container());
  return made;
}

function addressOf(result: { ips?: { address: string }[] }): string {
  return result.ips![0]!.address.split("/")[0]!;
}

test("dnsmasq's routes, names and MTU are the endpoint's; CHECK and STATUS agree, DEL gives the address back", async () => {
  await using world = await hostWorld();
  const net = dhcpNetwork(world, { priority: 50 });
  await using server = await dnsmasq(world, {
    more: [
      "--dhcp-option=option:dns-server,192.0.2.53,192.0.2.54",
      "--dhcp-option=option:domain-name,example.com",
      "--dhcp-option=option:domain-search,a.example.com,b.example.com",
      "--dhcp-option=option:mtu,1400",
      `--dhcp-option=121,0.0.0.0/0,${pool.router},198.51.100.0/24,192.0.2.9,203.0.113.0/24,0.0.0.0`,
    ],
  });
  await using _ = await daemon(world, net);
  const container = await world.container();
  const before = await stateBesidesDaemon(world);
  const result = await net.add(container);
  expect(result.ips).toEqual([{ address: `${pool.first}/24`, gateway: pool.router, interface: 0 }]);
  expect(result.routes).toEqual([
    { dst: "0.0.0.0/0", gw: pool.router, priority: 50 },
    { dst: "198.51.100.0/24", gw: "192.0.2.9", priority: 50 },
    { dst: "203.0.113.0/24", priority: 50, scope: 253 },
  ]);
  expect(result.dns).toEqual({
    nameservers: ["192.0.2.53", "192.0.2.54"],
    domain: "example.com",
    search: ["a.example.com", "b.example.com"],
  });
  expect(result.interfaces?.[0]?.mtu).toBe(1400);
  await expectResultIsTrue(result, container);
  const [link] =
    await container.json<{ addr_info: { family: string; valid_life_time: number }[] }[]>(
      "address show dev eth0",
    );
  const lifetime = link!.addr_info.find(({ family }) => family === "inet")!.valid_life_time;
  expect(lifetime).toBeGreaterThan(3500);
  expect(lifetime).toBeLessThanOrEqual(3600);
  expect(await container.reaches(wire.outside.v4)).toBe(true);
  await net.check(container, result);
  await net.status();
  await net.del(container);
  await server.says(`DHCPRELEASE(eth0) ${pool.first}`);
  expect(await stateBesidesDaemon(world)).toEqual(before);
});

test("50 endpoints on one master each get an address of their own, and reach each other and outside", async () => {
  await using world = await hostWorld();
  const net = dhcpNetwork(world, { conflictMs: 0 });
  await using server = await dnsmasq(world);
  await using keeper = await daemon(world, net);
  const all = await containers(world, 50);
  const addresses: string[] = [];
  for (let from = 0; from < all.length; from += 10)
    addresses.push(
      ...(await Promise.all(all.slice(from, from + 10).map(async (each) => addressOf(await net.add(each))))),
    );
  expect(new Set(addresses).size).toBe(50);
  expect(leasesIn(net)).toHaveLength(50);
  for (const index of [0, 24, 49]) {
    expect(await all[index]!.reaches(wire.outside.v4)).toBe(true);
    expect(await all[index]!.reaches(addresses[(index + 17) % 50]!)).toBe(true);
    expect(await world.outside.reaches(addresses[index]!)).toBe(true);
  }
  const kept = [0, 1, 2].map((index) => ({ containerID: all[index]!.name, ifname: "eth0" }));
  await net.gc(kept);
  expect(leasesIn(net)).toHaveLength(3);
  // Nobody confirms a release, and of such a burst a server's queue may lose some.
  await until(() => (server.output.match(/DHCPRELEASE\(/g)?.length ?? 0) >= 24, "most of 47 releases");
  expect(keeper.hasEnded).toBe(false);
}, 180_000);

test.each([
  ["kea", kea],
  ["ISC dhcpd", dhcpd],
] as const)("%s gives siblings addresses of their own, and takes them back", async (_, start) => {
  await using world = await hostWorld();
  const net = dhcpNetwork(world, { conflictMs: 100 });
  await using server = await start(world);
  await using _keeper = await daemon(world, net);
  const [first, second] = (await containers(world, 2)) as [Namespace, Namespace];
  const results = [await net.add(first), await net.add(second)];
  expect(addressOf(results[0]!)).not.toBe(addressOf(results[1]!));
  expect(await first.reaches(addressOf(results[1]!))).toBe(true);
  expect(await second.reaches(wire.outside.v4)).toBe(true);
  // A release goes over a link that somebody has taken down, too.
  await second.ip("link set eth0 down");
  for (const container of [first, second]) await net.del(container);
  await server.says(new RegExp(`RELEASE.*${addressOf(results[1]!)}`, "s"));
});

test("what the configuration provides and requests is what the server sees and the container gets", async () => {
  await using world = await hostWorld();
  const net = dhcpNetwork(world, {
    conflictMs: 0,
    provide: [
      { option: "dhcp-client-identifier", value: "fallback", fromArg: "K8S_POD_NAME" },
      { option: "host-name", value: "named" },
    ],
    request: [{ skipDefault: true }, { option: "6" }],
  });
  await using _server = await dnsmasq(world, {
    more: [
      "--dhcp-option=option:dns-server,192.0.2.53",
      // Only who says so by its identifier gets this address.
      "--dhcp-host=id:web-0,192.0.2.77",
    ],
  });
  await using _keeper = await daemon(world, net);
  const container = await world.container();
  const result = await net.add(container, { args: "IgnoreUnknown=1;K8S_POD_NAME=web-0" });
  expect(result.ips).toEqual([{ address: "192.0.2.77/24", interface: 0 }]);
  expect(result.routes).toBeUndefined();
  expect(result.dns).toEqual({ nameservers: ["192.0.2.53"] });
});

test("an address that somebody uses is declined, and another one is taken", async () => {
  await using world = await hostWorld();
  const net = dhcpNetwork(world);
  await using server = await dnsmasq(world);
  await using _ = await daemon(world, net);
  await world.outside.ip(`address add ${pool.first}/32 dev eth0`);
  const container = await world.container();
  const result = await net.add(container);
  expect(addressOf(result)).not.toBe(pool.first);
  expect(server.output).toContain(`DHCPDECLINE(eth0) ${pool.first}`);
  expect(await container.reaches(pool.first)).toBe(true);
});

/** An ADD that has to fail within seconds, and to leave the world as it was. */
async function expectRefusal(world: World, net: Network, text: string, details = ""): Promise<void> {
  const container = await world.container();
  const before = await stateBesidesDaemon(world);
  const error = errorOf(await net.run("ADD", container));
  expect(error.msg).toContain(text);
  expect(error.details ?? "").toContain(details);
  expect(await stateBesidesDaemon(world)).toEqual(before);
}

test("an ADD that cannot get a lease says why and leaves nothing", async () => {
  await using world = await hostWorld();
  const net = dhcpNetwork(world, { timeoutSeconds: 2, conflictMs: 100 });
  await expectRefusal(world, net, "the DHCP daemon does not answer at");
  expect(errorOf(await net.run("STATUS")).code).toBe(50);
  await using _keeper = await daemon(world, net);
  await expectRefusal(world, net, "no DHCP server gave a lease within 2 s", "no server answered");
  await expectRefusal(world, net.with({ mode: "l3" }), "DHCP does not work in mode l3");
  await expectRefusal(
    world,
    dhcpNetwork(world, { request: [{ option: "nonsense" }] }),
    'invalid ipam.request[0].option "nonsense"',
  );
  await using _server = await dnsmasq(world, { last: pool.first });
  const first = await world.container();
  await net.add(first);
  await expectRefusal(world, net, "no DHCP server gave a lease within 2 s");
  await net.del(first);
  await net.add(await world.container());
});

test("an ADD that fails after it got its lease gives that back", async () => {
  await using world = await hostWorld();
  const net = dhcpNetwork(world, { conflictMs: 0 });
  await using server = await dnsmasq(world);
  await using _ = await daemon(world, net);
  // The kernel gives no address twice to the links of one master.
  await net.with({ ipam: fixed([`${pool.first}/24`]) }).add(await world.container());
  await expectRefusal(world, net, `address ${pool.first} is in use by another ipvlan link`);
  await server.says(`DHCPRELEASE(eth0) ${pool.first}`);
});

test("DEL and GC work with server and daemon gone, and with the namespace gone", async () => {
  await using world = await hostWorld();
  const net = dhcpNetwork(world, { conflictMs: 0 });
  const server = await dnsmasq(world);
  const keeper = await daemon(world, net);
  const [first, second, third] = (await containers(world, 3)) as [Namespace, Namespace, Namespace];
  for (const container of [first, second, third]) await net.add(container);
  await Promise.all([server.kill(), keeper.kill()]);
  await net.del(first);
  await second.ip("link delete eth0");
  await net.del(second);
  await net.del(second);
  expect(leasesIn(net)).toHaveLength(1);
  await net.gc([]);
  expect(leasesIn(net)).toHaveLength(0);
  expect(await third.linkNames()).toEqual([]);
});

test("a lease of another boot is no lease, and the daemon removes it", async () => {
  await using world = await hostWorld();
  const net = dhcpNetwork(world, { conflictMs: 0 });
  await using server = await dnsmasq(world);
  const first = await daemon(world, net);
  const container = await world.container();
  const result = await net.add(container);
  await first.kill();
  const file = join(net.records, "dhcp", leasesIn(net)[0]!);
  await Bun.write(file, JSON.stringify({ ...(await Bun.file(file).json()), boot: "another" }));
  const refusal = errorOf(await net.with({ prevResult: result }).run("CHECK", container));
  expect(refusal.msg).toContain("no DHCP lease of this attachment");
  await using _ = await daemon(world, net);
  expect(leasesIn(net)).toEqual([]);
  expect(server.output).not.toContain("DHCPRELEASE");
});

test("the external dhcp plugin is executed on request", async () => {
  await using world = await hostWorld();
  const net = network(world, { ipam: { type: "dhcp", external: true } });
  const answer = await net.run("ADD", await world.container(), { path: "/nowhere" });
  expect(errorOf(answer).msg).toContain('failed to find plugin "dhcp"');
});

test("the daemon killed at any moment: ADD succeeds with a lease that is kept, or fails and leaves none", async () => {
  await using world = await hostWorld();
  const net = dhcpNetwork(world, { conflictMs: 100, timeoutSeconds: 5 });
  await using _server = await dnsmasq(world);
  for (const afterMs of [0, 100, 200, 300, 400]) {
    const keeper = await daemon(world, net);
    const container = await world.container();
    const running = net.run("ADD", container);
    await Bun.sleep(afterMs);
    await keeper.kill();
    const { exitCode, stdout } = await running;
    await using next = await daemon(world, net);
    expect(next.output).toContain(`keeps ${exitCode === 0 ? 1 : 0} leases`);
    expect(await container.linkNames()).toEqual(exitCode === 0 ? ["eth0"] : []);
    if (exitCode !== 0) expect(stdout).toContain("daemon");
    await net.del(container);
    expect(leasesIn(net)).toEqual([]);
  }
});

test("a second daemon for the same leases is refused", async () => {
  await using world = await hostWorld();
  const net = dhcpNetwork(world);
  await using _ = await daemon(world, net);
  await using second = new Running(
    world.host,
    [process.env.IPVLAN_BINARY!, "dhcp-daemon", "--socket", join(world.directory, "other.sock")],
    { IPVLAN_RUN_DIR: net.records },
  );
  await second.says("another daemon keeps the leases");
  expect(readdirSync(world.directory)).not.toContain("other.sock");
});
