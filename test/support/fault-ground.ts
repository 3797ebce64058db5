/** The attachments that faults are tried on, and how each verb is run on them. */

import { readdirSync, readFileSync, rmSync } from "node:fs";
import { fakeIpam, lease } from "./fake-ipam.ts";
import { isStandIn } from "./fault-plan.ts";
import { isInjected, logFile, type Point, pointsIn, straced } from "./faults.ts";
import type { Namespace } from "./namespace.ts";
import { type CniResult, leased, type Network, network, type State, stateOf, succeeded } from "./network.ts";
import type { Answer, Call } from "./plugin.ts";
import { hostWorld, routed, type World } from "./world.ts";

/** Shell that leases the first of two addresses that nobody has. */
const TAKE_FREE = `taken=
  for each in "\${lease%/*}"/*; do
    [ -e "$each" ] && read -r address <"$each" && taken="$taken $address"
  done
  case $taken in
    *.11/*) ${lease(routed.v4.replace("0/24", "12/24"))} ;;
    *) ${lease(routed.v4.replace("0/24", "11/24"))} ;;
  esac`;

/** Shell that removes the leases of containers that the configuration does not call valid. */
const FORGET_INVALID = `for each in "\${lease%/*}"/*; do
    id=\${each##*/}; id=\${id%,*}
    case $config in *'"'"$id"'"'*) ;; *) rm -f "$each" ;; esac
  done`;

export const VERBS = ["ADD", "DEL", "CHECK", "GC"] as const;
export type FaultVerb = (typeof VERBS)[number];

type Config = Record<string, unknown>;

/** What is attached, by name. */
export const ATTACHMENTS: Record<string, (world: World) => Config> = {
  "l2 with host-local": (world) => ({
    ipam: {
      type: "host-local",
      dataDir: world.leases,
      ranges: [[{ subnet: "192.0.2.0/24" }], [{ subnet: "2001:db8:1::/64" }]],
      routes: [{ dst: "0.0.0.0/0" }, { dst: "2001:db8:7::/64" }],
    },
  }),
  "l3s with a delegated IPAM": () => ({ mode: "l3s", ipam: { type: "fake" } }),
  // A kernel where a stand-in is needed may have no VLAN driver either.
  [isStandIn ? "host access" : "a VLAN with host access"]: (world) => ({
    ...(isStandIn ? {} : { vlan: 20 }),
    hostAccess: true,
    ipam: leased(world, "203.0.113.0/24"),
  }),
};

/** One attachment that comes and goes; `beside` another of the same network that stays. */
export class FaultGround implements AsyncDisposable {
  readonly world: World;
  readonly container: Namespace;
  readonly net: Network;
  /** Without the attachment. */
  before!: State;
  /** With it, as it was last made. */
  attached!: State;
  result!: CniResult;
  #isAttached = false;
  readonly #ipam: ReturnType<typeof fakeIpam>;

  private constructor(world: World, container: Namespace, config: Config) {
    this.world = world;
    this.container = container;
    this.net = network(world, config);
    this.#ipam = fakeIpam(world, { ADD: TAKE_FREE, GC: FORGET_INVALID });
  }

  static async make(attachment: string, isBeside: boolean): Promise<FaultGround> {
    const world = await hostWorld();
    const container = await world.container({ dad: false });
    const ground = new FaultGround(world, container, ATTACHMENTS[attachment]!(world));
    try {
      await ground.#settle(isBeside);
      return ground;
    } catch (thrown) {
      await ground[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  /** The neighbour is there, and the store of leases and whatever else the first of all makes. */
  async #settle(isBeside: boolean): Promise<void> {
    if (isBeside) {
      const neighbour = await this.world.container({ dad: false });
      succeeded(await this.net.run("ADD", neighbour, this.#call()));
    }
    await this.attach();
    await this.detach();
    this.before = await this.state();
  }

  /** The system calls of a verb that meets no fault. */
  async points(verb: FaultVerb): Promise<Point[]> {
    await this.prepare(verb);
    succeeded(await this.run(verb, straced(this.#log)));
    if (verb === "ADD" || verb === "CHECK") await this.detach();
    return pointsIn(this.#log);
  }

  /** The verb, run through a wrapper. */
  run(verb: FaultVerb, wrapper?: string[]): Promise<Answer> {
    const call = this.#call(wrapper);
    if (verb === "DEL" || verb === "GC") this.#isAttached = false;
    if (verb === "CHECK")
      return this.net.with({ prevResult: this.result }).run("CHECK", this.container, call);
    if (verb !== "GC") return this.net.run(verb, this.container, call);
    const valid = this.world.containers
      .filter((each) => each !== this.container)
      .map(({ name }) => ({ containerID: name, ifname: "eth0" }));
    return this.net.with({ "cni.dev/valid-attachments": valid }).run("GC", undefined, call);
  }

  /** What the verb needs to have been done before it; an attachment that is still there serves again. */
  async prepare(verb: FaultVerb): Promise<void> {
    if (verb === "ADD" || this.#isAttached) return;
    await this.attach();
    if (verb === "CHECK") this.attached = await this.#settledState();
  }

  /** The state when two looks, with a pause between, see the same: the kernel adds the local route of an IPv6 address later. */
  async #settledState(): Promise<State> {
    for (let state = await this.state(); ; ) {
      await Bun.sleep(20);
      const next = await this.state();
      if (difference(next, state) === undefined) return next;
      state = next;
    }
  }

  /** The verb with a fault; an IPAM plugin that outlives it has ended too. */
  async runFaulty(verb: FaultVerb, point: Point, fault: Parameters<typeof straced>[2]): Promise<Answer> {
    const answer = await this.run(verb, straced(this.#log, point, fault));
    while (this.#isIpamRunning()) await Bun.sleep(5);
    return answer;
  }

  /** Whether the last faulty run met the error it was to meet. */
  get hasMetError(): boolean {
    return isInjected(this.#log);
  }

  async attach(): Promise<void> {
    const answer = await this.run("ADD");
    succeeded(answer);
    this.result = answer.json as CniResult;
    this.#isAttached = true;
  }

  async detach(): Promise<void> {
    succeeded(await this.run("DEL"));
  }

  /** How what is left without the attachment differs from what was there before it. */
  async leave(): Promise<string | undefined> {
    if (this.#isAttached) await this.detach();
    return difference(await this.state(), this.before);
  }

  /** GC that keeps all but the attachment; it has to succeed. */
  async collect(): Promise<void> {
    succeeded(await this.run("GC"));
  }

  state(): Promise<State> {
    return stateOf(this.world);
  }

  get #log(): string {
    return logFile(this.world.directory);
  }

  #call(wrapper?: string[]): Call {
    return { path: this.#ipam.path, ...(wrapper === undefined ? {} : { wrapper }) };
  }

  #isIpamRunning(): boolean {
    if (this.net.config.ipam && (this.net.config.ipam as Config).type !== "fake") return false;
    const own = this.#ipam.path.split(":")[0]!;
    return readdirSync("/proc").some((name) => {
      if (!/^\d+$/.test(name)) return false;
      try {
        return readFileSync(`/proc/${name}/cmdline`, "utf8").includes(`${own}/fake`);
      } catch {
        return false;
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.#log, { force: true });
    this.#ipam[Symbol.dispose]();
    await this.world[Symbol.asyncDispose]();
  }
}

/** How two states differ, in a few words; undefined when they do not. */
export function difference(now: State, then: State): string | undefined {
  if (Bun.deepEquals(now, then)) return undefined;
  const [left, right] = [linesOf(now), linesOf(then)];
  const more = [...left].filter((line) => !right.has(line));
  const less = [...right].filter((line) => !left.has(line));
  return [...more.map((line) => `  there is ${line}`), ...less.map((line) => `  there is no ${line}`)]
    .slice(0, DIFFERENCES_SHOWN)
    .join("\n");
}

const DIFFERENCES_SHOWN = 8;

function linesOf({ network: networks, files, namespaces }: State): Set<string> {
  const lines = Object.entries(networks).flatMap(([role, { links, routes }]) => [
    ...links.map((link) => `link in ${role}: ${JSON.stringify(link).slice(0, 160)}`),
    ...routes.map((route) => `route in ${role}: ${JSON.stringify(route)}`),
  ]);
  const more = Object.entries(files).map(([name, text]) => `file ${name}: ${JSON.stringify(text)}`);
  return new Set([...lines, ...more, ...namespaces]);
}
