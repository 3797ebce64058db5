/** A network of our plugin in a world: its verbs called as a runtime calls them, records and leases kept in the world. */

import { expect } from "bun:test";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Namespace } from "./namespace.ts";
import { type Answer, type Call, plugin, type Verb } from "./plugin.ts";
import { type Snapshot, snapshot } from "./snapshot.ts";
import { master, type World } from "./world.ts";

/** A CNI result of spec version 1.1.0, as JSON. */
export interface CniResult {
  cniVersion: string;
  interfaces?: { name: string; mac?: string; mtu?: number; sandbox?: string }[];
  ips?: { address: string; gateway?: string; interface?: number }[];
  routes?: CniRoute[];
  dns?: object;
}

export interface CniRoute {
  dst: string;
  gw?: string;
  mtu?: number;
  advmss?: number;
  priority?: number;
  table?: number;
  scope?: number;
}

export interface CniError {
  cniVersion: string;
  code: number;
  msg: string;
  details?: string;
}

type Config = Record<string, unknown>;

/** An `ipam` section that gives exactly these addresses; an address with a gateway is written "192.0.2.11/24 192.0.2.2". */
export function fixed(addresses: string[], routes: CniRoute[] = []): Config {
  return {
    type: "static",
    addresses: addresses.map((each) => {
      const [address, gateway] = each.split(" ");
      return gateway === undefined ? { address } : { address, gateway };
    }),
    routes,
  };
}

/** An `ipam` section that leases addresses of the prefix, in the world's own store. */
export function leased(world: World, subnet: string, more: Config = {}): Config {
  return { type: "host-local", dataDir: world.leases, ranges: [[{ subnet }]], ...more };
}

/** A network on the world's master, called "net" unless the configuration says otherwise. */
export function network(world: World, config: Config = {}): Network {
  const records = join(world.directory, "records");
  mkdirSync(records, { recursive: true });
  return new Network(world, records, {
    cniVersion: "1.1.0",
    name: "net",
    type: "ipvlan",
    master,
    ...config,
  });
}

export class Network {
  readonly config: Config;
  /** Where the plugin keeps its endpoint records. */
  readonly records: string;
  readonly #world: World;

  constructor(world: World, records: string, config: Config) {
    this.#world = world;
    this.records = records;
    this.config = config;
  }

  /** The network with some of its configuration changed; undefined removes a key. */
  with(change: Config): Network {
    return new Network(this.#world, this.records, { ...this.config, ...change });
  }

  /** Runs a verb, whatever comes of it. A container's id is the name of its namespace. */
  run(verb: Verb, container?: Namespace | string, call: Call = {}, config: object | string = this.config) {
    return plugin(this.#world.host, verb, config, {
      ...(container === undefined ? {} : { netns: container }),
      containerId: container instanceof Namespace ? container.name : "container-1",
      ...call,
      environment: { IPVLAN_RUN_DIR: this.records, ...call.environment },
    });
  }

  /** ADD that has to succeed. */
  async add(container: Namespace, call?: Call): Promise<CniResult> {
    const answer = await this.run("ADD", container, call);
    succeeded(answer);
    return answer.json as CniResult;
  }

  /** DEL that has to succeed without a word. */
  async del(container: Namespace | string | undefined, call?: Call): Promise<void> {
    const answer = await this.run("DEL", container, call);
    expect(answer.stdout).toBe("");
    succeeded(answer);
  }

  /** CHECK against what ADD said; it has to succeed without a word. */
  async check(container: Namespace, prevResult: CniResult, call?: Call): Promise<void> {
    const answer = await this.with({ prevResult }).run("CHECK", container, call);
    expect(answer.stdout).toBe("");
    succeeded(answer);
  }

  /** STATUS that has to succeed without a word. */
  async status(call?: Call): Promise<void> {
    const answer = await this.run("STATUS", undefined, call);
    expect(answer.stdout).toBe("");
    succeeded(answer);
  }

  /** GC with these attachments valid that has to succeed without a word; undefined: the runtime does not say. */
  async gc(valid: { containerID: string; ifname: string }[] | undefined, call?: Call): Promise<void> {
    const answer = await this.with({ "cni.dev/valid-attachments": valid }).run("GC", undefined, call);
    expect(answer.stdout).toBe("");
    succeeded(answer);
  }

  /** The error document of a verb that has to fail. */
  async refusal(
    verb: Verb,
    container?: Namespace | string,
    call?: Call,
    config?: object | string,
  ): Promise<CniError> {
    return errorOf(await this.run(verb, container, call, config));
  }
}

/** Shows the whole answer when it is no success. */
export function succeeded(answer: Answer): void {
  if (answer.exitCode !== 0)
    throw new Error(`exit status ${answer.exitCode}:\n${answer.stdout}${answer.stderr}`);
}

/** The one error document that a failed call prints; fails unless it is one. */
export function errorOf(answer: Answer): CniError {
  const { exitCode, stdout, json } = answer;
  // Not toMatchObject with expect.any: Bun leaves the matchers in the object.
  const { cniVersion, code, msg, details, ...rest } = (json ?? {}) as Partial<CniError>;
  const types = [
    typeof cniVersion,
    typeof code,
    typeof msg,
    typeof (details ?? ""),
    Object.keys(rest).length,
  ];
  if (exitCode !== 1 || types.join() !== "string,number,string,string,0")
    throw new Error(`no error document, exit status ${exitCode}:\n${stdout}${answer.stderr}`);
  return answer.json as CniError;
}

/** What must be as before after an attachment has come and gone, or has failed to come. */
export interface State {
  network: Snapshot["namespaces"];
  /** Leases, records and whatever else a test keeps in the world; not what an IPAM keeps for itself (locks, cursors). */
  files: Snapshot["files"];
  /** Every named namespace of the machine. */
  namespaces: string[];
}

/** Compare two with `toEqual`. */
export async function stateOf(world: World): Promise<State> {
  const { namespaces, files } = await snapshot(world);
  const counted = Object.entries(files).filter(([path]) => !path.endsWith("/") && !isIpamInternal(path));
  return {
    network: namespaces,
    files: Object.fromEntries(counted),
    namespaces: readdirSync("/run/netns").sort(),
  };
}

function isIpamInternal(path: string): boolean {
  return path.startsWith("leases/.ipvlan/") || (path.startsWith("leases/") && !/\/[0-9a-f.:]+$/.test(path));
}

/** The addresses leased now, with the container that holds each. */
export function leasesOf(state: State): Record<string, string> {
  const leases = Object.entries(state.files).filter(([path]) => path.startsWith("leases/"));
  return Object.fromEntries(
    leases.map(([path, text]) => [path.slice(path.lastIndexOf("/") + 1), text.split(/\r?\n/)[0] ?? ""]),
  );
}
