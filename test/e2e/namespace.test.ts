/** CNI_NETNS that is no namespace, or the wrong one: ADD and CHECK say so, and nothing is touched. */

import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { mustRun } from "../support/command.ts";
import { leased, network, stateOf } from "../support/network.ts";
import { type Ground, type Refusal, refusals } from "../support/refusals.ts";
import { hostWorld } from "../support/world.ts";

const at =
  (name: string) =>
  ({ world }: Ground) => ({ netns: `${world.directory}/${name}` });

const rows: Refusal[] = [
  { of: "nothing there", call: at("absent"), code: 100, says: ["CNI_NETNS", "absent"], details: "ENOENT" },
  { of: "a plain file", call: at("plain"), code: 100, says: ["CNI_NETNS", "plain"] },
  { of: "a FIFO", call: at("fifo"), code: 100, says: ["CNI_NETNS", "fifo"] },
  { of: "a directory", call: at("directory"), code: 100, says: ["CNI_NETNS", "directory"] },
  { of: "a file as directory", call: at("plain/net"), code: 100, says: ["plain/net"], details: "ENOTDIR" },
  { of: "a mount namespace", call: { netns: "/proc/self/ns/mnt" }, code: 100, says: ["/proc/self/ns/mnt"] },
  { of: "a process that is gone", call: { netns: "/proc/999999/ns/net" }, code: 100, says: ["/proc/999999"] },
  { of: "our own", call: { netns: "/proc/self/ns/net" }, code: 8, says: ["CNI_NETNS", "/proc/self/ns/net"] },
  { of: "our own, by name", call: ({ world }) => ({ netns: world.host }), code: 8, says: ["CNI_NETNS"] },
];

async function prepare({ world }: Ground): Promise<void> {
  writeFileSync(`${world.directory}/plain`, "");
  mkdirSync(`${world.directory}/directory`);
  await mustRun(["mkfifo", `${world.directory}/fifo`]);
}

refusals(
  "ADD refuses what is no other network namespace",
  (world) => ({ ipam: leased(world, "192.0.2.0/24") }),
  rows,
  prepare,
);

refusals(
  "CHECK refuses what is no other network namespace",
  () => ({ ipam: {}, prevResult: { cniVersion: "1.1.0" } }),
  rows.map((row) => ({ ...row, verb: "CHECK" })),
  prepare,
);

refusals(
  "DEL refuses its own namespace, where the host has an ipvlan link of that name, before it gives back the lease",
  (world) => ({ ipam: leased(world, "192.0.2.0/24") }),
  [
    {
      of: "own",
      verb: "DEL",
      call: ({ world }) => ({ netns: world.host, ifName: "mine0" }),
      code: 8,
      says: ["CNI_NETNS", "is the network namespace the plugin itself runs in"],
      details: "give the container's namespace, or set CNI_NETNS_OVERRIDE=1 if this is meant",
    },
  ],
  async ({ world, container, net }) => {
    await world.host.ip("link add link eth0 name mine0 type ipvlan mode l2");
    await net.add(container, { ifName: "mine0" });
  },
);

test("with CNI_NETNS_OVERRIDE the plugin's own namespace is a container like any other", async () => {
  await using world = await hostWorld();
  const before = await stateOf(world);
  const net = network(world, { ipam: leased(world, "192.0.2.0/24") });
  const call = { ifName: "mine0", environment: { CNI_NETNS_OVERRIDE: "1" } };
  const result = await net.add(world.host, call);
  expect(await world.host.linkNames()).toContain("mine0");
  await net.check(world.host, result, call);
  await net.del(world.host, call);
  expect(await stateOf(world)).toEqual(before);
});
