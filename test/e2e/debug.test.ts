/** The debug log of real calls. */

import { expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fakeIpam } from "../support/fake-ipam.ts";
import { leased, network } from "../support/network.ts";
import { hostWorld, master } from "../support/world.ts";

type Line = Record<string, unknown> & { step: string };

function linesOf(text: string): Line[] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
}

test("IPVLAN_DEBUG tells an ADD step by step in a file, with what the kernel was asked; the result is the same", async () => {
  await using world = await hostWorld();
  const net = network(world, { mode: "l3", ipam: leased(world, "198.51.100.0/24") });
  const container = await world.container();
  const path = join(world.directory, "debug.log");
  const result = await net.add(container, {
    environment: { IPVLAN_DEBUG: path, TRACEPARENT: "00-ab-cd-01" },
  });
  expect(result.ips).toHaveLength(1);
  const lines = linesOf(readFileSync(path, "utf8"));
  const steps = lines.map(({ step }) => step);
  for (const step of ["call", "configuration", "namespaces are open", "master is chosen", "record"])
    expect(steps).toContain(step);
  for (const step of ["lease taken", "addresses are given", "sysctl", "netlink", "answer"])
    expect(steps).toContain(step);
  for (const line of lines) expect(line).toMatchObject({ command: "ADD", traceparent: "00-ab-cd-01" });
  const requests = lines.flatMap(({ requests }) => (requests ?? []) as Record<string, unknown>[]);
  expect(requests).toContainEqual(
    expect.objectContaining({
      message: "RTM_NEWLINK",
      info: { kind: "ipvlan", data: { mode: 1, flags: 0 } },
    }),
  );
  expect(requests).toContainEqual(
    expect.objectContaining({ message: "RTM_NEWADDR", local: "198.51.100.2", length: 24, answer: "ok" }),
  );
});

test('"debug" of the configuration does the same on standard error, and a failure is told with its undoing', async () => {
  await using world = await hostWorld();
  const net = network(world, {
    debug: "stderr",
    mtu: 1000,
    ipam: leased(world, "2001:db8:1::/64"),
  });
  const answer = await net.run("ADD", await world.container());
  expect(answer.exitCode).toBe(1);
  const steps = linesOf(answer.stderr).map(({ step }) => step);
  expect(steps.at(-1)).toBe("answer");
  expect(steps).toContain("undo");
  expect(steps.indexOf("undo")).toBeLessThan(steps.indexOf("lease given back"));
});

test('"debug" of the configuration names a file of the log directory, and no path leads out of it', async () => {
  await using world = await hostWorld();
  const net = network(world, { ipam: {} });
  const [first, second] = [await world.container(), await world.container()];
  await net.with({ debug: "net.log" }).add(first);
  expect(linesOf(readFileSync("/var/log/ipvlan/net.log", "utf8")).length).toBeGreaterThan(5);
  rmSync("/var/log/ipvlan", { recursive: true });
  const path = join(world.directory, "elsewhere");
  const answer = await net.with({ debug: path }).run("ADD", second);
  expect([answer.exitCode, answer.stderr]).toEqual([0, expect.stringContaining("no debug log")]);
  expect(existsSync(path)).toBe(false);
  expect((await net.with({ debug: "" }).run("DEL", first)).stderr).toBe("");
});

test("DEL tells what it looked for; without being asked, nothing is told", async () => {
  await using world = await hostWorld();
  const net = network(world, { ipam: {} });
  const container = await world.container();
  expect((await net.run("ADD", container)).stderr).toBe("");
  const { stdout, stderr } = await net.run("DEL", container, { environment: { IPVLAN_DEBUG: "stderr" } });
  expect(stdout).toBe("");
  expect(linesOf(stderr)).toContainEqual(
    expect.objectContaining({ step: "link to remove", name: master, found: "ipvlan" }),
  );
});

test("TRACEPARENT reaches an IPAM program", async () => {
  await using world = await hostWorld();
  using ipam = fakeIpam(world, { ADD: 'echo "$TRACEPARENT" >&2; exit 1' });
  const net = network(world, { ipam: { type: ipam.type } });
  const answer = await net.run("ADD", await world.container(), {
    path: ipam.path,
    environment: { TRACEPARENT: "00-ab-cd-01" },
  });
  expect(answer.stderr).toContain("00-ab-cd-01");
});
