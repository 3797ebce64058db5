/** The reference plugins run here too: what ours is compared with, and the IPAM that it delegates to. */

import { expect, test } from "bun:test";
import { plugin, type Release, reference } from "../support/plugin.ts";
import { snapshot } from "../support/snapshot.ts";
import { hostWorld, master, wire } from "../support/world.ts";

test.each(["1.1.1", "1.9.1"] as const)(
  "release %s attaches a container and detaches it",
  async (release: Release) => {
    await using world = await hostWorld();
    const container = await world.container();
    const before = await snapshot(world);
    const config = {
      cniVersion: "1.0.0",
      name: "network",
      type: "ipvlan",
      master,
      mode: "l2",
      ipam: { type: "host-local", subnet: wire.v4, rangeStart: "192.0.2.10", dataDir: world.leases },
    };
    // A name that the host does not have: older kernels refuse another.
    const call = {
      ...{ netns: container, ifName: "net0" },
      ...{ program: `${reference(release)}/ipvlan`, path: reference(release) },
    };

    const added = await plugin(world.host, "ADD", config, call);
    expect(added.stderr).toBe("");
    expect(added.json).toMatchObject({ interfaces: [{ name: "net0" }], ips: [{ address: "192.0.2.10/24" }] });
    expect(await container.linkNames()).toEqual(["net0"]);
    expect(await container.reaches(wire.outside.v4)).toBe(true);
    expect((await snapshot(world)).files[`leases/network/192.0.2.10`]).toStartWith("container-1");

    const deleted = await plugin(world.host, "DEL", config, call);
    expect(deleted).toMatchObject({ exitCode: 0, stdout: "" });
    const after = await snapshot(world);
    expect(after.namespaces).toEqual(before.namespaces);
    // host-local keeps its lock and a note of the last address.
    expect(Object.keys(after.files)).not.toContain("leases/network/192.0.2.10");
  },
);
