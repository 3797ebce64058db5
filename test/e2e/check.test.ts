/** CHECK: passes right after ADD and after whatever later plugins add; names what anybody else has changed. */

import { expect, test } from "bun:test";
import { type CniResult, fixed, leased, network } from "../support/network.ts";
import { plugin, reference } from "../support/plugin.ts";
import { hostWorld, master, wire } from "../support/world.ts";

const routes = [
  { dst: "0.0.0.0/0" },
  { dst: "198.51.100.0/24", gw: "192.0.2.3", priority: 42 },
  { dst: "::/0" },
  { dst: "203.0.113.0/24", gw: "203.0.113.1" },
  { dst: "203.0.112.0/24", gw: "192.0.2.3", table: 100 },
  { dst: "203.0.111.0/24", scope: 253 },
];
const addresses = [`192.0.2.11/24 ${wire.outside.v4}`, `2001:db8:1::11/64 ${wire.outside.v6}`];

interface Drift {
  of: string;
  /** `ip` commands that make it, in the host (where CONTAINER is the container's namespace), then in the container. */
  host?: string;
  inside?: string;
  /** Those that clean up what DEL may not. */
  mendInside?: string;
  mendHost?: string;
  /** What the message has in it; the message ends with a newline. */
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
  { of: "the IPv6 default route is gone", inside: "route delete ::/0", says: ["lacks the route ::/0\n"] },
  { of: "a route leads elsewhere", inside: "route replace 0.0.0.0/0 via 192.0.2.77", says: ["0.0.0.0/0"] },
  {
    of: "a route has another metric",
    inside: "route delete 198.51.100.0/24\nroute add 198.51.100.0/24 via 192.0.2.3 metric 43",
    says: ["198.51.100.0/24", "192.0.2.3"],
  },
  {
    of: "a route has another prefix length",
    inside: "route delete 198.51.100.0/24\nroute add 198.51.100.0/25 via 192.0.2.3 metric 42",
    says: ["lacks the route 198.51.100.0/24 via 192.0.2.3\n"],
  },
  {
    of: "a route is in another table",
    inside: "route delete 203.0.112.0/24 table 100\nroute add 203.0.112.0/24 via 192.0.2.3 table 101",
    mendInside: "route flush table 101",
    says: ["203.0.112.0/24 via 192.0.2.3"],
  },
  {
    of: "a route to the link itself leads through a gateway",
    inside: "route replace 203.0.111.0/24 via 192.0.2.3",
    says: ["lacks the route 203.0.111.0/24\n"],
  },
  {
    of: "a route through a gateway outside of every prefix is gone",
    inside: "route delete 203.0.113.0/24",
    says: ["203.0.113.0/24", "203.0.113.1"],
  },
  { of: "the link is down", inside: "link set eth0 down", says: ['"eth0"', "down"] },
  { of: "the link has another MTU", inside: "link set eth0 mtu 1400", says: ['"eth0"', "1400", "1500"] },
  {
    of: "the link has another MAC address",
    host: "link set eth0 address 02:00:00:00:00:77",
    says: ["02:00:00:00:00:77"],
  },
  {
    of: "the link has another mode, by another endpoint of its master",
    host: "link add link eth0 name other0 type ipvlan mode l3",
    mendHost: "link delete other0",
    says: ['"eth0"', "l3", "l2"],
  },
  { of: "the link is gone", inside: "link delete eth0", says: ['"eth0"'] },
  {
    of: "the link has another name",
    inside: "link set eth0 down\nlink set eth0 name eth9",
    mendInside: "link delete eth9",
    says: ['"eth0"'],
  },
  {
    of: "the link is of another kind",
    inside: "link delete eth0\nlink add eth0 type dummy",
    mendInside: "link delete eth0",
    says: ["dummy", "ipvlan"],
  },
  {
    of: "the link is none that a driver made on demand",
    inside: "link delete eth0\nlink set lo down\nlink set lo name eth0",
    mendInside: "link set eth0 name lo\nlink set lo up",
    says: ['"eth0" is of kind physical, not ipvlan'],
  },
  {
    of: "the link is on another master",
    host: "link add base0 type dummy\nlink set base0 up\nlink add link base0 name temporary0 netns CONTAINER type ipvlan mode l2",
    inside: "link delete eth0\nlink set temporary0 name eth0 up",
    mendHost: "link delete base0",
    says: ['"eth0"', "not on master"],
  },
];

test.each(["the addresses and routes", "the link"])(
  "CHECK passes right after ADD, and each drift of %s fails it with a message that names it",
  async (part) => {
    await using world = await hostWorld();
    const container = await world.container({ dad: false });
    const net = network(world, { ipam: fixed(addresses, routes) });
    const broken: string[] = [];
    for (const drift of drifts.filter((each) => each.of.startsWith("the link") === (part === "the link"))) {
      const result = await net.add(container);
      await net.check(container, result);
      if (drift.host) await world.host.ip(drift.host.replace("CONTAINER", container.name));
      if (drift.inside) await container.ip(drift.inside);
      const { code, msg } = await net.with({ prevResult: result }).refusal("CHECK", container);
      if (code !== 106 || !drift.says.every((text) => `${msg}\n`.includes(text)))
        broken.push(`${drift.of}: ${code} ${msg}`);
      await net.del(container);
      if (drift.mendInside) await container.ip(drift.mendInside);
      if (drift.mendHost) await world.host.ip(drift.mendHost);
    }
    expect(broken).toEqual([]);
    expect(await container.linkNames()).toEqual([]);
  },
);

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

test("CHECK does not mind a default route that has gone", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { master: undefined, ipam: fixed(["192.0.2.11/24"]) });
  const result = await net.add(container);
  await world.host.ip(
    `route delete default via ${wire.outside.v4}\nroute delete default via ${wire.outside.v6}`,
  );
  await net.check(container, result);
});

test("CHECK does not mind a master that was renamed, nor how its MAC address is written, nor what ADD did not say", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { ipam: fixed(["192.0.2.11/24"]) });
  const result = await net.add(container);
  const withInterface = (change: object): CniResult => ({
    ...result,
    interfaces: (result.interfaces ?? []).map((each) => ({ ...each, ...change })),
  });
  await net.check(container, withInterface({ mac: result.interfaces?.[0]?.mac?.toUpperCase() }));
  await net.check(container, withInterface({ mac: undefined, mtu: undefined }));
  await world.host.ip(`link set ${master} down\nlink set ${master} name other0`);
  await net.check(container, result);
});

test("CHECK passes after a later plugin has added interfaces, addresses and routes", async () => {
  await using world = await hostWorld();
  const container = await world.container({ dad: false });
  const net = network(world, { ipam: fixed(addresses, routes) });
  const result = await net.add(container);
  await container.ip(`link add extra0 type dummy
    link set extra0 up
    address add 198.18.0.5/24 dev extra0
    address add 192.0.2.99/24 dev eth0
    route add 203.0.114.0/24 via 198.18.0.1
    route add 203.0.115.0/24 dev eth0`);
  const later: CniResult = {
    ...result,
    interfaces: [
      { name: "host-end" },
      ...(result.interfaces ?? []),
      { name: "extra0", sandbox: container.path },
    ],
    ips: [
      { address: "198.18.0.5/24", interface: 2, gateway: "198.18.0.1" },
      ...(result.ips ?? []).map((ip) => ({ ...ip, interface: 1 })),
      { address: "192.0.2.99/24", interface: 1 },
    ],
    routes: [...(result.routes ?? []), { dst: "203.0.114.0/24", gw: "198.18.0.1" }],
  };
  await net.check(container, later);
  // Whose gateway is within our prefix is ours, and missed among the routes of others too.
  await container.ip("route delete 198.51.100.0/24");
  const { code, msg } = await net.with({ prevResult: later }).refusal("CHECK", container);
  expect([code, msg]).toEqual([106, expect.stringContaining("198.51.100.0/24 via 192.0.2.3")]);
});

test("among other interfaces a route is ours whose gateway is that of our address, within its prefix or not", async () => {
  await using world = await hostWorld();
  const container = await world.container({ dad: false });
  const net = network(world, { ipam: fixed(["192.0.2.11/32 192.0.2.2"], [{ dst: "198.51.100.0/24" }]) });
  const result = await net.add(container);
  const prevResult: CniResult = {
    ...result,
    interfaces: [...(result.interfaces ?? []), { name: "extra0", sandbox: container.path }],
    ips: [...(result.ips ?? []), { address: "198.18.0.5/24", interface: 1, gateway: "198.18.0.1" }],
  };
  await net.check(container, prevResult);
  await container.ip("route delete 198.51.100.0/24");
  expect((await net.with({ prevResult }).refusal("CHECK", container)).msg).toBe(
    'interface "eth0" lacks the route 198.51.100.0/24',
  );
});

test("CHECK passes after the real tuning and sbr plugins have followed in the chain", async () => {
  await using world = await hostWorld();
  const container = await world.container({ dad: false });
  const cniVersion = "1.0.0";
  // sbr drops the last route, whose gateway is outside of every prefix.
  const net = network(world, { cniVersion, ipam: fixed(addresses, routes.slice(0, 3)) });
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

test("an endpoint whose master is an ipvlan link itself, and so lies on the link below that one", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const add = "name below0 type ipvlan mode l2";
  await world.host.ip(`link add link ${master} ${add}\nlink set below0 up`);
  const net = network(world, { master: "below0", ipam: fixed(["192.0.2.11/24"]) });
  await net.check(container, await net.add(container));
  await net.del(container);
  // The same inside: the link below is in the host, which the kernel tells of both.
  await world.host.ip(`link delete below0\nlink add link ${master} netns ${container.name} ${add}`);
  await container.ip("link set below0 up");
  const inside = net.with({ linkInContainer: true });
  await inside.check(container, await inside.add(container));
});
