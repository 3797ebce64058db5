/** What people ask of the plugin at a terminal, on a real driver. */

import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fixed, leased, network, stateOf } from "../support/network.ts";
import { configured, ipvlan, json } from "../support/terminal.ts";
import { hostWorld, master } from "../support/world.ts";

test("list shows endpoints in every namespace with their leases, also those that nobody recorded", async () => {
  await using world = await hostWorld();
  const net = network(world, { mode: "l3", flag: "private", ipam: leased(world, "198.51.100.0/24") });
  const [first, second] = [await world.container(), await world.container()];
  await net.add(first);
  await world.host.ip(`link add link ${master} name other0 netns ${second.name} type ipvlan mode l3 private`);
  const rows: Record<string, unknown>[] = json(
    await ipvlan(world, ["list", "--json", "--leases", world.leases]),
  );
  expect(rows).toMatchObject([
    {
      container: first.name,
      network: "net",
      interface: "eth0",
      master,
      mode: "l3",
      flag: "private",
      addresses: ["198.51.100.2/24"],
      namespace: first.path,
      state: "attached",
      lease: "held",
    },
    {
      interface: "other0",
      master,
      mode: "l3",
      flag: "private",
      addresses: [],
      state: "foreign",
      lease: "none",
    },
  ]);
  const { stdout } = await ipvlan(world, ["list", "--leases", world.leases]);
  expect(stdout.split("\n").map((line) => line.split(/ {2,}/)[0])).toEqual([
    "CONTAINER",
    first.name,
    "-",
    "",
  ]);
  expect(stdout).not.toContain("\x1b");
});

test("without the capability to look into namespaces, list and gc say so and end with 1: nothing seen is not nothing there", async () => {
  await using world = await hostWorld();
  await network(world, { ipam: {} }).add(await world.container());
  const bounded = ["setpriv", "--bounding-set=-sys_admin"];
  for (const words of [["list"], ["gc", "--dry-run"], ["gc"]]) {
    const { exitCode, stderr } = await ipvlan(world, words, {}, bounded);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("lacks CAP_SYS_ADMIN")]);
  }
  expect(readdirSync(join(world.directory, "records")).length).toBeGreaterThan(0);
});

test("the host's own endpoint of a network with host access is told from those of strangers", async () => {
  await using world = await hostWorld();
  const net = network(world, { mode: "l3", hostAccess: true, ipam: leased(world, "198.51.100.0/24") });
  configured(world, net);
  const container = await world.container();
  await net.add(container);
  const rows: { state: string; network: string; lease: string }[] = json(
    await ipvlan(world, ["list", "--json", "--leases", world.leases]),
  );
  expect(rows.map(({ state, lease, network }) => [state, lease, network]).sort()).toEqual([
    ["attached", "held", "net"],
    ["host", "held", "net"],
  ]);
  const { unexplained } = json(await ipvlan(world, ["gc", "--dry-run", "--json"])) as {
    unexplained: object[];
  };
  expect(unexplained).toEqual([]);
  await net.del(container);
  expect(json(await ipvlan(world, ["list", "--json"])) as object[]).toEqual([]);
});

test("add, check and del by hand do what a runtime does, a whole chain of plugins, and leave nothing", async () => {
  await using world = await hostWorld();
  const net = network(world, { ipam: leased(world, "192.0.2.0/24") });
  configured(world, net, [{ type: "tuning", sysctl: { "net.ipv4.conf.eth0.arp_filter": "1" } }]);
  const container = await world.container();
  const before = await stateOf(world);
  const result = json(await ipvlan(world, ["add", "net", container.path])) as { ips: { address: string }[] };
  expect(result.ips[0]?.address).toStartWith("192.0.2.");
  expect(await container.linkNames()).toEqual(["eth0"]);
  const ping = await ipvlan(world, ["check", "net", container.path]);
  expect([ping.exitCode, ping.stdout, ping.stderr]).toEqual([0, "", ""]);
  await container.ip("link set eth0 down");
  const broken = await ipvlan(world, ["check", "net", container.path]);
  expect([broken.exitCode, broken.stderr]).toEqual([1, expect.stringContaining('interface "eth0" is down')]);
  expect((await ipvlan(world, ["del", "net", container.path])).exitCode).toBe(0);
  expect((await ipvlan(world, ["del", "net", container.path])).exitCode).toBe(0);
  expect(readdirSync("/var/lib/cni/results")).toEqual([]);
  expect((await stateOf(world)).network).toEqual(before.network);
});

test("an add by hand whose second plugin fails takes back what the first has done", async () => {
  await using world = await hostWorld();
  configured(world, network(world, { ipam: leased(world, "192.0.2.0/24") }), [
    { type: "tuning", sysctl: { "net.ipv4.conf.eth0.no_such_setting": "1" } },
  ]);
  const container = await world.container();
  const before = await stateOf(world);
  const refused = await ipvlan(world, ["add", "net", container.path]);
  expect([refused.exitCode, refused.stdout, refused.stderr]).toEqual([
    1,
    "",
    expect.stringContaining("ADD of tuning"),
  ]);
  expect(await stateOf(world)).toMatchObject({ network: before.network });
  expect(await container.linkNames()).toEqual([]);
});

test("a network that is not configured is said, with the one that was probably meant", async () => {
  await using world = await hostWorld();
  configured(world, network(world, { ipam: {} }));
  const { exitCode, stderr } = await ipvlan(world, ["add", "nett", "/run/netns/x"]);
  expect(exitCode).toBe(1);
  expect(stderr).toContain('there is no network "nett"');
  expect(stderr).toContain('did you mean "net"?');
});

test("gc shows what a container that is gone has left, and then removes just that", async () => {
  await using world = await hostWorld();
  const net = network(world, { ipam: leased(world, "192.0.2.0/24") });
  configured(world, net);
  const alive = await world.container();
  await net.add(alive);
  const gone = await world.container();
  await net.add(gone);
  await gone[Symbol.asyncDispose]();
  world.containers.splice(world.containers.indexOf(gone), 1);
  writeFileSync(join(world.leases, "net/192.0.2.99"), "somebody\r\neth0");
  const before = await stateOf(world);

  const dry = json(await ipvlan(world, ["gc", "--dry-run", "--json"])) as {
    leftovers: object[];
    unexplained: object[];
  };
  expect(dry.leftovers).toMatchObject([{ network: "net", container: gone.name, interface: "eth0" }]);
  expect(dry.unexplained).toEqual([{ network: "net", address: "192.0.2.99", container: "somebody" }]);
  expect(await stateOf(world)).toEqual(before);

  const { exitCode, stdout } = await ipvlan(world, ["gc"]);
  expect([exitCode, stdout]).toEqual([0, expect.stringContaining(`remove ${gone.name} (eth0) of net`)]);
  const after = await stateOf(world);
  expect(Object.keys(after.files).filter((path) => path.includes(gone.name))).toEqual([]);
  expect(Object.values(after.files).filter((text) => text.startsWith(gone.name))).toEqual([]);
  expect(after.files["leases/net/192.0.2.99"]).toBe("somebody\r\neth0");
  expect(await alive.linkNames()).toEqual(["eth0"]);
});

test("gc removes what a network left whose configuration has been taken away", async () => {
  await using world = await hostWorld();
  configured(world, network(world, { ipam: {} }));
  const forgotten = network(world, {
    name: "forgotten",
    ipam: { type: "host-local", subnet: "192.0.2.0/24" },
  });
  const gone = await world.container();
  await forgotten.add(gone);
  const leases = () =>
    readdirSync("/var/lib/cni/networks/forgotten").filter((name) => name.startsWith("192."));
  expect(leases()).toHaveLength(1);
  await gone[Symbol.asyncDispose]();
  world.containers.splice(world.containers.indexOf(gone), 1);

  const { exitCode, stdout, stderr } = await ipvlan(world, ["gc"]);
  expect([exitCode, stderr, stdout]).toEqual([
    0,
    "",
    expect.stringContaining(`remove ${gone.name} (eth0) of forgotten`),
  ]);
  expect(leases()).toEqual([]);
  expect(Object.keys((await stateOf(world)).files).filter((path) => path.includes(gone.name))).toEqual([]);
  rmSync("/var/lib/cni/networks", { recursive: true });
});

test("install replaces a plugin that is running, links the IPAM names, and uninstall removes them", async () => {
  await using world = await hostWorld();
  const directory = join(world.directory, "plugins");
  mkdirSync(directory);
  const net = network(world, { ipam: fixed(["192.0.2.9/24"]) });
  for (let round = 0; round < 2; round++) {
    const { exitCode, stdout } = await ipvlan(world, ["install", "--dest", directory, "--ipam"]);
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining(`${directory}/ipvlan: `)]);
  }
  expect(readdirSync(directory).sort()).toEqual(["host-local", "ipvlan", "static"]);
  const container = await world.container();
  await net.add(container, { program: join(directory, "ipvlan") });
  const refused = await ipvlan(world, ["uninstall", "--dest", directory]);
  expect([refused.exitCode, refused.stderr]).toEqual([
    1,
    expect.stringContaining("1 endpoints are attached"),
  ]);
  await net.del(container, { program: join(directory, "ipvlan") });
  expect((await ipvlan(world, ["uninstall", "--dest", directory])).exitCode).toBe(0);
  expect(readdirSync(directory)).toEqual([]);
});

test("install leaves a program alone that is not this one, and a directory that it cannot use as it was", async () => {
  await using world = await hostWorld();
  const directory = join(world.directory, "plugins");
  mkdirSync(directory);
  writeFileSync(join(directory, "ipvlan"), "#!/bin/sh\nexit 0\n", { mode: 0o755 });
  const refused = await ipvlan(world, ["install", "--dest", directory]);
  expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining("is not this program")]);
  expect((await ipvlan(world, ["install", "--dest", directory, "--force"])).exitCode).toBe(0);
  expect((await ipvlan(world, ["install", "--dest", join(directory, "none")])).stderr).toContain(
    "cannot install",
  );
  expect((await ipvlan(world, ["install", "--name", "../x"])).stderr).toContain(
    "cannot be a plugin's file name",
  );
  expect(readdirSync(directory)).toEqual(["ipvlan"]);
});
