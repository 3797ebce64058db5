/** hostAccess: host and containers reach each other, which the driver alone never lets them. */

import { expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fail, fakeIpam, print } from "../support/fake-ipam.ts";
import {
  type CniResult,
  fixed,
  leased,
  leasesOf,
  type Network,
  network,
  stateOf,
} from "../support/network.ts";
import { hostWorld, master, routed, type World, wire } from "../support/world.ts";

function hostLinks(names: string[]): string[] {
  return names.filter((name) => name.startsWith("ivh"));
}

async function hostAddressesOf(world: World): Promise<string[]> {
  const links =
    await world.host.json<{ ifname: string; addr_info: { local: string; scope: string }[] }[]>("addr");
  return links
    .filter(({ ifname }) => ifname.startsWith("ivh"))
    .flatMap(({ addr_info }) =>
      addr_info.filter(({ scope }) => scope === "global").map(({ local }) => local),
    );
}

function answer(address: string): object {
  return { cniVersion: "1.1.0", ips: [{ address }] };
}

function both(world: World, v4: string, v6: string): object {
  return { type: "host-local", dataDir: world.leases, ranges: [[{ subnet: v4 }], [{ subnet: v6 }]] };
}

for (const mode of ["l2", "l3", "l3s"]) {
  test(`in mode ${mode}: both ways, IPv4 and IPv6, and the host's address on the master too`, async () => {
    await using world = await hostWorld();
    const [one, two] = [await world.container(), await world.container()];
    const before = await stateOf(world);
    const subnets = mode === "l2" ? ["203.0.113.0/24", "2001:db8:5::/64"] : [routed.v4, routed.v6];
    const net = network(world, {
      mode,
      ipam: both(world, subnets[0]!, subnets[1]!),
      hostAccess: true,
      dad: "off",
    });
    const first = await net.add(one);
    const second = await net.add(two);
    const host = await hostAddressesOf(world);
    expect(host).toHaveLength(2);
    expect(hostLinks(await world.host.linkNames())).toHaveLength(1);
    for (const [container, result] of [
      [one, first],
      [two, second],
    ] as const) {
      for (const address of host)
        expect([address, await container.reaches(address)]).toEqual([address, true]);
      for (const { address } of result.ips!) {
        const bare = address.split("/")[0]!;
        expect([bare, await world.host.reaches(bare)]).toEqual([bare, true]);
      }
      await net.check(container, result);
    }
    await net.del(one);
    const routes = await Promise.all(
      ["-4 route", "-6 route"].map((each) => world.host.json<{ dst: string }[]>(each)),
    );
    const bare = ({ ips }: CniResult) => ips!.map(({ address }) => address.split("/")[0]!);
    const ways = routes.flat().map(({ dst }) => dst);
    expect(ways).toEqual(expect.arrayContaining(bare(second)));
    for (const address of bare(first)) expect(ways).not.toContain(address);
    expect(await two.reaches(host[0]!)).toBe(true);
    expect(hostLinks(await world.host.linkNames())).toHaveLength(1);
    await net.del(two);
    expect(await stateOf(world)).toEqual(before);
  });
}

test("the host's address on the master is reachable from a container on the master's own prefix", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const ipam = { type: "static", addresses: [{ address: "192.0.2.11/24" }] };
  await network(world, { ipam, hostAccess: ["192.0.2.250"] }).add(container);
  expect(await container.reaches("192.0.2.250")).toBe(true);
  expect(await container.reaches(wire.host.v4)).toBe(true);
  expect(await world.host.reaches("192.0.2.11")).toBe(true);
});

test("given addresses are taken and no lease; without them the IPAM must have one to give", async () => {
  await using world = await hostWorld();
  const [one, two] = [await world.container(), await world.container()];
  const net = network(world, { ipam: leased(world, "203.0.113.0/24"), hostAccess: ["203.0.113.200"] });
  await net.add(one);
  expect(await hostAddressesOf(world)).toEqual(["203.0.113.200"]);
  expect(leasesOf(await stateOf(world))).toEqual({ "203.0.113.2": one.name });
  const before = await stateOf(world);
  const ipam = { type: "static", addresses: [{ address: "203.0.113.77/24" }] };
  const other = network(world, { name: "other", ipam, hostAccess: true });
  expect(await other.refusal("ADD", two)).toMatchObject({
    code: 7,
    msg: "hostAccess has no address for the host: this ipam cannot give one",
    details: 'name it: "hostAccess": ["192.0.2.1"]',
  });
  expect(await stateOf(world)).toEqual(before);
});

test("isolation is respected: with private or vepa, and with a master in the container, it is refused", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { ipam: leased(world, "203.0.113.0/24"), hostAccess: true });
  const before = await stateOf(world);
  for (const config of [{ flag: "private" }, { flag: "vepa" }, { linkInContainer: true }]) {
    const { code, msg } = await net.with(config).refusal("ADD", container);
    expect(code).toBe(7);
    expect(msg).toContain("hostAccess needs");
  }
  expect(await stateOf(world)).toEqual(before);
});

test("a missing link, address or route of the host is repaired by the next ADD", async () => {
  await using world = await hostWorld();
  const [one, two, three] = [await world.container(), await world.container(), await world.container()];
  const net = network(world, { ipam: leased(world, "203.0.113.0/24"), hostAccess: true });
  await net.add(one);
  const [link] = hostLinks(await world.host.linkNames());
  const [address] = await hostAddressesOf(world);
  await world.host.ip(`address delete ${address}/32 dev ${link}`);
  await net.add(two);
  expect(await two.reaches(address!)).toBe(true);
  await world.host.ip(`link delete ${link}`);
  await net.add(three);
  expect(await three.reaches(address!)).toBe(true);
  expect(await hostAddressesOf(world)).toEqual([address!]);
});

test("two networks on one master have a host endpoint each; DEL in any order leaves nothing", async () => {
  for (const order of [
    [0, 1, 2, 3],
    [3, 2, 1, 0],
    [0, 2, 1, 3],
    [2, 3, 0, 1],
  ]) {
    await using world = await hostWorld();
    const containers = await Promise.all(Array.from({ length: 4 }, () => world.container()));
    const before = await stateOf(world);
    const a = network(world, { name: "a", ipam: leased(world, "203.0.113.0/24"), hostAccess: true });
    const b = network(world, { name: "b", ipam: leased(world, "203.0.114.0/24"), hostAccess: true });
    const netOf = (index: number): Network => (index % 2 === 0 ? a : b);
    for (const [index, container] of containers.entries()) await netOf(index).add(container);
    expect(hostLinks(await world.host.linkNames())).toHaveLength(2);
    for (const index of order) await netOf(index).del(containers[index]!);
    expect(await stateOf(world)).toEqual(before);
  }
});

test("a failed ADD leaves nothing of it, and not what others need", async () => {
  await using world = await hostWorld();
  const [one, two] = [await world.container(), await world.container()];
  const before = await stateOf(world);
  const routes = [
    { dst: "198.51.100.0/24", gw: "2001:db8::1" },
    { dst: "2001:db8:9::/64", gw: "192.0.2.9" },
  ];
  const net = network(world, { ipam: leased(world, "203.0.113.0/24"), hostAccess: true });
  const broken = network(world, { ipam: leased(world, "203.0.113.0/24", { routes }), hostAccess: true });
  await broken.refusal("ADD", one);
  expect(await stateOf(world)).toEqual(before);
  await net.add(two);
  const beside = await stateOf(world);
  await broken.refusal("ADD", one);
  expect(await stateOf(world)).toEqual(beside);
});

test("what stands in the way of the host's endpoint is named: an interface of its name, an address in use", async () => {
  await using world = await hostWorld();
  const [one, two] = [await world.container(), await world.container()];
  const net = network(world, { ipam: leased(world, "203.0.113.0/24"), hostAccess: true });
  await net.add(one);
  const [name] = hostLinks(await world.host.linkNames());
  await net.del(one);
  await world.host.ip(`link add ${name} type dummy`);
  const beside = await stateOf(world);
  expect(await net.refusal("ADD", one)).toMatchObject({
    code: 102,
    msg: `the host has an interface "${name}" that is no ipvlan link`,
    details: "remove or rename it",
  });
  expect(await stateOf(world)).toEqual(beside);
  await world.host.ip(`link delete ${name}`);

  await network(world, { name: "other", ipam: fixed(["203.0.113.11/24"]) }).add(two);
  const before = await stateOf(world);
  const { code, msg, details } = await net.with({ hostAccess: ["203.0.113.11"] }).refusal("ADD", one);
  expect([code, msg]).toEqual([102, `the host's endpoint "${name}" cannot be set up`]);
  expect(details).toStartWith(`rtnetlink ${name}: Address already in use`);
  expect(details).toEndWith('see whether the address of "hostAccess" is in use on this master');
  expect(await stateOf(world)).toEqual(before);
});

test("an IPAM that does not take the host's address back is reported, and asked again by the next DEL", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const refuses = join(world.directory, "refuses");
  using ipam = fakeIpam(world, {
    ADD: `[ $CNI_CONTAINERID = ipvlan-host ] && { ${print(answer("203.0.113.1/24"))}; exit; }
      ${print(answer("203.0.113.11/24"))}`,
    DEL: `[ $CNI_CONTAINERID = ipvlan-host ] && [ -e ${refuses} ] && { ${fail({ code: 120, msg: "not now" })}; }; true`,
  });
  const before = await stateOf(world);
  const net = network(world, { ipam: { type: ipam.type }, hostAccess: true });
  const call = { path: ipam.path };
  await net.add(container, call);
  writeFileSync(refuses, "");
  expect(await net.refusal("DEL", container, call)).toMatchObject({ code: 120, msg: "not now" });
  expect(hostLinks(await world.host.linkNames())).toEqual([]);
  rmSync(refuses);
  ipam.calls();
  await net.del(container, call);
  expect(ipam.calls()).toEqual(["DEL", "DEL"]);
  expect(await stateOf(world)).toEqual(before);
});

test("GC keeps the host's lease while a container is valid, and removes all when none is", async () => {
  await using world = await hostWorld();
  const [one, two] = [await world.container(), await world.container()];
  const before = await stateOf(world);
  const net = network(world, { ipam: leased(world, "203.0.113.0/24"), hostAccess: true });
  await net.add(one);
  await net.add(two);
  const [address] = await hostAddressesOf(world);
  await two.ip("link delete dev eth0");
  await net.gc([{ containerID: one.name, ifname: "eth0" }]);
  expect(Object.keys(leasesOf(await stateOf(world))).sort()).toEqual(["203.0.113.2", address!].sort());
  expect(await one.reaches(address!)).toBe(true);
  await net.gc([]);
  expect(await stateOf(world)).toEqual(before);
});

test("ADDs and DELs at once share one host endpoint and leave none", async () => {
  await using world = await hostWorld();
  const containers = await Promise.all(Array.from({ length: 5 }, () => world.container()));
  const before = await stateOf(world);
  const net = network(world, { ipam: leased(world, "203.0.113.0/24"), hostAccess: true });
  await Promise.all(containers.map((container) => net.add(container)));
  expect(hostLinks(await world.host.linkNames())).toHaveLength(1);
  await Promise.all(containers.map((container) => net.del(container)));
  expect(await stateOf(world)).toEqual(before);
});

test("what is kept of it, of the VLAN and of the port is for root alone", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { ipam: leased(world, "203.0.113.0/24"), hostAccess: true, vlan: 20 });
  await net.add(container);
  const { stdout } = await world.host.run(["find", net.records, "-mindepth", "1", "-printf", "%y %m %P\\n"]);
  const kept = stdout.trim().split("\n");
  expect(kept.map((line) => line.slice(0, 5)).sort()).toEqual([
    ...["d 700", "d 700", "d 700"],
    ...["f 600", "f 600", "f 600", "f 600"],
  ]);
  for (const folder of ["hosts/", "ports/", "vlans/"]) expect(stdout).toContain(` ${folder}`);
});

test("on a VLAN the host's endpoint is on the VLAN", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const before = await stateOf(world);
  const net = network(world, { vlan: 30, ipam: leased(world, "203.0.113.0/24"), hostAccess: true });
  await net.add(container);
  const [address] = await hostAddressesOf(world);
  expect(await container.reaches(address!)).toBe(true);
  const links = await world.host.json<{ ifname: string; link?: string }[]>("link");
  expect(links.find(({ ifname }) => ifname.startsWith("ivh"))?.link).toBe(`${master}.30`);
  await net.del(container);
  expect(await stateOf(world)).toEqual(before);
});
