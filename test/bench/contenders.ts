/** Who is measured: the plugin, the reference plugins, an empty Bun executable and the floors in C and in Bun. */

import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildExecutable } from "../../build.ts";
import { copyInPieces } from "../../src/cli/copy.ts";
import { mustRun } from "../support/command.ts";
import type { Namespace } from "../support/namespace.ts";
import type { Lab } from "./lab.ts";
import { compile, type Program } from "./timer.ts";

export type Verb = "ADD" | "DEL" | "VERSION";
export type LinkKind = "ipvlan" | "macvlan";

/** The master's name in the namespace that plugins run in. */
export const MASTER = "bench0";
/** The name of the interface in the container; unlike the master's, so that a trace tells them apart. */
const IF_NAME = "eth0";
const SUBNET = "10.88.0.0/16";

/** One of those who are measured. */
export interface Contender {
  name: string;
  /** What it does, so that only what is alike is compared. */
  role: "plugin" | "reference" | "floor" | "empty";
  /** Its own executable, a fresh copy. */
  path: string;
  /** Calls it for the container of that namespace. */
  program(verb: Verb, container: Namespace): Program;
}

export interface Workshop {
  /** For executables, configurations and compiled peers. */
  directory: string;
  /** For leases, on a file system that keeps them; and for records, in memory where there is such a place. */
  leases: string;
  records: string;
  /** Where the reference plugins are: test/kernel/setup's directory. */
  references: string;
  linkKind: LinkKind;
}

export const REFERENCES = ["1.9.1", "1.1.1"] as const;
/** The reference that targets are set against. */
export const RIVAL = "Go 1.9.1";
export const PLUGIN = "plugin";
export const EMPTY = "empty Bun";
/** The floor of the kernel: floor.c. */
export const FLOOR = "C";
/** The floor of the runtime: floor.ts, which does what C does. */
export const LEAST = "least Bun";

/** Builds or copies all of them. A fresh copy, because the page cache keeps files as they happened to be written. */
export async function contenders(shop: Workshop): Promise<Contender[]> {
  const { directory, linkKind } = shop;
  const built = join(directory, "built");
  mkdirSync(built, { recursive: true });
  await buildExecutable(join(built, linkKind), { linkKind });
  await buildExecutable(join(built, "empty"), { entrypoint: join(import.meta.dir, "empty.ts") });
  await buildExecutable(join(built, "least"), { entrypoint: join(import.meta.dir, "floor.ts"), linkKind });
  const floor = compile("floor.c", built, { KIND: `"${linkKind}"` });
  const copied = (from: string, to: string) => {
    mkdirSync(join(directory, to, ".."), { recursive: true });
    rmSync(join(directory, to), { force: true });
    copyInPieces(from, join(directory, to), 0o755);
    return join(directory, to);
  };
  const plugin = copied(join(built, linkKind), `plugin/${linkKind}`);
  const empty = copied(join(built, "empty"), "empty");
  return [
    cniContender(PLUGIN, "plugin", plugin, shop),
    ...REFERENCES.map((release) => {
      const [own] = [linkKind, "host-local"].map((type) =>
        copied(join(shop.references, `reference-${release}`, type), `reference-${release}/${type}`),
      );
      return cniContender(`Go ${release}`, "reference", own!, shop);
    }),
    cniContender(FLOOR, "floor", copied(floor, "floor"), shop),
    cniContender(LEAST, "floor", copied(join(built, "least"), "least"), shop),
    { name: EMPTY, role: "empty", path: empty, program: () => emptyProgram(empty) },
  ];
}

/** All of them, for measurements in that lab. */
export function contendersIn(
  lab: Lab,
  { references, linkKind }: Pick<Workshop, "references" | "linkKind">,
): Promise<Contender[]> {
  const leases = join(lab.directory, "leases");
  mkdirSync(leases);
  return contenders({ directory: lab.directory, leases, records: lab.records, references, linkKind });
}

/**
 * Gives the plugin an endpoint that stays, as on any node that runs pods: the first ADD on a master looks through every
 * namespace for endpoints of others, later ones ask one that is known. The other contenders do not look.
 */
export async function moveIn(lab: Lab, all: Contender[]): Promise<void> {
  const plugin = all.find(({ role }) => role === "plugin")!;
  const { path, stdin, environment } = plugin.program("ADD", lab.resident);
  const configuration = await Bun.file(stdin).json();
  // Far from where the others begin: no two endpoints of a master can have the same address.
  configuration.ipam.rangeStart = "10.88.250.1";
  await mustRun(["ip", "netns", "exec", lab.host.name, path], {
    stdin: JSON.stringify(configuration),
    environment,
  });
}

function emptyProgram(path: string): Program {
  return { path, stdin: "/dev/null", environment: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" } };
}

export function cniContender(name: string, role: Contender["role"], path: string, shop: Workshop): Contender {
  const key = name.replaceAll(" ", "-");
  const leases = join(shop.leases, key);
  const records = join(shop.records, key);
  for (const each of [leases, records]) mkdirSync(each, { recursive: true });
  const stdin = join(shop.directory, `${key}.json`);
  writeFileSync(stdin, JSON.stringify(configuration(shop.linkKind, role, leases)));
  const environment = {
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    CNI_PATH: join(path, ".."),
    CNI_IFNAME: IF_NAME,
    ...(role === "plugin" ? { IPVLAN_RUN_DIR: records } : {}),
    ...(role === "floor"
      ? { FLOOR_MASTER: MASTER, FLOOR_DATA: join(leases, "bench"), FLOOR_RUN: records }
      : {}),
  };
  const program = (verb: Verb, container: Namespace): Program => ({
    path,
    stdin: verb === "VERSION" ? "/dev/null" : stdin,
    environment: {
      ...environment,
      CNI_COMMAND: verb,
      CNI_CONTAINERID: `${container.name}-0123456789abcdef0123456789abcdef`,
      CNI_NETNS: container.path,
    },
  });
  if (!existsSync(path)) throw new Error(`${path} is missing`);
  return { name, role, path, program };
}

/** What a runtime would pass to any of them. */
function configuration(linkKind: LinkKind, role: Contender["role"], leases: string): object {
  return {
    cniVersion: "1.0.0",
    name: "bench",
    type: linkKind,
    master: MASTER,
    mode: linkKind === "macvlan" && role === "reference" ? "bridge" : "l2",
    ipam: { type: "host-local", dataDir: leases, subnet: SUBNET, routes: [{ dst: "0.0.0.0/0" }] },
  };
}
