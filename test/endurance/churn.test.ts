/**
 * Links and routes by the thousand, and more of them coming and going, so that what is asked of the kernel changes while it
 * answers: the answers are right, or there is none. A tenth of it in the normal lanes, all of it under `bun run soak`.
 */

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { binary } from "../kernel/environment.ts";
import { isLong } from "../support/endurance.ts";
import type { Namespace } from "../support/namespace.ts";
import { type CniResult, errorOf, leased, type Network, network } from "../support/network.ts";
import { type Call, reference } from "../support/plugin.ts";
import { Running } from "../support/running.ts";
import { hostWorld, master, type World } from "../support/world.ts";

const LINKS = isLong ? 2000 : 200;
const ROUTES = isLong ? 20_000 : 2000;
const ROUNDS = isLong ? 20 : 1;
const TIMEOUT_MS = 120_000;
/** How often a call is repeated that the kernel had no steady answer for. */
const PATIENCE = 50;

const lines = (count: number, line: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => line(index)).join("\n");
/** Prefixes that nobody here has an address in. */
const prefixes = (first: number) => (index: number) =>
  `route add ${first + (index >> 16)}.${(index >> 8) & 255}.${index & 255}.0/24`;

/** Much of everything: what makes the kernel's answers come in many parts. */
async function fill(namespace: Namespace, links: number): Promise<void> {
  await namespace.ip(`${lines(links, (index) => `link add d${index} type dummy`)}\nlink set d0 up`);
  await namespace.ip(lines(ROUTES, (index) => `${prefixes(10)(index)} dev d0`));
}

/** Links and routes come and go in there, with a pause in between, until it is disposed of. */
function churn(namespace: Namespace, directory: string, pauseSeconds: number): Running {
  const file = join(directory, `churn-${namespace.name}`);
  const route = (verb: string) => lines(20, (index) => `route ${verb} 9.0.${index}.0/24 dev d0`);
  const come = [lines(3, (index) => `link add x${index} type dummy`), route("add")];
  const go = [route("delete"), lines(3, (index) => `link delete x${index}`)];
  writeFileSync(file, `${[...come, ...go].join("\n")}\n`);
  const loop = `while :; do ip -force -batch ${file}; sleep ${pauseSeconds}; done`;
  return new Running(namespace, ["sh", "-c", loop]);
}

/** Ways to find the master, from one question to the whole list of links or routes. */
const WAYS: Record<string, object> = {
  "by name": {},
  "by the default route": { master: undefined },
  "by a regular expression": { master: { match: "^eth0$" } },
  "with a VLAN on it": { vlan: 20 },
};

for (const [pace, pauseSeconds] of [
  ["now and then", 0.05],
  ["all the time", 0],
] as const)
  test(`${LINKS} links and ${ROUTES} routes, others come and go ${pace}: every verb is right`, async () => {
    await using world = await hostWorld();
    const container = await world.container({ dad: false });
    const log = join(world.directory, "log");
    const ground = new Ground(world, container, {
      timeoutMs: TIMEOUT_MS,
      environment: { IPVLAN_DEBUG: log },
    });
    await fill(world.host, LINKS);
    await fill(container, LINKS / 10);
    {
      await using host = churn(world.host, world.directory, pauseSeconds);
      await using inside = churn(container, world.directory, pauseSeconds);
      for (let round = 0; round < ROUNDS; round++)
        for (const way of Object.values(WAYS)) await ground.comeAndGo(way, round === 0);
      expect([host.hasEnded, inside.hasEnded]).toEqual([false, false]);
    }
    const repeated = readFileSync(log, "utf8").match(/"dump repeated"/g)?.length ?? 0;
    console.log(
      `${LINKS} links, ${ROUTES} routes, others ${pace}: ${ground.calls} calls, ${repeated} dumps repeated, ${ground.busy} busy`,
    );
    // Only who never pauses may keep the kernel from an answer.
    if (pauseSeconds > 0) expect(ground.busy).toBe(0);
  }, 3_600_000);

/** One container that comes and goes amid the others. */
class Ground {
  readonly #world: World;
  readonly #container: Namespace;
  readonly #call: Call;
  calls = 0;
  /** Calls that were told to try again. */
  busy = 0;

  constructor(world: World, container: Namespace, call: Call) {
    this.#world = world;
    this.#container = container;
    this.#call = call;
  }

  async comeAndGo(way: object, isThorough: boolean): Promise<void> {
    const ipam = leased(this.#world, "203.0.113.0/24", {
      routes: [{ dst: "0.0.0.0/0" }, { dst: "8.0.0.0/8" }],
    });
    const net = network(this.#world, { ipam, ...way });
    const result = (await this.#insist(net, "ADD")) as CniResult;
    await this.#expectRightMaster(way);
    const checked = net.with({ prevResult: result });
    await this.#insist(checked, "CHECK");
    if (isThorough) await this.#container.ip(lines(ROUTES, (index) => `${prefixes(100)(index)} dev eth0`));
    await this.#container.ip("route delete 8.0.0.0/8");
    expect(await this.#insist(checked, "CHECK")).toMatchObject({ code: 106 });
    await this.#container.ip(`route add 8.0.0.0/8 via ${result.ips?.[0]?.gateway} dev eth0`);
    await this.#insist(checked, "CHECK");

    const attachments = [{ containerID: this.#container.name, ifname: "eth0" }];
    expect(await this.#insist(net.with({ "cni.dev/valid-attachments": attachments }), "GC")).toBeUndefined();
    expect(await this.#command(["list", "--json", "--leases", this.#world.leases])).toMatchObject([
      {
        container: this.#container.name,
        master: "vlan" in way ? "eth0.20" : master,
        lease: "held",
        state: "attached",
      },
    ]);
    if (isThorough) {
      const { findings } = (await this.#command(["doctor", "--json"])) as { findings: object[] };
      expect(findings).toContainEqual({ subject: "endpoints", level: "ok", message: "1 attached" });
    }
    expect(await this.#insist(net, "DEL")).toBeUndefined();
    expect(await this.#container.json("link show type ipvlan")).toEqual([]);
    expect(await this.#world.host.json("link show type vlan")).toEqual([]);
    expect(await this.#command(["list", "--json"])).toEqual([]);
  }

  async #expectRightMaster(way: object): Promise<void> {
    const [link] = await this.#container.json<{ link_index: number }[]>("link show dev eth0");
    const [wanted] = await this.#world.host.json<{ ifindex: number }[]>(
      `link show dev ${"vlan" in way ? "eth0.20" : master}`,
    );
    expect(link?.link_index).toBe(wanted!.ifindex);
  }

  /** The verb, again while the kernel holds not still; what it printed, which may be another error. */
  async #insist(net: Network, verb: "ADD" | "CHECK" | "GC" | "DEL"): Promise<unknown> {
    for (let attempt = 0; ; attempt++) {
      this.calls++;
      const answer = await net.run(verb, verb === "GC" ? undefined : this.#container, this.#call);
      const isBusy =
        answer.exitCode === 1 && errorOf(answer).msg.includes("changes faster than it can be read");
      if (!isBusy || attempt === PATIENCE) return answer.json;
      expect(errorOf(answer).code).toBe(11);
      this.busy++;
    }
  }

  async #command(words: string[]): Promise<unknown> {
    for (let attempt = 0; ; attempt++) {
      this.calls++;
      const { stdout, stderr } = await this.#world.host.run([binary, ...words], {
        environment: {
          ...{ PATH: process.env.PATH ?? "", CNI_PATH: reference("1.9.1") },
          ...{ NETCONFPATH: "/nonexistent", IPVLAN_RUN_DIR: join(this.#world.directory, "records") },
          ...(this.#call.environment as Record<string, string>),
        },
        timeoutMs: TIMEOUT_MS,
      });
      if (stderr === "") return JSON.parse(stdout);
      if (!stderr.includes("changes faster than it can be read") || attempt === PATIENCE)
        throw new Error(stderr);
      this.busy++;
    }
  }
}
