/** What the doctor finds, on a real driver: each finding is brought about, and each has a remedy. */

import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { command } from "../support/command.ts";
import { fixed, leased, network } from "../support/network.ts";
import { configured, examine, ipvlan } from "../support/terminal.ts";
import { hostWorld, master } from "../support/world.ts";

const BARE = { ipam: {} };
const ROUTED = { master, mode: "l3", ipam: {} };

test("a healthy host is healthy: driver, modes, master, network, exit status 0", async () => {
  await using world = await hostWorld();
  const net = network(world, { ipam: leased(world, "192.0.2.0/24") });
  configured(world, net);
  await net.add(await world.container());
  const { healthy, all } = await examine(world);
  expect(healthy).toBe(true);
  expect(all.filter((each) => !each.startsWith("ok "))).toEqual([]);
  expect(all).toContain("ok capabilities: CAP_NET_ADMIN, CAP_SYS_ADMIN");
  expect(all).toContainEqual(expect.stringMatching(/^ok driver: ipvlan in modes l2, l3, l3s; Linux /));
  expect(all).toContain(
    "ok master eth0: MTU 1500; taken when a network names no master; 1 endpoints, mode l2, flag bridge",
  );
  expect(all).toContain("ok network net: mode l2, flag bridge on master eth0");
  expect(all).toContain("ok network net: 1 of 253 addresses are given");
  expect(all).toContain(`ok records: ${join(world.directory, "records")}`);
  expect(all).toContain("ok endpoints: 1 attached");
  expect(await world.host.linkNames()).toEqual([master]);
});

test("at a terminal it is one line a finding, a remedy below, and a count", async () => {
  await using world = await hostWorld();
  configured(world, network(world, { ...BARE, master: "eth7" }));
  const { exitCode, stdout, stderr } = await ipvlan(world, ["doctor"]);
  expect([exitCode, stderr]).toEqual([1, ""]);
  expect(stdout).toContain(
    `error   network net: master "eth7" not found in the host's namespace\n          -> choose an interface`,
  );
  expect(stdout).toMatch(/\n\d+ ok, 0 warnings, 1 errors\n$/);
});

test("capabilities that are missing are named, and the driver is not tried without them", async () => {
  await using world = await hostWorld();
  await network(world, BARE).add(await world.container());
  const { healthy, all } = await examine(world, {}, ["setpriv", "--bounding-set=-sys_admin"]);
  expect(healthy).toBe(false);
  expect(all).not.toContainEqual(expect.stringContaining("namespace has ended"));
  expect(all).toContain("error capabilities: this process lacks CAP_SYS_ADMIN");
  expect(all).toContain("error driver: whether this kernel has ipvlan cannot be tried without them");
});

test("a master that is down, without carrier, a bridge's port or a macvlan's is told", async () => {
  await using world = await hostWorld();
  await world.wire(world.host, "eth1");
  await world.wire(world.host, "eth2");
  await world.host.ip(`link add br0 type bridge
    link add dummy0 type dummy
    link set dummy0 master br0
    link add dummy1 type dummy
    link add link dummy1 name mv0 type macvlan
    link set dummy1 up`);
  const add = async (dev: string) =>
    network(world, { ...BARE, name: dev, master: dev }).add(await world.container());
  await add("eth1");
  await add("eth2");
  await world.host.ip("link set eth1 down");
  await world.outside.ip("link set eth2 down");
  const { all, remedies } = await examine(world);
  const down = "warning master eth1: is down; MTU 1500; 1 endpoints, mode l2, flag bridge";
  expect(remedies.get(down)).toBe("ip link set eth1 up");
  expect(all).toContain("warning master eth2: has no carrier; MTU 1500; 1 endpoints, mode l2, flag bridge");
  expect(all).toContain('warning master dummy0: cannot carry ipvlan links: it is a port of the bridge "br0"');
  expect(all).toContain(
    'warning master dummy1: cannot carry ipvlan links: it carries the macvlan link "mv0"',
  );
});

test("masters in other namespaces are told with what they carry, whoever put it there", async () => {
  await using world = await hostWorld();
  const [inner, other] = [await world.container(), await world.container()];
  await world.wire(inner, "far0");
  await network(world, { ...BARE, master: "far0", mode: "l3", linkInContainer: true }).add(inner);
  await world.wire(other, "near0");
  await other.ip(`link add link near0 name moved0 netns ${inner.name} type ipvlan mode l3s private`);
  const { all } = await examine(world);
  expect(all).toContain(`ok master far0 in ${inner.path}: 1 endpoints, mode l3, flag bridge`);
  expect(all).toContain(`ok master near0 in ${other.path}: 1 endpoints, mode l3s, flag private`);
  expect(all).toContainEqual(expect.stringContaining("1 ipvlan links were made by another program"));
  expect(all).toContainEqual(expect.stringMatching(/^ok master eth0: MTU 1500; taken when [a-z ]+$/));
});

test("a network in another mode than its master's endpoints is an error, also where another program made them", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await world.host.ip(`link add link ${master} name foreign0 netns ${container.name} type ipvlan mode l2`);
  configured(world, network(world, ROUTED));
  const { healthy, all } = await examine(world);
  expect(healthy).toBe(false);
  expect(all).toContain(
    "error network net: asks for mode l3, flag bridge, but 1 endpoints on eth0 are in mode l2, flag bridge",
  );
  configured(world, network(world, { ...ROUTED, allowPortChange: true }));
  const allowed = await examine(world);
  expect(allowed.healthy).toBe(true);
  expect(allowed.all).toContain(
    "warning network net: asks for mode l3, flag bridge: 1 endpoints on eth0 are in mode l2, flag bridge, and its next ADD changes them",
  );
});

test("a VLAN is a port of its own, whatever mode the master below it is in", async () => {
  await using world = await hostWorld();
  await network(world, BARE).add(await world.container());
  const routed = network(world, { ...ROUTED, name: "vlan", vlan: 20 });
  configured(world, routed);
  expect((await examine(world)).all).toContain(
    "ok network vlan: mode l3, flag bridge on VLAN 20 of eth0, which the first ADD makes",
  );
  await routed.add(await world.container());
  const { healthy, all } = await examine(world);
  expect(healthy).toBe(true);
  expect(all).toContain("ok network vlan: mode l3, flag bridge on master eth0.20");
  configured(world, routed.with({ mode: "l2" }));
  expect((await examine(world)).all).toContain(
    "error network vlan: asks for mode l2, flag bridge, but 1 endpoints on eth0.20 are in mode l3, flag bridge",
  );
});

test("a port that somebody has changed under its endpoints is told, and the remedy changes it back", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await network(world, BARE).add(container);
  await container.ip("link set eth0 type ipvlan mode l3s");
  const finding =
    "warning master eth0: 1 endpoints were attached in mode l2, flag bridge; somebody has set mode l3s, flag bridge";
  const remedy = (await examine(world)).remedies.get(finding) ?? "";
  expect(remedy).toStartWith("for all of them together: ");
  expect((await command(["sh", "-c", remedy.slice(remedy.indexOf(":") + 1)])).exitCode).toBe(0);
  expect((await examine(world)).all).not.toContain(finding);
});

test("networks that cannot share their master are told before either has an endpoint", async () => {
  await using world = await hostWorld();
  configured(world, network(world, { ...BARE, name: "flat" }), [], "10-flat.conflist");
  configured(world, network(world, { ...ROUTED, name: "routed" }), [], "20-routed.conflist");
  const { all } = await examine(world);
  expect(all).toContain(
    "warning master eth0: its networks ask for mode l2, flag bridge for flat; mode l3, flag bridge for routed: whose endpoint comes first keeps the others out",
  );
  configured(world, network(world, { ...BARE, name: "routed" }), [], "20-routed.conflist");
  expect((await examine(world)).healthy).toBe(true);
  expect((await examine(world)).all.filter((each) => each.startsWith("warning"))).toEqual([]);
});

test("programs that a list needs are looked for: missing, not executable, another one under our name", async () => {
  await using world = await hostWorld();
  const directory = join(world.directory, "plugins");
  mkdirSync(directory);
  writeFileSync(join(directory, "tuning"), "#!/bin/sh\n", { mode: 0o644 });
  writeFileSync(join(directory, "ipvlan"), "#!/bin/sh\n", { mode: 0o755 });
  configured(world, network(world, { ipam: { type: "whereabouts" } }), [{ type: "tuning" }]);
  const { healthy, all } = await examine(world, { CNI_PATH: directory });
  expect(healthy).toBe(false);
  expect(all).toContain(`error network net: IPAM plugin whereabouts is not in ${directory}`);
  expect(all).toContain(`error network net: plugin ${directory}/tuning cannot be executed`);
  expect(all).toContain(
    `warning plugins in ${directory}: the ipvlan there is another program, such as the reference plugin`,
  );
  chmodSync(join(directory, "tuning"), 0o755);
  expect((await ipvlan(world, ["install", "--dest", directory, "--force"])).exitCode).toBe(0);
  const mended = (await examine(world, { CNI_PATH: directory })).all;
  expect(mended).toContain(`ok network net: plugin tuning is in ${directory}`);
  expect(mended).toContain(`ok plugins in ${directory}: ipvlan, tuning`);
  const nothing = await examine(world, { CNI_PATH: join(world.directory, "none") });
  expect(nothing.all).toContain(`warning plugins: none of ${join(world.directory, "none")} is there`);
});

test("a configuration that would be refused is told with its place, one that is missing too", async () => {
  await using world = await hostWorld();
  expect((await examine(world)).all).toContain(
    `warning networks: there is no configuration in ${join(world.directory, "net.d")}`,
  );
  configured(world, network(world, { mode: "l4", ipam: {} }));
  const { healthy, all } = await examine(world);
  expect(healthy).toBe(false);
  expect(all).toContainEqual(expect.stringMatching(/10-net\.conflist:1:\d+: invalid mode "l4"/));
});

test("directories that an ADD writes to: full, not writable, open to everybody", async () => {
  await using world = await hostWorld();
  const directory = join(world.directory, "run");
  mkdirSync(directory);
  const mounted = (options: string) => [
    ...["unshare", "--mount", "sh", "-euc"],
    `mount -t tmpfs -o ${options} none ${directory}; exec "$@"`,
    "sh",
  ];
  const environment = { IPVLAN_RUN_DIR: directory };
  const full = await examine(world, environment, mounted("size=1m"));
  expect(full.all).toContain(`error records: the file system of ${directory} is full`);
  const fixed_ = await examine(world, environment, mounted("ro"));
  expect(fixed_.all).toContainEqual(
    expect.stringMatching(new RegExp(`^error records: ${directory} cannot be written: EROFS`)),
  );
  chmodSync(directory, 0o777);
  expect((await examine(world, environment)).all).toContain(
    `warning records: everybody may write to ${directory}`,
  );
});

test("endpoints whose namespace is gone, and links that are lost or half made", async () => {
  await using world = await hostWorld();
  const net = network(world, BARE);
  const [gone, lost] = [await world.container(), await world.container()];
  await net.add(gone);
  await net.add(lost);
  await gone[Symbol.asyncDispose]();
  world.containers.splice(world.containers.indexOf(gone), 1);
  await lost.ip("link delete eth0");
  await world.host.ip(`link add link ${master} name ivl0123456789ab netns ${lost.name} type ipvlan mode l2`);
  const { all, remedies } = await examine(world);
  expect(all).toContain("warning endpoints: 1 are recorded whose namespace has ended");
  expect(all).toContain(`warning endpoints: ${lost.name} has lost its eth0 in ${lost.path}`);
  const half = `warning endpoints: ivl0123456789ab in ${lost.path} is of an ADD that has not ended`;
  const remedy = remedies.get(half) ?? "";
  expect((await command(["sh", "-c", remedy.slice(remedy.indexOf("nsenter"))])).exitCode).toBe(0);
  expect((await examine(world)).all).not.toContain(half);
});

test("what nobody needs any more: a VLAN, the host's endpoint, empty records; their remedies work", async () => {
  await using world = await hostWorld();
  const net = network(world, {
    ...BARE,
    vlan: 20,
    hostAccess: ["192.0.2.200"],
    ipam: fixed(["192.0.2.9/24"]),
  });
  const container = await world.container();
  await net.add(container);
  expect((await examine(world)).all.filter((each) => each.includes("leftovers"))).toEqual([]);
  await container.ip("link delete eth0");
  rmSync(join(net.records, `net,${container.name},eth0`));
  writeFileSync(join(net.records, "net,crashed,eth0"), "");
  const { all, remedies } = await examine(world);
  const host = all.find((each) => each.includes("is a host's endpoint without containers"));
  expect(host).toStartWith("warning leftovers: ivh");
  expect(all).toContainEqual(
    expect.stringMatching(/^warning leftovers: 1 files among the records are none, such as .*crashed/),
  );
  // The VLAN carries the host's endpoint as long as that is there.
  expect((await world.host.run(["sh", "-euc", remedies.get(host ?? "") ?? "false"])).exitCode).toBe(0);
  const vlan = "warning leftovers: eth0.20 is a VLAN link whose last endpoint is gone";
  const then = await examine(world);
  expect((await world.host.run(["sh", "-euc", then.remedies.get(vlan) ?? "false"])).exitCode).toBe(0);
  rmSync(join(net.records, "net,crashed,eth0"));
  expect((await examine(world)).all.filter((each) => each.includes("leftovers"))).toEqual([]);
  expect(await world.host.linkNames()).toEqual([master]);
});

test("of a host with many interfaces the kernel is asked no more often than of one with few", async () => {
  await using world = await hostWorld();
  const log = join(world.directory, "log");
  const questions = async () => {
    rmSync(log, { force: true });
    await ipvlan(world, ["doctor", "--json"], { IPVLAN_DEBUG: log });
    return readFileSync(log, "utf8").match(/"step":"netlink"/g)!.length;
  };
  const few = await questions();
  const names = Array.from({ length: 30 }, (_, index) => `dummy${index}`);
  await world.host.ip(names.map((name) => `link add ${name} type dummy`).join("\n"));
  expect(await questions()).toBe(few);
});
