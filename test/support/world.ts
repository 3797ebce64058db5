/**
 * A small world for one test: a "host" that runs the plugin, a machine "outside" on the same wire, and
 * as many containers as the test asks for. The host is a network namespace of its own, so that tests
 * cannot disturb each other and what one leaves behind is seen exactly.
 *
 *   outside  eth0 192.0.2.2/24, 2001:db8:1::2/64
 *      |     routes to the routed networks through the host
 *   host     eth0 192.0.2.1/24, 2001:db8:1::1/64, default routes through outside
 *      |     ipvlan links on eth0
 *   container…
 */

import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closeNamespace, inNamespace, openNamespace, openOwnNamespace } from "../../src/linux/netns.ts";
import { parseAddress } from "../../src/net/ip.ts";
import { type Namespace, namespace, namespaces, remove } from "./namespace.ts";
import { until } from "./running.ts";

/** The name of the link in the host that carries ipvlan links. */
export const master = "eth0";

/** The wire that host and outside share, for containers in l2 mode. */
export const wire = {
  host: { v4: "192.0.2.1", v6: "2001:db8:1::1" },
  outside: { v4: "192.0.2.2", v6: "2001:db8:1::2" },
  v4: "192.0.2.0/24",
  v6: "2001:db8:1::/64",
} as const;

/** Networks that outside reaches through the host, for containers in l3 and l3s mode. */
export const routed = { v4: "198.51.100.0/24", v6: "2001:db8:2::/64" } as const;

/** Makes a world; `await using` removes it with all its containers. */
export async function hostWorld(): Promise<World> {
  const [host, outside] = (await namespaces("host", "outside")) as [Namespace, Namespace];
  const world = new World(host, outside, await mkdtemp(join(tmpdir(), "ipvlan-world-")));
  const { host: near, outside: far } = wire;
  await world.wire(
    host,
    master,
    `address add ${near.v4}/24 dev ${master}
    address add ${near.v6}/64 dev ${master} nodad
    route add default via ${far.v4}
    route add default via ${far.v6}`,
    `address add ${far.v4}/24 dev eth0
    address add ${far.v6}/64 dev eth0 nodad
    route add ${routed.v4} via ${near.v4}
    route add ${routed.v6} via ${near.v6}`,
  );
  return world;
}

export class World implements AsyncDisposable {
  readonly host: Namespace;
  readonly outside: Namespace;
  /** A directory for the test's files; removed with the world. */
  readonly directory: string;
  /** Where IPAM plugins keep leases: name it as `dataDir`. */
  readonly leases: string;
  readonly containers: Namespace[] = [];
  private wires = 0;

  constructor(host: Namespace, outside: Namespace, directory: string) {
    this.host = host;
    this.outside = outside;
    this.directory = directory;
    this.leases = join(directory, "leases");
  }

  /**
   * Adds a network namespace with nothing but loopback in it. Without duplicate address detection (`dad: false`) IPv6
   * addresses are ready at once; it takes up to two seconds, in which the state of the container changes by itself.
   */
  async container({ dad = true } = {}): Promise<Namespace> {
    const made = await namespace("container");
    if (!dad) await made.run(["sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad"]);
    this.containers.push(made);
    return made;
  }

  /** The host, the outside machine and all containers. */
  get namespaces(): Namespace[] {
    return [this.host, this.outside, ...this.containers];
  }

  /**
   * Lays a wire from a new link `name` in `near` to a new link outside, whose name is returned; both
   * ends are up. Their link-local addresses, fe80::1 and fe80::2, are there at once: those that the
   * kernel makes come a second later, into the middle of a test. Further `ip` lines for either end cost no further process.
   * All addresses without duplicate address detection can be used.
   */
  async wire(near: Namespace, name: string, nearLines = "", farLines = ""): Promise<string> {
    const far = `eth${this.wires++}`;
    const nearAll = `link set lo up
      link add ${name} type veth peer name ${far} netns ${this.outside.name}
      link set ${name} addrgenmode none
      link set ${name} up
      address add fe80::1/64 dev ${name} nodad
      ${nearLines}`;
    const farAll = `link set lo up
      link set ${far} addrgenmode none
      link set ${far} up
      address add fe80::2/64 dev ${far} nodad
      ${farLines}`;
    await near.ip(nearAll);
    await this.outside.ip(farAll);
    await usable(near, nearAll);
    await usable(this.outside, farAll);
    return far;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await remove(this.namespaces);
    await rm(this.directory, { recursive: true });
  }
}

/** The kernel makes the routes to new IPv6 addresses a moment later, when the link has its carrier. */
async function usable({ path }: Namespace, lines: string): Promise<void> {
  const added = [...lines.matchAll(/address add ([0-9a-f:]+)\/\d+ dev \S+ nodad/g)].map(([, text]) => text!);
  const home = openOwnNamespace();
  const namespace = openNamespace(path);
  try {
    // A destination of 128 bits in hexadecimal digits, and its length.
    const local = added.map((text) => `${parseAddress(text)!.value.toString(16).padStart(32, "0")} 80 `);
    await until(
      () => {
        const routes = inNamespace(namespace, home, () =>
          readFileSync("/proc/thread-self/net/ipv6_route", "utf8"),
        );
        return local.every((route) => routes.includes(route));
      },
      `the addresses ${added.join(", ")} in ${path}`,
    );
  } finally {
    closeNamespace(namespace);
    closeNamespace(home);
  }
}
