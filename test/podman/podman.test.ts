/** Real Podman with real containers on networks of this plugin. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { Namespace } from "../support/namespace.ts";
import {
  backend,
  inside,
  inspected,
  podman,
  prepareMachine,
  reaches,
  records,
  removeMachine,
  start,
  tidy,
  tryPodman,
  type Way,
  ways,
  wire,
  writeOverride,
} from "./machine.ts";

let outside: Namespace;

beforeAll(async () => {
  outside = await prepareMachine();
  await writeOverride();
}, 120_000);
afterAll(() => removeMachine(outside));

describe.each(ways)("$name", (way) => {
  beforeAll(() => makeNetwork(way));
  afterEach(() => podman(way, "rm", "--all", "--force", "--time", "0"));
  afterAll(() => tidy(way));

  test("a container has its address, its routes and the parent's MAC; removing it leaves nothing", async () => {
    await start(way, "one", "wire");
    const shown = await inspected(way, "one", "wire");
    expect(shown).toMatchObject({ IPPrefixLen: 24, Gateway: wire.outside.v4 });
    const addresses = await inside(way, "one", "ip", "-o", "address", "show", "dev", "eth0");
    expect(addresses).toContain(`inet ${shown.IPAddress}/24`);
    expect(addresses).toContain("inet6 2001:db8:1:");
    const link = await inside(way, "one", "ip", "-o", "link", "show", "eth0");
    expect(link).toContain(`link/ether ${shown.MacAddress}`);
    const [parent] = await hostLink("eth0");
    expect(shown.MacAddress).toBe(parent!.address);
    const routes = await inside(way, "one", "ip", "route");
    expect(routes).toContain(`default via ${wire.outside.v4}`);
    expect(await records()).toHaveLength(1);
    await podman(way, "rm", "--force", "--time", "0", "one");
    expect(await records()).toEqual([]);
  });

  test("two containers and the machine outside reach each other, over IPv4 and IPv6", async () => {
    await start(way, "one", "wire");
    await start(way, "two", "wire");
    const two = await inspected(way, "two", "wire");
    for (const address of [two.IPAddress, two.GlobalIPv6Address, wire.outside.v4, wire.outside.v6])
      expect([address, await reaches(way, "one", String(address))]).toEqual([address, true]);
    expect(await outside.reaches(String(two.IPAddress))).toBe(true);
    expect(await outside.reaches(String(two.GlobalIPv6Address))).toBe(true);
  });

  test("a static address is given, and one outside of the subnet refused", async () => {
    await start(way, "one", "wire:ip=192.0.2.77");
    expect(await inspected(way, "one", "wire")).toMatchObject({ IPAddress: "192.0.2.77" });
    const { exitCode } = await tryPodman(
      way,
      "run",
      "--rm",
      "--network",
      "wire:ip=198.51.100.9",
      "box",
      "cat",
      "/dev/null",
    );
    expect(exitCode).not.toBe(0);
  });

  test("a container keeps its network over stop and start, and over a restart", async () => {
    await start(way, "one", "wire:ip=192.0.2.78");
    await podman(way, "stop", "--time", "0", "one");
    expect(await records()).toEqual([]);
    await podman(way, "start", "one");
    expect(await reaches(way, "one", wire.outside.v4)).toBe(true);
    await podman(way, "restart", "--time", "0", "one");
    expect(await reaches(way, "one", wire.outside.v4)).toBe(true);
    expect(await inspected(way, "one", "wire")).toMatchObject({ IPAddress: "192.0.2.78" });
  });

  test("a running container is connected to a second network, and disconnected again", async () => {
    await start(way, "one", "wire");
    await podman(way, "network", "connect", "second", "one");
    expect(await inside(way, "one", "ip", "-o", "-4", "address")).toContain("eth1    inet 198.51.100.");
    expect(await inspected(way, "one", "second")).toMatchObject({ IPPrefixLen: 24 });
    await podman(way, "network", "disconnect", "second", "one");
    expect(await inside(way, "one", "ip", "-o", "link")).not.toContain("eth1");
    expect(await reaches(way, "one", wire.outside.v4)).toBe(true);
    expect(await records()).toHaveLength(1);
  });

  test("two networks at once, and where Podman lets one, an interface name of one's own", async () => {
    await start(way, "one", "wire", backend === "cni" ? "second" : "second:interface_name=far0");
    const addresses = await inside(way, "one", "ip", "-o", "-4", "address");
    // Podman 4.3 takes networks in any order.
    expect(addresses).toMatch(
      backend === "cni" ? /eth[01] +inet 198\.51\.100\./ : /far0 +inet 198\.51\.100\./,
    );
    expect(addresses).toMatch(/eth[01] +inet 192\.0\.2\./);
    expect(await records()).toHaveLength(2);
  });

  test("podman network reload makes the network anew, with the same addresses", async () => {
    await start(way, "one", "wire");
    const before = await inspected(way, "one", "wire");
    await podman(way, "network", "reload", "one");
    const after = await inspected(way, "one", "wire");
    expect(after.IPAddress).toBe(before.IPAddress);
    expect(await reaches(way, "one", wire.outside.v4)).toBe(true);
  });

  test("a setup that fails says why and leaves nothing", async () => {
    const before = await hostLink();
    const words = ["run", "--name", "one", "--network", "broken", "box", "cat", "/dev/null"];
    const answer = await tryPodman(way, ...words);
    expect([126, 127]).toContain(answer.exitCode);
    expect(answer.stderr).toContain('master "gone0" not found');
    expect(await records()).toEqual([]);
    expect(await hostLink()).toEqual(before);
    // The very address is free for the next.
    await start(way, "two", "wire");
    expect(await records()).toHaveLength(1);
  });
});

if (backend === "netavark") describe("networks made by Podman", withNetavark);
else describe("networks made by Podman", withCni);

function withNetavark(): void {
  test.each(ways)("$name: create completes a network, and inspect shows it", async (way) => {
    const words = ["-d", way.driver, "--subnet", "198.51.100.0/25", "-o", "parent=eth0", "-o", "mtu=1400"];
    await podman(way, "network", "create", ...words, "made");
    const [shown] = JSON.parse(await podman(way, "network", "inspect", "made"));
    expect(shown).toMatchObject({
      driver: way.driver,
      network_interface: "eth0",
      dns_enabled: false,
      ipam_options: { driver: "host-local" },
      subnets: [{ subnet: "198.51.100.0/25", gateway: "198.51.100.1" }],
    });
    await start(way, "one", "made");
    expect(await inside(way, "one", "ip", "-o", "link", "show", "eth0")).toContain("mtu 1400");
    await tidy(way);
  });

  test.each(ways)("$name: ipam none, internal, modes", async (way) => {
    for (const [name, ...words] of [
      ["bare", "--ipam-driver", "none"],
      ["inner", "--internal", "--subnet", "198.51.100.0/24"],
      [
        "routed",
        "--subnet",
        "203.0.113.0/24",
        "-o",
        "no_default_route=1",
        "--route",
        "203.0.114.0/24,203.0.113.9",
      ],
    ] as [string, ...string[]][])
      await podman(way, "network", "create", "-d", way.driver, "-o", "parent=eth0", ...words, name);
    await start(way, "one", "bare");
    expect(await inside(way, "one", "ip", "-o", "-4", "address", "show", "dev", "eth0")).toBe("");
    await start(way, "two", "inner");
    expect(await inside(way, "two", "ip", "route")).not.toContain("default");
    await start(way, "three", "routed");
    const routes = await inside(way, "three", "ip", "route");
    expect(routes).not.toContain("default");
    expect(routes).toContain("203.0.114.0/24 via 203.0.113.9");
    await tidy(way);
  });

  const [plugin] = ways as [Way];

  test.each([
    [[], "ipam driver dhcp is not supported with ipvlan"],
    [["--subnet", "198.51.100.0/24", "-o", "mode=l9"], 'invalid ipvlan mode "l9"'],
    [["--subnet", "198.51.100.0/24", "-o", "colour=red"], "unsupported vlan network option: colour"],
    [["--subnet", "198.51.100.0/24", "-o", "parent=gone0"], "parent interface gone0 does not exist"],
  ])("create %j is refused, with the reason", async (words, reason) => {
    const answer = await tryPodman(plugin, "network", "create", "-d", "bun-ipvlan", ...words, "wrong");
    expect(answer.exitCode).not.toBe(0);
    expect(answer.stderr).toContain(reason);
    expect((await tryPodman(plugin, "network", "exists", "wrong")).exitCode).toBe(1);
  });

  test("a network with DHCP is created", async () => {
    const words = ["-d", "bun-ipvlan", "--ipam-driver", "dhcp", "-o", "parent=eth0"];
    await podman(plugin, "network", "create", ...words, "leased");
    const inspected = await podman(plugin, "network", "inspect", "leased");
    expect(JSON.parse(inspected)[0].ipam_options).toEqual({ driver: "dhcp" });
    await podman(plugin, "network", "rm", "leased");
  });

  test("options of one container alone", async () => {
    const words = ["-d", "bun-ipvlan", "--subnet", "198.51.100.0/24", "-o", "parent=eth0"];
    await podman(plugin, "network", "create", ...words, "made");
    await start(plugin, "one", "made:mtu=1300,metric=7");
    expect(await inside(plugin, "one", "ip", "-o", "link", "show", "eth0")).toContain("mtu 1300");
    expect(await inside(plugin, "one", "ip", "route")).toContain("metric 7");
    await tidy(plugin);
  });

  test("podman info shows the plugin, and what stands in netavark's place", async () => {
    expect(await podman(plugin, "info", "--format", "{{.Plugins.Network}}")).toContain("bun-ipvlan");
    const [, ours] = ways as [Way, Way];
    expect(await podman(ours, "info", "--format", "{{.Host.NetworkBackendInfo.Version}}")).toStartWith(
      "ipvlan ",
    );
  });
}

function withCni(): void {
  const [way] = ways as [Way];

  test("network create -d ipvlan takes the default route's interface as parent", async () => {
    const words = [
      "-d",
      "ipvlan",
      "--subnet",
      wire.v4,
      "--ip-range",
      "192.0.2.128/25",
      "-o",
      "mode=l2",
      "-o",
      "mtu=1400",
    ];
    await podman(way, "network", "create", ...words, "made");
    await start(way, "one", "made");
    const link = await inside(way, "one", "ip", "-o", "link", "show", "eth0");
    expect(link).toContain("mtu 1400");
    expect(link).toContain((await hostLink("eth0"))[0]!.address);
    await podman(way, "rm", "--all", "--force", "--time", "0");
    await podman(way, "network", "rm", "made");
  });

  test("an internal network has no default route", async () => {
    await podman(
      way,
      "network",
      "create",
      "-d",
      "ipvlan",
      "--internal",
      "--subnet",
      "198.51.100.0/24",
      "inner",
    );
    await start(way, "one", "inner");
    expect(await inside(way, "one", "ip", "route")).not.toContain("default");
    await podman(way, "rm", "--all", "--force", "--time", "0");
    await podman(way, "network", "rm", "inner");
  });
}

/** Three networks: `wire` on the wire, `second` beside it, and `broken`, whose parent is no more. */
async function makeNetwork(way: Way): Promise<void> {
  if (backend === "cni") {
    for (const [name, file] of Object.entries(conflists()))
      await Bun.write(`/etc/cni/net.d/${name}.conflist`, file);
    return;
  }
  const create = (...words: string[]) => podman(way, "network", "create", "-d", way.driver, ...words);
  const parent = ["--interface-name", "eth0"];
  const v4 = ["--subnet", wire.v4, "--gateway", wire.outside.v4, "--ip-range", "192.0.2.128/25"];
  const v6 = ["--subnet", wire.v6, "--gateway", wire.outside.v6, "--ip-range", "2001:db8:1::1000/116"];
  await create(...parent, ...v4, ...v6, "wire");
  await create(...parent, "--subnet", "198.51.100.0/24", "second");
  await Bun.spawn(["ip", "link", "add", "gone0", "type", "dummy"]).exited;
  await create("--interface-name", "gone0", "--subnet", "203.0.113.0/24", "broken");
  await Bun.spawn(["ip", "link", "delete", "gone0"]).exited;
}

/** As Podman 4.3 writes them, with a master, which it cannot be told. */
function conflists(): Record<string, string> {
  const network = (name: string, master: string, ...subnets: object[][]) =>
    JSON.stringify({
      cniVersion: "0.4.0",
      name,
      plugins: [
        {
          type: "ipvlan",
          master,
          ipam: { type: "host-local", routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }], ranges: subnets },
          capabilities: { ips: true },
        },
      ],
    });
  return {
    wire: network(
      "wire",
      "eth0",
      [{ subnet: wire.v4, gateway: wire.outside.v4, rangeStart: "192.0.2.32" }],
      [{ subnet: wire.v6, gateway: wire.outside.v6 }],
    ),
    second: network("second", "eth0", [{ subnet: "198.51.100.0/24" }]),
    broken: network("broken", "gone0", [{ subnet: "203.0.113.0/24" }]),
  };
}

async function hostLink(name?: string): Promise<{ ifname: string; address: string }[]> {
  const words = name === undefined ? [] : ["dev", name];
  const child = Bun.spawn(["ip", "-json", "link", "show", ...words]);
  return JSON.parse(await child.stdout.text());
}
