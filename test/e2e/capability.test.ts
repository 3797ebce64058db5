/** A plugin without the privileges it needs says which one, and changes nothing. */

import { expect, test } from "bun:test";
import { leased, network, stateOf } from "../support/network.ts";
import { hostWorld } from "../support/world.ts";

/** Runs what follows as root without one capability, as in a user namespace that does not have it. */
function without(capability: string): string[] {
  return ["setpriv", `--bounding-set=-${capability}`, `--inh-caps=-${capability}`];
}

test("ADD without CAP_NET_ADMIN or CAP_SYS_ADMIN names the capability and leaves nothing", async () => {
  await using world = await hostWorld();
  const container = await world.container();
  const net = network(world, { ipam: leased(world, "203.0.113.0/24") });
  const before = await stateOf(world);
  for (const [capability, code, text] of [
    ["net_admin", 102, "CAP_NET_ADMIN"],
    ["sys_admin", 100, "CAP_SYS_ADMIN"],
  ] as const) {
    const answer = await net.refusal("ADD", container, { wrapper: without(capability) });
    expect(answer.code).toBe(code);
    expect(answer.msg).toContain(text);
    expect(answer.details).toContain("run the runtime as root");
    expect(await stateOf(world)).toEqual(before);
  }
});

test("STATUS without CAP_NET_ADMIN says that no ADD can be served", async () => {
  await using world = await hostWorld();
  const net = network(world, { ipam: leased(world, "203.0.113.0/24") });
  const { code, msg } = await net.refusal("STATUS", undefined, { wrapper: without("net_admin") });
  expect([code, msg]).toEqual([50, "the plugin lacks CAP_NET_ADMIN"]);
});
