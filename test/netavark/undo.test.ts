/** A failed setup leaves nothing; a teardown removes whatever is there and nothing else. */

import { expect, test } from "bun:test";
import { type Json, netavark, netavarkInput, network, pluginInput, podmanCall } from "../support/netavark.ts";
import { addressesOf, bed, linkOf, routesOf } from "../support/netavark-bed.ts";

const silence = { exitCode: 0, stdout: "", stderr: "" };

/** The endpoint records, which are the plugin's own files. */
async function records(): Promise<string[]> {
  const found = await Array.fromAsync(new Bun.Glob("netavark:*").scan({ cwd: "/run/ipvlan" })).catch(
    () => [],
  );
  return found.sort();
}

test("a gateway that cannot be reached: the error names it, and link and record are gone", async () => {
  await using world = await bed();
  const input = netavarkInput({
    network: { subnets: [{ subnet: "10.88.0.0/16", gateway: "10.99.0.1" }] },
  });
  const answer = await netavark(world.host, ["setup", world.container.path], input);
  expect(answer).toMatchObject({ exitCode: 1, stderr: "" });
  const { error, ...more } = answer.json as Json;
  expect(error).toContain(
    'the kernel refused route 0.0.0.0/0 via 10.99.0.1 on "eth0": RTM_NEWROUTE 0.0.0.0/0: ',
  );
  expect(error).toContain("Network is unreachable (ENETUNREACH)");
  expect(error).toEndWith("; give a gateway that can be reached on this link");
  // Podman shows a decoding error for a document with any further key.
  expect(more).toEqual({});
  expect(await world.container.linkNames()).toEqual([]);
  expect(await records()).toEqual([]);
});

test("routes that were made before another one failed are gone, also those that the link does not take along", async () => {
  await using world = await bed();
  const { host, container } = world;
  await container.ip("link add other0 type dummy\naddress add 10.91.0.10/24 dev other0\nlink set other0 up");
  const input = netavarkInput({
    network: {
      routes: [
        { destination: "10.95.0.0/24", route_type: "blackhole" },
        { destination: "10.92.0.0/24", gateway: "10.91.0.1" },
        { destination: "10.93.0.0/24", gateway: "10.200.0.1" },
        { destination: "10.94.0.0/24", route_type: "prohibit" },
      ],
    },
  });
  // With the default route even that gateway could be reached.
  (input as { network_info: { podman: Json } }).network_info.podman.internal = true;
  const answer = await netavark(host, ["setup", container.path], input);
  expect(answer.exitCode).toBe(1);
  expect((answer.json as Json).error).toContain("route 10.93.0.0/24 via 10.200.0.1");
  expect(await routesOf(container)).toEqual([]);
  expect(await container.linkNames()).toEqual(["other0"]);
});

test("a route that was there before a failed setup stays", async () => {
  await using world = await bed();
  const { host, container } = world;
  await container.ip("link set lo up\nroute add blackhole 10.95.0.0/24 metric 100 protocol static");
  const input = netavarkInput({
    network: {
      internal: true,
      routes: [
        { destination: "10.95.0.0/24", route_type: "blackhole" },
        { destination: "10.93.0.0/24", gateway: "10.200.0.1" },
      ],
    },
  });
  expect((await netavark(host, ["setup", container.path], input)).exitCode).toBe(1);
  expect(await routesOf(container)).toEqual(["blackhole 10.95.0.0/24 metric 100 static"]);
});

test("an address that another container of the parent has: a clear error after a moment's patience, nothing left", async () => {
  await using first = await bed();
  await using second = await bed();
  expect(await netavark(first.host, ["setup", first.container.path], netavarkInput())).toMatchObject({
    exitCode: 0,
  });
  const other = { ...netavarkInput(), container_id: "otherID" };
  const answer = await netavark(first.host, ["setup", second.container.path], other);
  expect(answer.exitCode).toBe(1);
  expect((answer.json as Json).error).toContain(
    "address 10.88.0.2 is in use by another ipvlan link on this master",
  );
  expect(await second.container.linkNames()).toEqual([]);
});

test("the host's own address on the parent: refused, for the host would lose it", async () => {
  await using world = await bed();
  const { host, container } = world;
  await host.ip("address add 10.88.0.2/16 dev dummy0\naddress add fd00:88::2/64 dev dummy0");
  const v6 = { network: { subnets: [{ subnet: "fd00:88::/64" }] }, options: { static_ips: ["fd00:88::2"] } };
  for (const [input, address] of [
    [netavarkInput(), "10.88.0.2"],
    [netavarkInput(v6), "fd00:88::2"],
  ] as const) {
    const answer = await netavark(host, ["setup", container.path], input);
    expect(answer.exitCode).toBe(1);
    expect((answer.json as Json).error).toBe(
      `address ${address} is the host's own, on the parent; create the network with an --ip-range that leaves it out, or try again for the next address`,
    );
    expect(await container.linkNames()).toEqual([]);
  }
});

test("the second network fails: the first one's interface is gone too", async () => {
  await using world = await bed();
  const input = {
    container_id: "someID",
    container_name: "someName",
    networks: {
      good: { interface_name: "eth0", static_ips: ["10.88.0.2"] },
      bad: { interface_name: "eth1", static_ips: ["10.89.0.2"] },
    },
    network_info: {
      good: network({ name: "good", routes: [{ destination: "10.95.0.0/24", route_type: "blackhole" }] }),
      bad: network({ name: "bad", subnets: [{ subnet: "10.89.0.0/24" }], network_interface: "absent0" }),
    },
  };
  const answer = await netavark(world.host, ["setup", world.container.path], input);
  expect(answer).toMatchObject({ exitCode: 1, stderr: "" });
  expect((answer.json as Json).error).toBe(
    'master "absent0" not found in the host\'s namespace; choose an interface that exists there (see: ip link)',
  );
  expect(await world.container.linkNames()).toEqual([]);
  expect(await routesOf(world.container)).toEqual([]);
  expect(await records()).toEqual([]);
});

test("all networks are checked before anything is done for the first", async () => {
  await using world = await bed();
  const input = {
    ...netavarkInput(),
    networks: {
      podman: { interface_name: "eth0", static_ips: ["10.88.0.2"] },
      second: { interface_name: "eth1", static_ips: ["10.88.0.2"] },
    },
  };
  const answer = await netavark(world.host, ["setup", world.container.path], input);
  expect(answer.json).toEqual({ error: "network info for network second not found" });
  const next = await netavark(world.host, ["setup", world.container.path], netavarkInput());
  expect(next.exitCode).toBe(0);
  // No index is given twice: this would not be the first one after loopback's, had there been a link before.
  const [link] = await world.container.json<{ ifindex: number }[]>("link show eth0");
  expect(link?.ifindex).toBe(2);
});

test("when nobody reads the answer, setup has failed and leaves nothing", async () => {
  await using world = await bed();
  const { host, container } = world;
  const script = `"$0" setup "$1" >/dev/full; echo $?`;
  const { binary } = await import("../kernel/environment.ts");
  const answer = await host.run(["sh", "-c", script, binary, container.path], {
    stdin: JSON.stringify(pluginInput()),
  });
  expect(answer.stdout).toBe("1\n");
  expect(await container.linkNames()).toEqual([]);
});

test("teardown twice, or before any setup, is silent success", async () => {
  await using world = await bed();
  const { host, container } = world;
  for (const [call, input] of [
    [netavark, netavarkInput()],
    [podmanCall, pluginInput()],
  ] as const) {
    expect(await call(host, ["teardown", container.path], input)).toMatchObject(silence);
    await call(host, ["setup", container.path], input);
    expect(await call(host, ["teardown", container.path], input)).toMatchObject(silence);
    expect(await call(host, ["teardown", container.path], input)).toMatchObject(silence);
    expect(await container.linkNames()).toEqual([]);
  }
});

test("teardown with the namespace gone is silent success, and the record goes", async () => {
  await using world = await bed();
  await netavark(world.host, ["setup", world.container.path], netavarkInput());
  expect(await records()).toEqual(["netavark:podman,someID,eth0"]);
  for (const path of ["/proc/does-not-exist/ns/net", "/run/netns/does-not-exist"]) {
    expect(await netavark(world.host, ["teardown", path], netavarkInput())).toMatchObject(silence);
    expect(await podmanCall(world.host, ["teardown", path], pluginInput())).toMatchObject(silence);
  }
  expect(await records()).toEqual([]);
});

test("teardown needs neither addresses nor a network that setup would take", async () => {
  await using world = await bed();
  const { host, container } = world;
  await netavark(host, ["setup", container.path], netavarkInput());
  const input = netavarkInput({
    options: { static_ips: null },
    network: { subnets: "none", ipam_options: { driver: "dhcp" }, options: { mode: "l9" }, routes: [{}] },
  });
  expect(await netavark(host, ["teardown", container.path], input)).toMatchObject(silence);
  expect(await container.linkNames()).toEqual([]);
});

test("a route that is missing does not keep teardown from the link, nor a link from the routes", async () => {
  await using world = await bed();
  const { host, container } = world;
  const routes = [
    { destination: "10.90.0.0/24", gateway: "10.88.0.3" },
    { destination: "10.95.0.0/24", route_type: "blackhole" },
  ];
  const input = netavarkInput({ network: { routes } });
  await netavark(host, ["setup", container.path], input);
  await container.ip("route delete 10.90.0.0/24");
  expect(await netavark(host, ["teardown", container.path], input)).toMatchObject(silence);
  expect(await container.linkNames()).toEqual([]);
  await netavark(host, ["setup", container.path], input);
  await container.ip("link delete eth0");
  expect(await netavark(host, ["teardown", container.path], input)).toMatchObject(silence);
  expect(await routesOf(container)).toEqual([]);
});

test("teardown leaves an interface of another kind alone", async () => {
  await using world = await bed();
  const { host, container } = world;
  await container.ip("link add eth0 type dummy");
  expect(await netavark(host, ["teardown", container.path], netavarkInput())).toMatchObject(silence);
  expect(await container.linkNames()).toEqual(["eth0"]);
});

test("what an interrupted setup left under its temporary name is removed by teardown", async () => {
  await using world = await bed("eth0");
  const { host, container } = world;
  const { temporaryName } = await import("../../src/ipvlan/record.ts");
  const name = temporaryName("netavark:podman", {
    containerId: "someID",
    netns: container.path,
    ifName: "eth0",
  });
  await host.ip(`link add link eth0 name ${name} netns ${container.name} type ipvlan`);
  const input = netavarkInput({ network: { network_interface: "eth0" } });
  expect(await netavark(host, ["teardown", container.path], input)).toMatchObject(silence);
  expect(await container.linkNames()).toEqual([]);
});

test("teardown goes on after a network that fails, and then names every failure", async () => {
  await using world = await bed();
  const { host, container } = world;
  await netavark(host, ["setup", container.path], netavarkInput());
  const input = netavarkInput() as { networks: Json; network_info: Json };
  input.networks = {
    bridged: { interface_name: "eth7" },
    ...input.networks,
    absent: { interface_name: "eth8" },
  };
  input.network_info = { bridged: network({ name: "bridged", driver: "bridge" }), ...input.network_info };
  const answer = await netavark(host, ["teardown", container.path], input);
  expect(answer.exitCode).toBe(1);
  const lines = String((answer.json as Json).error).split("\n");
  expect(lines).toEqual([
    "netavark encountered multiple errors:",
    expect.stringContaining("\t- network bridged has the driver bridge, which is not served here"),
    "\t- network info for network absent not found",
  ]);
  expect(await container.linkNames()).toEqual([]);
});

test("two networks of one container, in the order of the array, each with its own status", async () => {
  await using world = await bed();
  const { host, container } = world;
  const input = {
    container_id: "someID",
    container_name: "someName",
    networks: [
      { name: "zoo", interface_name: "eth0", static_ips: ["10.88.0.2"] },
      { name: "ant", interface_name: "eth1", static_ips: ["10.89.0.2"] },
    ],
    network_info: {
      ant: network({
        name: "ant",
        subnets: [{ subnet: "10.89.0.0/24", gateway: "10.89.0.1" }],
        options: { metric: "300" },
      }),
      zoo: network({ name: "zoo" }),
    },
  };
  const answer = await netavark(host, ["setup", container.path], input);
  expect(Object.keys(answer.json as object)).toEqual(["zoo", "ant"]);
  expect(addressesOf(await linkOf(container, "eth0"))).toEqual(["10.88.0.2/16"]);
  expect(addressesOf(await linkOf(container, "eth1"))).toEqual(["10.89.0.2/24"]);
  expect(await routesOf(container)).toEqual([
    "default via 10.88.0.1 metric 99 static",
    "default via 10.89.0.1 metric 300 static",
  ]);
  expect(await netavark(host, ["teardown", container.path], input)).toMatchObject(silence);
  expect(await container.linkNames()).toEqual([]);
});
