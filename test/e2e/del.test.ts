/** DEL: whatever has happened meanwhile it succeeds and removes all that is there, and nothing that is not ours. */

import { expect, test } from "bun:test";
import { temporaryName } from "../../src/ipvlan/record.ts";
import { mustRun } from "../support/command.ts";
import { fail, fakeIpam, lease } from "../support/fake-ipam.ts";
import { type Namespace, namespaces, remove } from "../support/namespace.ts";
import { leased, network, stateOf } from "../support/network.ts";
import type { Call } from "../support/plugin.ts";
import { hostWorld, master } from "../support/world.ts";

const subnet = "192.0.2.0/24";

/** Each is a DEL after a plain ADD: with another configuration, or called in another way. */
const changes: { of: string; config?: Record<string, unknown>; call?: Call }[] = [
  { of: "nothing changed" },
  { of: "no namespace named", call: { environment: { CNI_NETNS: undefined } } },
  { of: "an empty namespace", call: { environment: { CNI_NETNS: "" } } },
  { of: "an unknown mode, flag and MTU", config: { mode: "l9", flag: 7, mtu: "much" } },
  { of: "a master that is not there", config: { master: "absent0" } },
  { of: "a master that is no name", config: { master: { name: "eth0" } } },
  { of: "the master said to be inside", config: { linkInContainer: true } },
  {
    of: "a prevResult of another version",
    config: { prevResult: { cniVersion: "0.2.0", ip4: { ip: "192.0.2.9/24" } } },
  },
  { of: "a prevResult with an empty version", config: { prevResult: { cniVersion: "", interfaces: [] } } },
  { of: "a prevResult that is none", config: { prevResult: ["nonsense"] } },
  {
    of: "a chain that leaves the master open",
    config: { master: undefined, prevResult: { interfaces: [{ name: "a" }, { name: "b" }] } },
  },
  { of: "a MAC address asked for", config: { runtimeConfig: { mac: "02:00:00:00:00:01" }, dns: 5 } },
  { of: "an older spec version", config: { cniVersion: "0.3.1" } },
];

test("DEL leaves no trace of the endpoint, whatever its configuration has become, and succeeds again and again", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { ipam: leased(world, subnet) });
  const before = await stateOf(world);
  for (const { of, config, call } of changes) {
    await net.add(container);
    for (const time of ["first", "second"]) {
      const answer = await net.with(config ?? {}).run("DEL", container, call);
      expect([of, time, answer.exitCode, answer.stdout]).toEqual([of, time, 0, ""]);
    }
    expect([of, await stateOf(world)]).toEqual([of, before]);
  }
});

test("DEL does not need the default route that gave ADD its master", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { master: undefined, ipam: leased(world, subnet) });
  await net.add(container);
  await world.host.ip("route flush default\nroute flush root ::/0");
  const before = await stateOf(world);
  // Lease, record, and what the port carries.
  expect(Object.keys(before.files)).toHaveLength(3);
  await net.del(container);
  const after = await stateOf(world);
  expect(after.files).toEqual({});
  expect(await container.linkNames()).toEqual([]);
});

test("DEL of what was never added succeeds and changes nothing", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const before = await stateOf(world);
  const net = network(world, { ipam: leased(world, subnet) });
  await net.del(container);
  await net.del(undefined);
  await net.del("/run/netns/absent");
  expect(await stateOf(world)).toEqual(before);
});

test.each([
  { place: "gone", make: "true" },
  { place: "a plain file, as after a reboot", make: "touch" },
  { place: "a directory", make: "mkdir" },
])("DEL gives lease and record back where the container's namespace is $place", async ({ make }) => {
  await using world = await hostWorld();
  const net = network(world, { ipam: leased(world, subnet) });
  const before = await stateOf(world);
  const [container] = (await namespaces("short-lived")) as [Namespace];
  await net.add(container, { containerId: "c" });
  await remove([container]);
  await mustRun([make, container.path]);
  for (const target of [container.path, container.path, undefined])
    await net.del(target, { containerId: "c" });
  await mustRun(["rm", "-fr", container.path]);
  expect(await stateOf(world)).toEqual(before);
});

test("without a namespace named, DEL touches none that has taken the place of the container's", async () => {
  await using world = await hostWorld();
  const net = network(world, { ipam: leased(world, subnet) });
  const before = await stateOf(world);
  const [container] = (await namespaces("reborn")) as [Namespace];
  await net.add(container, { containerId: "c" });
  const inode = await inodeOf(container);
  // Until it has the very same inode number, which the kernel gives out again.
  for (let tries = 0; tries < 100; tries++) {
    await mustRun(["ip", "netns", "delete", container.name]);
    await Bun.sleep(20);
    await mustRun(["ip", "netns", "add", container.name]);
    if ((await inodeOf(container)) === inode) break;
  }
  expect(await inodeOf(container)).toBe(inode);
  await world.host.ip(`link add link ${master} name other0 netns ${container.name} type ipvlan mode l2`);
  await container.ip("link set other0 name eth0");
  await net.del(undefined, { containerId: "c" });
  expect(await container.linkNames()).toEqual(["eth0"]);
  await remove([container]);
  expect(await stateOf(world)).toEqual(before);
});

function inodeOf({ path }: Namespace): Promise<string> {
  return mustRun(["stat", "--format=%i", path]);
}

test("a link of that name that is no ipvlan link is left alone", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { ipam: leased(world, subnet) });
  await container.ip(
    "link add dummy0 type dummy\nlink add veth0 type veth peer name veth1\nlink add br0 type bridge",
  );
  const before = await stateOf(world);
  for (const ifName of ["dummy0", "veth0", "br0", "lo"]) await net.del(container, { ifName });
  expect(await stateOf(world)).toEqual(before);
});

test("a link that an interrupted ADD left under its temporary name is removed, another attachment's is not", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const nameFor = (ifName: string) =>
    temporaryName("net", { containerId: container.name, ifName, netns: container.path });
  const add = (name: string) =>
    `link add link ${master} name ${name} netns ${container.name} type ipvlan mode l2`;
  await world.host.ip(`${add(nameFor("eth0"))}\n${add(nameFor("eth1"))}`);
  await network(world, { ipam: {} }).del(container);
  expect(await container.linkNames()).toEqual([nameFor("eth1")]);
});

test("an IPAM plugin that is missing or fails is reported, and the link and record are removed all the same", async () => {
  await using world = await hostWorld();
  const container = await world.container({ dad: false });
  using ipam = fakeIpam(world, {
    ADD: lease("192.0.2.11/24"),
    DEL: fail({ code: 123, msg: "no", details: "why" }),
  });
  const net = network(world, { ipam: { type: ipam.type } });
  const before = await stateOf(world);
  for (const path of [ipam.path, "/nowhere"]) {
    await net.add(container, { path: ipam.path });
    const error = await net.refusal("DEL", container, { path });
    if (path === "/nowhere")
      expect(error).toMatchObject({ code: 105, msg: expect.stringContaining('"fake"') });
    else expect(error).toMatchObject({ code: 123, msg: "no", details: "why" });
    const { files, ...rest } = await stateOf(world);
    expect(rest).toEqual({ network: before.network, namespaces: before.namespaces });
    expect(Object.keys(files)).toEqual([`fake-leases/${container.name},eth0`]);
    await world.host.run(["sh", "-c", `rm ${world.directory}/fake-leases/*`]);
  }
});

test("the IPAM plugin is asked while the link is still there, since a DHCP release leaves through it", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  using ipam = fakeIpam(world, {
    ADD: lease("192.0.2.11/24"),
    DEL: `ip -n "\${CNI_NETNS##*/}" link show "$CNI_IFNAME" >/dev/null && rm "$lease"`,
  });
  const net = network(world, { ipam: { type: ipam.type } });
  const before = await stateOf(world);
  await net.add(container, { path: ipam.path });
  await net.del(container, { path: ipam.path });
  expect(await stateOf(world)).toEqual(before);
});
