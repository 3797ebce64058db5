/** Under the seccomp filter that container runtimes set by default every verb works, or says what it may not do. */

import { expect, test } from "bun:test";
import { join } from "node:path";
import { type CniResult, leased, network, stateOf, succeeded } from "../support/network.ts";
import { type Call, reference } from "../support/plugin.ts";
import { hostWorld } from "../support/world.ts";

const isX64 = process.arch === "x64";

/** Under a filter, with the capabilities that SECURITY.md lists. */
function confined(variant: string): Call {
  const capabilities = ["setpriv", "--bounding-set=-all,+net_admin,+sys_admin,+net_raw", "--inh-caps=-all"];
  const filter = [process.execPath, join(import.meta.dir, "../support/confined.ts"), variant];
  return { wrapper: [...capabilities, ...filter], path: reference("1.9.1") };
}

for (const variant of ["privileged", "privileged new"])
  test.if(isX64)(
    `every verb works in a container with CAP_SYS_ADMIN (${variant})`,
    async () => {
      await using world = await hostWorld();
      const container = await world.container({ dad: false });
      const call = confined(variant);
      for (const config of [
        { announce: 1, conflictProbe: true },
        { vlan: 20, hostAccess: true },
        { ipam: leased(world, "203.0.113.0/24", { external: true }) },
      ]) {
        const net = network(world, { ipam: leased(world, "203.0.113.0/24"), ...config });
        const before = await stateOf(world);
        succeeded(await net.run("STATUS", undefined, call));
        const answer = await net.run("ADD", container, call);
        succeeded(answer);
        expect(answer.stderr).toBe("");
        await net.check(container, answer.json as CniResult, call);
        await net.gc([{ containerID: container.name, ifname: "eth0" }], call);
        await net.del(container, call);
        expect(await stateOf(world)).toEqual(before);
        // The GC of the reference's host-local does nothing.
        if ("external" in (net.config.ipam as object)) continue;
        await net.add(container, call);
        await net.gc([], call);
        expect(await stateOf(world)).toEqual(before);
      }
      succeeded(await network(world).run("VERSION", undefined, call));
    },
    180_000,
  );

test.if(isX64)(
  "without CAP_SYS_ADMIN's system calls the namespace cannot be entered, and that is what it says",
  async () => {
    await using world = await hostWorld();
    const container = await world.container({ dad: false });
    const net = network(world, { ipam: leased(world, "203.0.113.0/24") });
    const before = await stateOf(world);
    const { code, msg } = await net.refusal("ADD", container, confined("plain"));
    expect([code, msg]).toEqual([100, expect.stringContaining("it lacks CAP_SYS_ADMIN")]);
    expect(await stateOf(world)).toEqual(before);
    succeeded(await net.run("VERSION", undefined, confined("plain")));
    const late = await net.refusal("ADD", container, confined("plain new"));
    expect(late.msg).toContain("setns");
    expect(await stateOf(world)).toEqual(before);
  },
);
