/** Both plugins behind a runtime's library: a chain with another plugin, capabilities, arguments, garbage collection. */

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { mkdir, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { binary } from "../kernel/environment.ts";
import type { Output } from "../support/command.ts";
import { Libcni, type NetworkList, PluginError, type Runtime } from "../support/libcni.ts";
import type { Namespace } from "../support/namespace.ts";
import { reference } from "../support/plugin.ts";
import { type Snapshot, snapshot } from "../support/snapshot.ts";
import { hostWorld, master, type World } from "../support/world.ts";

interface Result {
  cniVersion: string;
  interfaces: { name: string; mac: string; mtu?: number; sandbox: string }[];
  ips: { address: string; gateway: string; interface: number }[];
}

/** The plugins of release 1.9.1, ours in the place of the reference's ipvlan where that is wanted. */
async function directories(world: World, whose: "reference" | "ours"): Promise<string[]> {
  const own = join(world.directory, "plugins");
  await mkdir(own);
  await symlink(whose === "ours" ? binary : join(reference("1.9.1"), "ipvlan"), join(own, "ipvlan"));
  return [own, reference("1.9.1")];
}

function network(world: World, cniVersion: string): NetworkList {
  return {
    cniVersion,
    name: "network",
    plugins: [
      {
        type: "ipvlan",
        master,
        capabilities: { ips: true, portMappings: false },
        ipam: {
          type: "host-local",
          dataDir: world.leases,
          ranges: [[{ subnet: "192.0.2.0/24", gateway: "192.0.2.2" }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
      { type: "tuning", sysctl: { "net.ipv4.conf.IFNAME.rp_filter": "2" }, capabilities: { mac: true } },
    ],
  };
}

const kubernetes: [string, string][] = [
  ["IgnoreUnknown", "1"],
  ["K8S_POD_NAMESPACE", "default"],
  ["K8S_POD_NAME", "pod"],
];

test.each(["0.4.0", "1.0.0", "1.1.0"])("a runtime cannot tell them apart, version %s", async (cniVersion) => {
  const [theirs, ours] = [await attach("reference", cniVersion), await attach("ours", cniVersion)];
  for (const { interfaces } of [theirs, ours]) for (const each of interfaces) delete each.mtu;
  expect(ours).toEqual(theirs);
});

/** One attachment from beginning to end; its result, without what differs from world to world. */
async function attach(whose: "reference" | "ours", cniVersion: string): Promise<Result> {
  await using world = await hostWorld();
  const container = await world.container();
  const runDirectory = join(world.directory, "run");
  const client = new Libcni(world.host, await directories(world, whose), { IPVLAN_RUN_DIR: runDirectory });
  const list = network(world, cniVersion);
  const runtime: Runtime = {
    containerId: "a1b2c3",
    netns: container.path,
    ifName: "net0",
    args: kubernetes,
    capabilityArgs: { ips: ["192.0.2.70/24"], portMappings: [] },
  };
  const before = await snapshot(world);

  expect(await client.versions("ipvlan")).toContain(cniVersion);
  if (cniVersion === "1.1.0") await client.status(list);
  const result = (await client.add(list, runtime)) as unknown as Result;
  expect(await container.linkNames()).toEqual(["net0"]);
  await client.check(list, runtime);
  if (cniVersion === "1.1.0") {
    await client.gc(list, [runtime]);
    await client.check(list, runtime);
  }
  await client.del(list, runtime);
  await client.del(list, runtime);
  const after = await snapshot(world);
  expect(after.namespaces).toEqual(before.namespaces);
  expect(leasesOf(after)).toEqual([]);

  for (const each of result.interfaces) {
    each.mac = "the master's";
    each.sandbox = each.sandbox.replace(container.path, "the container's");
  }
  return result;
}

function leasesOf({ files }: Snapshot): string[] {
  return Object.keys(files).filter((name) => /^leases\/network\/\d/.test(name));
}

test("garbage collection takes what the runtime no longer knows", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const client = new Libcni(world.host, await directories(world, "ours"), {
    IPVLAN_RUN_DIR: join(world.directory, "run"),
  });
  const list = network(world, "1.1.0");
  const runtime = (containerId: string, ifName: string): Runtime => ({
    containerId,
    netns: container.path,
    ifName,
  });
  const kept = runtime("kept", "net0");
  await client.add(list, kept);
  await client.add(list, runtime("gone", "net1"));
  await client.gc(list, [kept]);
  expect(await container.linkNames()).toEqual(["net0"]);
  await client.check(list, kept);
  await client.gc(list, []);
  expect(await container.linkNames()).toEqual([]);
});

test("an error reaches the runtime as one document with its code", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const client = new Libcni(world.host, await directories(world, "ours"), {
    IPVLAN_RUN_DIR: join(world.directory, "run"),
  });
  const list = network(world, "1.0.0");
  const before = await snapshot(world);
  const broken = { ...list, plugins: list.plugins.map((plugin) => ({ ...plugin, master: "eth7" })) };
  const runtime: Runtime = { containerId: "a1b2c3", netns: container.path, ifName: "net0" };
  const error = await client.add(broken, runtime).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(PluginError);
  expect(error).toMatchObject({
    code: 101,
    message: expect.stringContaining('"eth7"'),
    details: expect.stringContaining("ip link"),
  });
  const after = await snapshot(world);
  expect(after.namespaces).toEqual(before.namespaces);
  // The empty directory of records may stay.
  expect(Object.keys(after.files).filter((name) => name !== "run/")).toEqual(Object.keys(before.files));
});

/** The library itself, in a client that test/kernel/setup builds from libcni/main.go. */
class RealLibcni {
  private readonly host: Namespace;
  private readonly world: World;
  private readonly path: string;

  constructor(world: World, path: string[]) {
    this.host = world.host;
    this.world = world;
    this.path = path.join(":");
  }

  run(
    verb: string,
    list: NetworkList,
    { containerId, netns, ifName, capabilityArgs }: Runtime,
  ): Promise<Output> {
    const { directory } = this.world;
    const file = join(directory, "network.conflist");
    writeFileSync(file, JSON.stringify(list));
    const words = [realLibcni(), verb, file, join(directory, "cache"), containerId, netns, ifName];
    return this.host.run([...words, ...(capabilityArgs ? [JSON.stringify(capabilityArgs)] : [])], {
      environment: {
        PATH: process.env.PATH ?? "",
        CNI_PATH: this.path,
        IPVLAN_RUN_DIR: join(directory, "run"),
      },
      timeoutMs: 60_000,
    });
  }
}

function realLibcni(): string {
  const source = readFileSync(join(import.meta.dir, "libcni/main.go"));
  const digest = new Bun.CryptoHasher("sha256").update(source).digest("hex").slice(0, 12);
  return join(dirname(reference("1.9.1")), `libcni-${digest}`);
}

test("the real libcni takes an attachment through its life", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const client = new RealLibcni(world, await directories(world, "ours"));
  const list = network(world, "1.1.0");
  const runtime: Runtime = {
    containerId: "a1b2c3",
    netns: container.path,
    ifName: "net0",
    capabilityArgs: { ips: ["192.0.2.70/24"] },
  };
  const success = { exitCode: 0, stdout: "", stderr: "" };
  const before = await snapshot(world);
  expect(await client.run("VERSION", list, runtime)).toEqual(success);
  expect(await client.run("STATUS", list, runtime)).toEqual(success);
  const added = await client.run("ADD", list, runtime);
  expect(added.stderr).toBe("");
  expect(JSON.parse(added.stdout)).toMatchObject({
    cniVersion: "1.1.0",
    interfaces: [{ name: "net0", mtu: 1500, sandbox: container.path }],
    ips: [{ address: "192.0.2.70/24", gateway: "192.0.2.2", interface: 0 }],
  });
  expect(await client.run("CHECK", list, runtime)).toEqual(success);
  // It is valid, so it stays; then it is another that is, so it goes.
  expect(await client.run("GC", list, runtime)).toEqual(success);
  expect(await client.run("CHECK", list, runtime)).toEqual(success);
  expect(await client.run("GC", list, { ...runtime, containerId: "another" })).toEqual(success);
  expect(await container.linkNames()).toEqual([]);
  expect(await client.run("DEL", list, runtime)).toEqual(success);
  const after = await snapshot(world);
  expect(after.namespaces).toEqual(before.namespaces);
  expect(leasesOf(after)).toEqual([]);
});

test("the real libcni understands our errors", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const client = new RealLibcni(world, await directories(world, "ours"));
  const list = network(world, "1.1.0");
  const broken = { ...list, plugins: list.plugins.map((plugin) => ({ ...plugin, master: "eth7" })) };
  const runtime: Runtime = { containerId: "a1b2c3", netns: container.path, ifName: "net0" };
  const { exitCode, stdout } = await client.run("ADD", broken, runtime);
  expect(exitCode).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ code: 101, msg: expect.stringContaining('"eth7"') });
  expect(JSON.parse((await client.run("STATUS", broken, runtime)).stdout)).toMatchObject({ code: 50 });
});
