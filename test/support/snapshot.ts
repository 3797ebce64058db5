/** The whole state of a world as plain data, to show that nothing is left behind or nothing changed. */

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { mustRun } from "./command.ts";
import type { Namespace } from "./namespace.ts";
import type { World } from "./world.ts";

export interface Snapshot {
  /** By the role of the namespace: links with their addresses, and all routing tables. */
  namespaces: Record<string, { links: unknown[]; routes: unknown[] }>;
  /** Every file below the world's directory, with its text; directories end in a slash. */
  files: Record<string, string>;
}

/** Compare two with `toEqual`. */
export async function snapshot(world: World): Promise<Snapshot> {
  const roles: [string, Namespace][] = [
    ["host", world.host],
    ["outside", world.outside],
    ...world.containers.map((each, index): [string, Namespace] => [`container ${index + 1}`, each]),
  ];
  const [files, ...states] = await Promise.all([
    filesBelow(world.directory),
    ...roles.map(async ([role, each]) => [role, await networkState(each)] as const),
  ]);
  return { namespaces: Object.fromEntries(states), files };
}

/** Links with addresses and routes of all tables, without what changes by itself. */
async function networkState(of: Namespace): Promise<{ links: unknown[]; routes: unknown[] }> {
  // One process for all questions; each answer is one line.
  const questions = "address show\nroute show table all\n";
  const text = await mustRun(["ip", "-n", of.name, "-details", "-json", "-batch", "-"], { stdin: questions });
  const [links, routes] = text.split("\n").map((line) => JSON.parse(line || "[]", steady));
  return { links: links ?? [], routes: routes ?? [] };
}

/** Counters, remaining lifetimes, and what the kernel settles in its own time. */
const volatile = new Set([
  ...["stats", "stats64", "valid_life_time", "preferred_life_time", "expires", "cache", "used", "age"],
  // The flags say whether a link is up; this follows them up to a second later.
  "operstate",
  ...["tentative", "optimistic", "dadfailed"],
]);

function steady(key: string, value: unknown): unknown {
  if (volatile.has(key)) return undefined;
  return Array.isArray(value) ? value.filter(isSteady) : value;
}

/**
 * Link-local addresses, which the kernel gives each link, appear and vanish seconds later; a veth's carrier lags behind, and
 * routes learn of it later still.
 */
function isSteady(item: { dst?: unknown; local?: unknown } | string | null): boolean {
  if (typeof item === "string") return item !== "NO-CARRIER" && item !== "linkdown";
  return !/^(fe80|ff00):/.test(String(item?.dst ?? item?.local ?? ""));
}

async function filesBelow(directory: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(directory.length + 1);
    if (entry.isDirectory()) found[`${name}/`] = "";
    else if (entry.isFile()) found[name] = await Bun.file(path).text();
    else found[name] = "(not a plain file)";
  }
  return Object.fromEntries(Object.entries(found).sort());
}
