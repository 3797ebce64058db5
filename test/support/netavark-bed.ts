/** Two namespaces as netavark's own tests have them: a host with a parent that is down, and an empty container. */

import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Namespace, namespaces, remove } from "./namespace.ts";

export interface Bed extends AsyncDisposable {
  host: Namespace;
  container: Namespace;
}

/** Makes them; the parent is `dummy0` unless named otherwise. Loopback is down everywhere. */
export async function bed(parent = "dummy0"): Promise<Bed> {
  const [host, container] = (await namespaces("host", "container")) as [Namespace, Namespace];
  await host.ip(`link add ${parent} type dummy`);
  const dispose = async () => {
    await remove([host, container]);
    removeRecords(container);
  };
  return { host, container, [Symbol.asyncDispose]: dispose };
}

/** The plugin keeps a record of each setup until its teardown; one that a test left would be seen by the next file's tests. */
function removeRecords({ path }: Namespace): void {
  const directory = "/run/ipvlan";
  if (!existsSync(directory)) return;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const file = join(directory, entry.name);
    if (entry.isFile() && readFileSync(file, "utf8").includes(JSON.stringify(path))) rmSync(file);
  }
}

export interface ShownLink {
  ifname: string;
  address: string;
  flags: string[];
  mtu: number;
  linkinfo?: { info_kind: string; info_data: { mode: string } & Record<string, unknown> };
  addr_info: { local: string; prefixlen: number; scope: string; family: string }[];
}

/** A link of the container as `ip` shows it; undefined when there is none of that name. */
export async function linkOf(container: Namespace, name = "eth0"): Promise<ShownLink | undefined> {
  const links = await container.json<ShownLink[]>("address show");
  return links.find((link) => link.ifname === name);
}

/** Its addresses with prefix lengths, without those that the kernel makes by itself. */
export function addressesOf(link: ShownLink | undefined): string[] {
  return (link?.addr_info ?? [])
    .filter(({ scope }) => scope === "global")
    .map(({ local, prefixlen }) => `${local}/${prefixlen}`);
}

/** Routes of the main table in words: `default via 10.88.0.1 metric 99`, `blackhole 10.92.0.0/24 metric 100`. */
export async function routesOf(container: Namespace, family: 4 | 6 = 4): Promise<string[]> {
  const routes = await container.json<Record<string, unknown>[]>(`-${family} route show`);
  return routes
    .filter(({ protocol }) => protocol !== "kernel")
    .map(({ type, dst, gateway, metric, protocol }) => {
      const kind = type === undefined || type === "unicast" ? "" : `${type} `;
      const via = gateway === undefined ? "" : ` via ${gateway}`;
      return `${kind}${dst}${via} metric ${metric ?? 0} ${protocol}`;
    });
}
