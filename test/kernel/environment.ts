/** Where a real ipvlan driver is to be had on this machine, and how to run a command there. */

import { dirname, join, resolve } from "node:path";

/** The root of the repository. */
export const repository = resolve(import.meta.dir, "../..");

/** The plugin that is tested, as build.ts leaves it. */
export const binary = process.env.IPVLAN_BINARY ?? join(repository, "dist/ipvlan");

/** 6 is Debian 12's (6.1), 7 is sid's; they treat names differently, and 7 is twice as fast. */
export const kernels = ["6", "7"] as const;
export type Kernel = (typeof kernels)[number];

export interface Guest {
  kernel: Kernel;
  timeoutSeconds: number;
  /** Another root directory than this machine's. */
  root?: string;
  /** "3G"; the guest's own default when left out. */
  memory?: string;
  /** A directory of this machine that the command may write to. */
  writable?: string;
  environment?: Record<string, string>;
}

/** What a guest needs of this machine; its /tmp is its own, and each of these may lie below ours. */
const shared = [repository, ...[dirname(process.execPath), dirname(binary)].filter(isOutside)];

/** The command line that runs `command` under a test kernel, from the repository's root. */
export function guestCommand(guest: Guest, command: string[]): string[] {
  const options = [
    ["--kernel", guest.kernel],
    ["--timeout", String(guest.timeoutSeconds)],
    ["--directory", repository],
    ...(guest.root ? [["--root", guest.root]] : []),
    ...(guest.memory ? [["--memory", guest.memory]] : []),
    ...shared.map((path) => ["--read", path]),
    ...(guest.writable ? [["--write", guest.writable]] : []),
    ...Object.entries(guest.environment ?? {}).map(([name, value]) => ["--env", `${name}=${value}`]),
  ];
  // A guest ends with who started it, however that ended.
  const bound = ["setpriv", "--pdeathsig", "TERM"];
  return [...bound, join(import.meta.dir, "guest"), ...options.flat(), "--", ...command];
}

/** Makes the test kernels ready; gives the directory of tools, or null with the reason on stderr. */
export function setUp(): Promise<string | null> {
  return pathFrom([join(import.meta.dir, "setup")]);
}

/** The path that a program prints, or null when it fails. */
async function pathFrom(words: string[]): Promise<string | null> {
  const child = Bun.spawn(words, { stdout: "pipe", stderr: "inherit" });
  const path = (await child.stdout.text()).trim();
  return (await child.exited) === 0 ? path : null;
}

/** Debian releases whose Podman is tested; see test/podman/roots. */
export const releases = ["bookworm", "trixie", "sid"] as const;

/** Makes root directories of these releases; gives the directory they lie in, or null with the reason on stderr. */
export function podmanRoots(wanted: string[]): Promise<string | null> {
  return pathFrom([join(import.meta.dir, "../podman/roots"), ...wanted]);
}

/** Whether the running kernel makes ipvlan links for us; tried in a network namespace thrown away at once. */
export function hasNativeDriver(): boolean {
  const attempt =
    "ip link add master0 type veth peer name other0 && ip link add link master0 name probe0 type ipvlan";
  return process.getuid?.() === 0 && succeeds(["unshare", "--net", "sh", "-c", attempt]);
}

/** The command line that runs `command` on the running kernel without touching what the machine uses. */
export function nativeCommand(command: string[]): string[] {
  const prepare =
    "mkdir -p /run/netns /var/lib/cni && mount -t tmpfs none /run/netns && mount -t tmpfs none /var/lib/cni && ip link set lo up";
  return ["unshare", "--mount", "--net", "sh", "-c", `${prepare} && exec "$@"`, "native", ...command];
}

function succeeds(command: string[]): boolean {
  try {
    return Bun.spawnSync(command, { stdout: "ignore", stderr: "ignore" }).success;
  } catch {
    // There is no such program.
    return false;
  }
}

function isOutside(path: string): boolean {
  return !`${path}/`.startsWith(`${repository}/`);
}
