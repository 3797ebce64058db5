/** Which interface becomes the master where more is said than a name, and which cannot be one. */

import { expect, test } from "bun:test";
import { network } from "../support/network.ts";
import { hostWorld, master } from "../support/world.ts";

test("a master that is down is refused, unless that is allowed", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await world.host.ip(`link set ${master} down`);
  const net = network(world, { ipam: {} });
  const { code, msg } = await net.refusal("ADD", container);
  expect([code, msg]).toEqual([101, `master "${master}" is down`]);
  expect((await net.refusal("STATUS")).code).toBe(50);
  await net.with({ allowMasterDown: true }).add(container);
});

test("the master can be chosen by list, alternative name, MAC, prefix and pattern", async () => {
  await using world = await hostWorld();
  await world.wire(
    world.host,
    "wan1",
    "address add 198.18.0.1/24 dev wan1\nlink property add dev wan1 altname uplink",
  );
  await world.host.ip("link add wan2 type dummy");
  const links = (await world.host.json("link")) as { ifname: string; address: string; ifindex: number }[];
  const wanted = links.find(({ ifname }) => ifname === "wan1");
  const chosen = async (masterOption: unknown) => {
    const container = await world.container();
    const net = network(world, { master: masterOption, ipam: {} });
    await net.add(container);
    const [link] = (await container.json("link show dev eth0")) as [{ link_index: number }];
    await net.del(container);
    return link.link_index;
  };
  for (const selection of [
    ["absent0", "wan2", "wan1"],
    "uplink",
    { name: "uplink" },
    { mac: wanted?.address.toUpperCase() },
    { prefix: "198.18.0.0/16" },
    [{ match: "^nothing" }, { match: "^wan1$" }],
    { match: "^wan", prefix: "198.18.0.0/16" },
  ]) {
    expect(JSON.stringify([selection, await chosen(selection)])).toBe(
      JSON.stringify([selection, wanted?.ifindex]),
    );
  }
});

test("an ambiguous choice lists the candidates; one that nobody fits says why", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await world.host.ip(`link add wan1 up type dummy
    link add wan2 up type dummy
    link add wan3 type dummy`);
  const net = network(world, { ipam: {} });
  const ambiguous = await net.with({ master: { match: "^wan" } }).refusal("ADD", container);
  expect(ambiguous.msg).toBe('match "^wan" of "master" fits several interfaces: "wan1", "wan2"');
  expect(ambiguous.details).toBe(
    "say it so that it fits one, or list the names in the order they are wanted",
  );
  const none = await net
    .with({ master: ["wan3", { mac: "02:00:00:00:00:01" }, "lo"] })
    .refusal("ADD", container);
  expect(none.msg).toBe('no interface that "master" names can serve');
  expect(none.details).toContain('name "wan3": "wan3" is down');
  expect(none.details).toContain('mac "02:00:00:00:00:01": no such interface');
  expect(none.details).toContain("loopback");
  expect(none.details).toEndWith("bring one of them up, or name another");
});

test("chained: the sandbox of the previous interface decides where the master is looked up", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await container.ip("link add inner0 up type dummy");
  const prevResult = {
    cniVersion: "1.1.0",
    interfaces: [{ name: "inner0", sandbox: container.path }],
    ips: [{ address: "192.0.2.31/24", interface: 0 }],
  };
  const net = network(world, { master: undefined, prevResult });
  const result = await net.add(container);
  expect(result.interfaces?.map(({ name }) => name)).toEqual(["inner0", "eth0"]);
  const shown = (await container.json("link")) as { ifname: string; link?: string }[];
  expect(shown.find(({ ifname }) => ifname === "eth0")?.link).toBe("inner0");
});

test("a selector that names no interface means none of the endpoints, which bear their master's address", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await world.host.ip(`link add link ${master} name own0 type ipvlan mode l2\nlink set own0 up`);
  const links = (await world.host.json("link")) as { ifname: string; address: string }[];
  const mac = links.find(({ ifname }) => ifname === master)!.address;
  await network(world, { master: { mac }, ipam: {} }).add(container);
});

test("a master that is no Ethernet interface is refused by its type", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  await world.host.ip("link add can0 up type vcan");
  expect(await network(world, { master: "can0", ipam: {} }).refusal("ADD", container)).toMatchObject({
    code: 101,
    msg: 'master "can0" is not an Ethernet interface (type 280)',
    details: "choose an Ethernet interface as master",
  });
});
