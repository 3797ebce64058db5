/** The master when the configuration names none: the interface of the default route. */

import { expect, test } from "bun:test";
import { fixed, network } from "../support/network.ts";
import { hostWorld } from "../support/world.ts";

const cases: { name: string; routes: string[]; master: string }[] = [
  {
    name: "the lowest metric wins",
    routes: [
      "default via 10.0.0.2 metric 30",
      "default via 10.0.1.2 metric 10",
      "default via 10.0.2.2 metric 20",
    ],
    master: "b0",
  },
  {
    name: "no metric is the lowest",
    routes: ["default via 10.0.0.2 metric 1", "default via 10.0.2.2"],
    master: "c0",
  },
  {
    name: "IPv4 comes before IPv6",
    routes: ["default via fd00:1::2 metric 1", "default via 10.0.2.2 metric 500"],
    master: "c0",
  },
  {
    name: "IPv6 alone will do, the lowest metric again",
    routes: ["default via fd00:1::2 metric 9", "default via fd00:2::2 metric 8"],
    master: "c0",
  },
  {
    name: "of a multipath route the first hop",
    routes: ["default nexthop via 10.0.1.2 nexthop via 10.0.2.2"],
    master: "b0",
  },
  { name: "a default route without a gateway", routes: ["default dev b0 scope link"], master: "b0" },
  {
    name: "what leads nowhere does not count",
    routes: ["unreachable default metric 1", "default via fd00:1::2"],
    master: "b0",
  },
  {
    name: "what other tables say does not count",
    routes: ["default via 10.0.0.2 table 100", "default via 10.0.1.2 metric 5"],
    master: "b0",
  },
  {
    name: "half of the world is no default",
    routes: ["0.0.0.0/1 via 10.0.0.2", "default via 10.0.1.2"],
    master: "b0",
  },
];

test.each(["host", "container"])("without a master the default route of the %s decides", async (place) => {
  await using world = await hostWorld();
  const container = await world.container({ dad: false });
  const inContainer = place === "container";
  const where = inContainer ? container : world.host;
  if (!inContainer) await world.host.ip("link delete eth0");
  const lines = ["a0", "b0", "c0"].map(
    (name, index) => `link add ${name} type dummy
      link set ${name} address 02:00:00:00:00:0${index + 1} up
      address add 10.0.${index}.1/24 dev ${name}
      address add fd00:${index}::1/64 dev ${name} nodad`,
  );
  await where.ip(lines.join("\n"));
  const macs: Record<string, string> = {
    a0: "02:00:00:00:00:01",
    b0: "02:00:00:00:00:02",
    c0: "02:00:00:00:00:03",
  };
  const net = network(world, {
    master: undefined,
    linkInContainer: inContainer,
    ipam: fixed(["192.0.2.11/24"]),
  });
  for (const { name, routes, master } of inContainer ? cases.slice(0, 3) : cases) {
    await where.ip(routes.map((route) => `route add ${route}`).join("\n"));
    const result = await net.add(container);
    expect([name, result.interfaces?.[0]?.mac]).toEqual([name, macs[master]]);
    await net.del(container);
    await where.ip(routes.map((route) => `route delete ${route}`).join("\n"));
  }
  expect(await net.refusal("ADD", container)).toMatchObject({ code: 101 });
});
