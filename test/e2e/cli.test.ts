/** What people ask of the plugin at a terminal, on a real driver. */

import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binary } from "../kernel/environment.ts";
import type { Output } from "../support/command.ts";
import { fixed, leased, type Network, network, stateOf } from "../support/network.ts";
import { reference } from "../support/plugin.ts";
import { hostWorld, master, type World } from "../support/world.ts";

/** The reference's directory has an ipvlan too: ours, in here, comes first. */
const own = mkdtempSync(join(tmpdir(), "ipvlan-own-"));
symlinkSync(binary, join(own, "ipvlan"));
afterAll(() => rmSync(own, { recursive: true }));

/** `ipvlan WORDS` in the world's host, with its configurations, records and reference plugins. */
async function ipvlan(
  world: World,
  words: string[],
  environment: Record<string, string> = {},
): Promise<Output> {
  return world.host.run([binary, ...words], {
    environment: {
      PATH: process.env.PATH ?? "",
      CNI_PATH: `${own}:${reference("1.9.1")}`,
      NETCONFPATH: join(world.directory, "net.d"),
      IPVLAN_RUN_DIR: join(world.directory, "records"),
      ...environment,
    },
  });
}

/** Makes the network a file that runtimes and the commands find. */
function configured(world: World, net: Network, more: object[] = []): void {
  const { cniVersion, name, ...plugin } = net.config;
  mkdirSync(join(world.directory, "net.d"), { recursive: true });
  const list = { cniVersion, name, plugins: [plugin, ...more] };
  writeFileSync(join(world.directory, "net.d/10-net.conflist"), JSON.stringify(list));
}

function json(output: Output): never {
  if (output.stderr !== "") throw new Error(output.stderr);
  return JSON.parse(output.stdout) as never;
}

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

interface Diagnosis {
  subject: string;
  level: string;
  message: string;
}

async function examine(world: World, environment?: Record<string, string>) {
  const output = await ipvlan(world, ["doctor", "--json"], environment);
  const { findings } = json(output) as { findings: Diagnosis[] };
  return {
    exitCode: output.exitCode,
    findings,
    all: findings.map((each) => `${each.level} ${each.subject}: ${each.message}`),
  };
}

test("doctor finds a healthy host healthy: driver, modes, master, network", async () => {
  await using world = await hostWorld();
  const net = network(world, { ipam: leased(world, "192.0.2.0/24") });
  configured(world, net);
  await net.add(await world.container());
  const { exitCode, all } = await examine(world);
  expect(exitCode).toBe(0);
  expect(all).toContainEqual(expect.stringMatching(/^ok driver: ipvlan in modes l2, l3, l3s; Linux /));
  expect(all).toContain("ok network net: mode l2, flag bridge on master eth0");
  expect(all).toContain("ok network net: 1 of 253 addresses are given");
  expect(all).toContain("ok endpoints: 1 attached");
  expect(await world.host.linkNames()).toEqual([master]);
});

test("doctor tells a port in another mode, a master that is missing, a full store and a lost endpoint", async () => {
  await using world = await hostWorld();
  const net = network(world, { ipam: leased(world, "192.0.2.0/30") });
  const container = await world.container();
  await net.add(container);
  await container.ip("link delete eth0");
  configured(world, net);
  const full = await examine(world);
  expect(full.exitCode).toBe(1);
  expect(full.all).toContain("error network net: 1 of 1 addresses are given");
  expect(full.all).toContain(`warning endpoints: ${container.name} has lost its eth0 in ${container.path}`);

  configured(world, net.with({ mode: "l3", master: "eth7" }));
  expect((await examine(world)).all).toContain(
    'error network net: master "eth7" not found in the host\'s namespace',
  );
  configured(world, net.with({ mode: "l3", ipam: { type: "whereabouts" } }));
  const { all } = await examine(world);
  expect(all).toContain(
    "error network net: asks for mode l3, flag bridge, but 1 endpoints on eth0 are in mode l2, flag bridge",
  );
  expect(all).toContainEqual(expect.stringMatching(/^error network net: IPAM plugin whereabouts is not in /));
});

test("doctor tells a reference plugin under our name from our own", async () => {
  await using world = await hostWorld();
  expect((await examine(world)).all).toContainEqual(
    expect.stringContaining("is another program, such as the reference"),
  );
  const directory = join(world.directory, "plugins");
  mkdirSync(directory);
  expect((await ipvlan(world, ["install", "--dest", directory])).exitCode).toBe(0);
  expect((await examine(world, { CNI_PATH: directory })).all).toContain(`ok plugins in ${directory}: ipvlan`);
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
