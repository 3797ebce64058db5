/** The same calls to this release's netavark and to our binary in its place: the same answers, the same state. */

import { expect, test } from "bun:test";
import { binary } from "../kernel/environment.ts";
import { type Json, netavark, netavarkInput } from "../support/netavark.ts";
import { type Bed, bed, linkOf, routesOf } from "../support/netavark-bed.ts";
import { backend } from "./machine.ts";

const peer = "/usr/lib/podman/netavark";

const v6 = { subnet: "fd00:88::/64", gateway: "fd00:88::1" };
const v4 = { subnet: "10.88.0.0/16", gateway: "10.88.0.1" };

/** The metric is given, because its default has changed between netavark 1 and 2. */
const inputs: Record<string, Json> = {
  "one address": netavarkInput({ network: { options: { metric: "99" } } }),
  "both families": netavarkInput({
    options: { static_ips: ["10.88.0.2", "fd00:88::2"] },
    network: { subnets: [v4, v6], options: { metric: "7" }, ipv6_enabled: true },
  }),
  "mtu, l3": netavarkInput({ network: { options: { mtu: "1400", mode: "l3", metric: "99" } } }),
  l3s: netavarkInput({ network: { options: { mode: "l3s", metric: "99" } } }),
  "no default route": netavarkInput({ network: { options: { no_default_route: "true" } } }),
  internal: netavarkInput({ network: { internal: true } }),
  "no gateway": netavarkInput({ network: { subnets: [{ subnet: "10.88.0.0/16" }] } }),
  "static routes": netavarkInput({
    network: {
      options: { metric: "99" },
      routes: [
        { destination: "10.89.0.0/24", gateway: "10.88.0.2" },
        { destination: "10.90.0.0/24", gateway: "10.88.0.3", metric: 5 },
      ],
    },
  }),
  "ipam none": netavarkInput({
    network: { subnets: [], ipam_options: { driver: "none" } },
    options: { static_ips: null },
  }),
};

if (backend === "netavark") {
  test.each(Object.entries(inputs))("%s", async (_name, input) => {
    expect(await outcome(binary, input)).toEqual(await outcome(peer, input));
  });

  test("an interface of that name is there: both refuse, and leave it", async () => {
    for (const program of [binary, peer]) {
      await using world = await bed();
      await world.container.ip("link add eth0 type dummy");
      const answer = await netavark(world.host, ["setup", world.container.path], netavarkInput(), program);
      expect(answer).toMatchObject({ exitCode: 1, json: { error: expect.any(String) } });
      expect(await world.container.linkNames()).toEqual(["eth0"]);
    }
  });
}

/** What a program answers, what is there then, and what after its teardown; without what differs from run to run. */
async function outcome(program: string, input: Json): Promise<unknown> {
  await using world = await bed();
  const call = async (verb: string) => {
    const { exitCode, json, stderr } = await netavark(
      world.host,
      [verb, world.container.path],
      input,
      program,
    );
    return { exitCode, json, stderr, state: await stateOf(world) };
  };
  const setup = await call("setup");
  const mac = (await linkOf(world.host, "dummy0"))?.address ?? "";
  const teardown = await call("teardown");
  return JSON.parse(JSON.stringify({ setup, teardown }).replaceAll(mac, "MAC"));
}

async function stateOf({ container }: Bed): Promise<unknown> {
  const link = await linkOf(container);
  const lo = await linkOf(container, "lo");
  return {
    link: link && {
      mac: link.address,
      mtu: link.mtu,
      flags: link.flags,
      kind: link.linkinfo,
      addresses: link.addr_info
        .filter(({ scope }) => scope === "global")
        .map(({ local, prefixlen, ...more }) => ({ local, prefixlen, broadcast: (more as Json).broadcast })),
    },
    loopbackIsUp: lo?.flags.includes("UP"),
    v4: await routesOf(container),
    v6: (await routesOf(container, 6)).sort(),
    autoconf: link && (await container.run(["cat", "/proc/sys/net/ipv6/conf/eth0/autoconf"])).stdout,
  };
}
