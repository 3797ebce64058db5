/**
 * The capabilities that SECURITY.md lists are enough, and each is needed: a plugin without it says so, and changes nothing that
 * is not then undone or can be repeated.
 */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repository } from "../kernel/environment.ts";
import { daemon, dhcpNetwork, dnsmasq } from "../support/dhcp.ts";
import type { Namespace } from "../support/namespace.ts";
import { type CniResult, leased, type Network, network, stateOf, succeeded } from "../support/network.ts";
import { type Answer, reference, type Verb } from "../support/plugin.ts";
import { hostWorld, type World } from "../support/world.ts";

type Capability = "CAP_NET_ADMIN" | "CAP_SYS_ADMIN" | "CAP_NET_RAW";

/** What each verb needs, whatever the options. */
const OF_VERB: Record<Exclude<Verb, "VERSION">, Capability[]> = {
  ADD: ["CAP_NET_ADMIN", "CAP_SYS_ADMIN"],
  DEL: ["CAP_NET_ADMIN", "CAP_SYS_ADMIN"],
  GC: ["CAP_NET_ADMIN", "CAP_SYS_ADMIN"],
  CHECK: ["CAP_SYS_ADMIN"],
  STATUS: ["CAP_NET_ADMIN", "CAP_SYS_ADMIN"],
};
const VERBS = Object.keys(OF_VERB) as (keyof typeof OF_VERB)[];

/** The options that ask for something of their own, with what ADD needs besides. */
const OPTIONS: Record<string, { config: (world: World) => object; more: Capability[] }> = {
  "host-local": { config: () => ({}), more: [] },
  IPv6: { config: (world) => ({ ipam: leased(world, "2001:db8:3::/64") }), more: [] },
  "an IPAM plugin that is executed": {
    config: (world) => ({ ipam: leased(world, "203.0.113.0/24", { external: true }) }),
    more: [],
  },
  vlan: { config: () => ({ vlan: 20 }), more: [] },
  hostAccess: { config: () => ({ hostAccess: true }), more: [] },
  conflictProbe: { config: () => ({ conflictProbe: true }), more: ["CAP_NET_RAW"] },
};

/** Runs what follows as root with these capabilities and no others. */
function only(capabilities: Capability[]): string[] {
  const kept = capabilities.map((name) => `+${name.replace("CAP_", "").toLowerCase()}`);
  return ["setpriv", `--bounding-set=${["-all", ...kept].join()}`, "--inh-caps=-all"];
}

/** The verb with these capabilities; CHECK is told what ADD said, GC that nothing is valid. */
function run(
  net: Network,
  verb: Verb,
  container: Namespace,
  capabilities: Capability[],
  prevResult?: CniResult,
): Promise<Answer> {
  const told = verb === "GC" ? { "cni.dev/valid-attachments": [] } : { prevResult };
  return net.with(told).run(verb, container, { wrapper: only(capabilities), path: reference("1.9.1") });
}

async function expectRefusal(answer: Answer, verb: Verb, missing: Capability): Promise<void> {
  const { code, msg, details } = answer.json as { code: number; msg: string; details: string };
  expect(answer.exitCode).toBe(1);
  expect(msg).toContain(`lacks ${missing}`);
  expect(details).toMatch(/Operation not permitted \(EPERM\); run the runtime as root/);
  expect(code).toBe(verb === "STATUS" ? 50 : missing === "CAP_SYS_ADMIN" ? 100 : 102);
}

for (const [name, { config, more }] of Object.entries(OPTIONS))
  test(`${name}: each verb works with the capabilities listed, and names the one that is missing`, async () => {
    await using world = await hostWorld();
    const container = await world.container({ dad: false });
    const net = network(world, { ipam: leased(world, "203.0.113.0/24"), ...config(world) });
    const before = await stateOf(world);
    // What undoes or looks at an endpoint is the same for most options.
    for (const verb of name === "host-local" ? VERBS : (["ADD", "DEL"] as const)) {
      const needed = [...OF_VERB[verb], ...(verb === "ADD" ? more : [])];
      for (const missing of [undefined, ...needed]) {
        const prevResult = verb === "ADD" ? undefined : await net.add(container);
        const kept = needed.filter((capability) => capability !== missing);
        const answer = await run(net, verb, container, kept, prevResult);
        if (missing === undefined) succeeded(answer);
        else await expectRefusal(answer, verb, missing);
        if (verb === "ADD" && missing !== undefined) expect(await stateOf(world)).toEqual(before);
        await net.del(container);
        expect(await stateOf(world)).toEqual(before);
      }
    }
  }, 180_000);

test("announce without CAP_NET_RAW is left out with a word, and all else is done", async () => {
  await using world = await hostWorld();
  const container = await world.container({ dad: false });
  const net = network(world, { announce: 1, ipam: leased(world, "203.0.113.0/24") });
  const silent = await run(net, "ADD", container, OF_VERB.ADD);
  succeeded(silent);
  expect(silent.stderr).toContain('the addresses of "eth0" are not announced: socket AF_PACKET');
  await net.del(container);
  const loud = await run(net, "ADD", container, [...OF_VERB.ADD, "CAP_NET_RAW"]);
  expect([loud.exitCode, loud.stderr]).toEqual([0, ""]);
});

test("dhcp needs CAP_NET_RAW to get a lease; without it DEL works, and says that the server was not told", async () => {
  await using world = await hostWorld();
  const container = await world.container({ dad: false });
  await using _server = await dnsmasq(world);
  const net = dhcpNetwork(world, { conflictMs: 0 });
  await using _keeper = await daemon(world, net);
  await expectRefusal(await run(net, "ADD", container, OF_VERB.ADD), "ADD", "CAP_NET_RAW");
  expect(await container.linkNames()).toEqual([]);
  const all: Capability[] = [...OF_VERB.ADD, "CAP_NET_RAW"];
  const answer = await run(net, "ADD", container, all);
  succeeded(answer);
  succeeded(await run(net, "CHECK", container, OF_VERB.CHECK, answer.json as CniResult));
  const removed = await run(net, "DEL", container, OF_VERB.DEL);
  succeeded(removed);
  expect(removed.stderr).toContain("giving 192.0.2.50 back: socket AF_PACKET");
});

test("VERSION needs no capability at all", async () => {
  await using world = await hostWorld();
  const net = network(world);
  succeeded(await run(net, "VERSION", world.host, []));
});

test("SECURITY.md lists what is tested here", () => {
  const page = readFileSync(join(repository, "SECURITY.md"), "utf8");
  const row = (words: string[]) => new RegExp(`^\\| ${words.join(" +\\| ")} +\\|$`, "m");
  for (const [verb, needed] of Object.entries(OF_VERB))
    expect(page).toMatch(row([`${verb}`, needed.map((name) => `\`${name}\``).join(", ")]));
});
