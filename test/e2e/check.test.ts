/** CHECK: passes right after ADD and after whatever later plugins add; names what anybody else has changed. */

import { expect, test } from "bun:test";
import type { Namespace } from "../support/namespace.ts";
import { type CniResult, fixed, leased, type Network, network, stateOf } from "../support/network.ts";
import { plugin, reference } from "../support/plugin.ts";
import { hostWorld, type World, wire } from "../support/world.ts";

const routes = [
  { dst: "0.0.0.0/0" },
  { dst: "198.51.100.0/24", gw: "192.0.2.3", priority: 42 },
  { dst: "::/0" },
];
const addresses = [`192.0.2.11/24 ${wire.outside.v4}`, `2001:db8:1::11/64 ${wire.outside.v6}`];

interface Drift {
  of: string;
  /** `ip` commands in the container. */
  inside?: string;
  /** `ip` commands in the host. */
  host?: string;
  /** Anything else. */
  else?: (ground: { world: World; net: Network }) => Promise<void>;
  says: string[];
}

const drifts: Drift[] = [
  {
    of: "the address is gone",
    inside: "address delete 192.0.2.11/24 dev eth0",
    says: ['"eth0"', "192.0.2.11/24"],
  },
  {
    of: "the IPv6 address is gone",
    inside: "address delete 2001:db8:1::11/64 dev eth0",
    says: ["2001:db8:1::11/64"],
  },
  {
    of: "the address has another prefix length",
    inside: "address delete 192.0.2.11/24 dev eth0\naddress add 192.0.2.11/25 dev eth0",
    says: ["192.0.2.11/24"],
  },
  {
    of: "the default route is gone",
    inside: "route delete 0.0.0.0/0",
    says: ['"eth0"', "0.0.0.0/0"],
  },
  { of: "the IPv6 default route is gone", inside: "route delete ::/0", says: ["::/0"] },
  { of: "a route leads elsewhere", inside: "route replace 0.0.0.0/0 via 192.0.2.77", says: ["0.0.0.0/0"] },
  {
    of: "a route has another metric",
    inside: "route delete 198.51.100.0/24\nroute add 198.51.100.0/24 via 192.0.2.3 metric 43",
    says: ["198.51.100.0/24", "192.0.2.3"],
  },
  { of: "the link is down", inside: "link set eth0 down", says: ['"eth0"', "down"] },
  { of: "the link has another MTU", inside: "link set eth0 mtu 1400", says: ['"eth0"', "1400", "1500"] },
  {
    of: "the link has another MAC address",
    host: "link set eth0 address 02:00:00:00:00:77",
    says: ["02:00:00:00:00:77"],
  },
  {
    of: "another endpoint has changed the mode of the master",
    host: "link add link eth0 name other0 type ipvlan mode l3",
    says: ['"eth0"', "l3", "l2"],
  },
  { of: "the link is gone", inside: "link delete eth0", says: ['"eth0"'] },
  {
    of: "the link has another name",
    inside: "link set eth0 down\nlink set eth0 name eth9",
    says: ['"eth0"'],
  },
  {
    of: "another kind of link has its name",
    inside: "link delete eth0\nlink add eth0 type dummy",
    says: ["dummy", "ipvlan"],
  },
  {
    of: "the link is on another master",
    inside: "link delete eth0",
    else: async ({ world }) => {
      const [container] = world.containers as [Namespace];
      await world.host.ip(`link add base0 type dummy
        link set base0 mtu 1500 up
        link add link base0 name temporary0 netns ${container.name} type ipvlan mode l2`);
      await container.ip("link set temporary0 name eth0 up");
    },
    says: ['"eth0"', "not on master"],
  },
];

test("CHECK passes right after ADD, and each drift fails it with a message that names it", async () => {
  const broken: string[] = [];
  for (const drift of drifts) {
    await using world = await hostWorld();
    const container = await world.container({ dad: false });
    const net = network(world, { ipam: fixed(addresses, routes) });
    const result = await net.add(container);
    await net.check(container, result);
    if (drift.inside) await container.ip(drift.inside);
    if (drift.host) await world.host.ip(drift.host);
    await drift.else?.({ world, net });
    const before = await stateOf(world);
    const { code, msg } = await net.with({ prevResult: result }).refusal("CHECK", container);
    if (code !== 106 || !drift.says.every((text) => msg.includes(text)))
      broken.push(`${drift.of}: ${code} ${msg}`);
    expect(await stateOf(world)).toEqual(before);
  }
  expect(broken).toEqual([]);
});

test("CHECK fails when the lease is gone, and when the configuration asks for something else than is there", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { ipam: leased(world, "192.0.2.0/24") });
  const prevResult = await net.add(container);
  const checked = net.with({ prevResult });
  for (const [config, text] of [
    [{ mode: "l3" }, "l3"],
    [{ mtu: 1400 }, "1400"],
    [{ prevResult: { ...prevResult, interfaces: [] } }, "eth0"],
  ] as const) {
    const error = await checked.with(config).refusal("CHECK", container);
    expect(error.code).toBe(106);
    expect(error.msg).toContain(text);
  }
  expect(await net.refusal("CHECK", container)).toMatchObject({
    code: 7,
    msg: "Required prevResult missing",
  });
  expect((await checked.with({ mode: "l9" }).refusal("CHECK", container)).code).toBe(7);
  await net.check(container, prevResult);
  await world.host.run(["sh", "-c", `rm ${world.leases}/net/192.0.2.*`]);
  expect((await checked.refusal("CHECK", container)).msg).toMatch(/address/i);
});

test("CHECK does not mind a default route that has gone, nor a master that has another name", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { master: undefined, ipam: fixed(["192.0.2.11/24"]) });
  const result = await net.add(container);
  await world.host.ip(
    `route delete default via ${wire.outside.v4}\nroute delete default via ${wire.outside.v6}`,
  );
  await net.check(container, result);
});

test("CHECK passes after a later plugin has added interfaces, addresses and routes", async () => {
  await using world = await hostWorld();
  const container = await world.container({ dad: false });
  const net = network(world, { ipam: fixed(addresses, routes) });
  const result = await net.add(container);
  await container.ip(`link add extra0 type dummy
    link set extra0 up
    address add 203.0.113.5/24 dev extra0
    address add 192.0.2.99/24 dev eth0
    route add 203.0.114.0/24 via 203.0.113.1
    route add 203.0.115.0/24 dev eth0`);
  const later: CniResult = {
    ...result,
    interfaces: [
      { name: "host-end" },
      ...(result.interfaces ?? []),
      { name: "extra0", sandbox: container.path },
    ],
    ips: [
      { address: "203.0.113.5/24", interface: 2, gateway: "203.0.113.1" },
      ...(result.ips ?? []).map((ip) => ({ ...ip, interface: 1 })),
      { address: "192.0.2.99/24", interface: 1 },
    ],
    routes: [...(result.routes ?? []), { dst: "203.0.114.0/24", gw: "203.0.113.1" }],
  };
  await net.check(container, later);
});

test("CHECK passes after the real tuning and sbr plugins have followed in the chain", async () => {
  await using world = await hostWorld();
  const container = await world.container({ dad: false });
  const cniVersion = "1.0.0";
  const net = network(world, { cniVersion, ipam: fixed(addresses, routes) });
  let prevResult = await net.add(container);
  for (const type of ["tuning", "sbr"]) {
    const config = { cniVersion, name: "net", type, sysctl: {}, prevResult };
    const program = `${reference("1.9.1")}/${type}`;
    const answer = await plugin(world.host, "ADD", config, {
      netns: container,
      program,
      containerId: container.name,
    });
    expect([type, answer.exitCode, answer.stdout]).toEqual([type, 0, expect.any(String)]);
    prevResult = answer.json as CniResult;
  }
  expect(await container.json("route show table main default")).toEqual([]);
  await net.check(container, prevResult);
});
