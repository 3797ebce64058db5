/**
 * A machine with Podman on it: the guest itself, whose root is a Debian release. The machine is on a wire with another
 * one, `outside`:
 *
 *   outside  eth0 192.0.2.2/24, 2001:db8:1::2/64
 *   machine  eth0 192.0.2.1/24, 2001:db8:1::1/64, default routes through outside; ipvlan links of the containers
 */

import { chmod, copyFile, mkdir, rm, symlink } from "node:fs/promises";
import { binary } from "../kernel/environment.ts";
import { command, mustRun, type Output } from "../support/command.ts";
import { type Namespace, namespaces, remove } from "../support/namespace.ts";

/** The Debian release, and whether its Podman speaks CNI or netavark. */
export const release = process.env.IPVLAN_PODMAN ?? "";
export const backend = release === "bookworm" ? "cni" : "netavark";

export const wire = {
  v4: "192.0.2.0/24",
  v6: "2001:db8:1::/64",
  machine: "192.0.2.1",
  outside: { v4: "192.0.2.2", v6: "2001:db8:1::2" },
} as const;

/** Where the plugin is installed in each of its roles. */
export const places = {
  cni: "/usr/local/libexec/cni/ipvlan",
  plugin: "/usr/local/libexec/netavark/bun-ipvlan",
  netavark: "/opt/ours/netavark",
};

/** Makes the machine ready: network, settings, the image `box`. `removeMachine` makes room for the next. */
export async function prepareMachine(): Promise<Namespace> {
  const [outside] = (await namespaces("outside")) as [Namespace];
  await mustRun(["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", outside.name]);
  await outside.ip(`link set lo up
    address add ${wire.outside.v4}/24 dev eth0
    address add ${wire.outside.v6}/64 dev eth0 nodad
    link set eth0 up`);
  const here = `address add ${wire.machine}/24 dev eth0
    address add 2001:db8:1::1/64 dev eth0 nodad
    link set eth0 up
    route add default via ${wire.outside.v4}
    route add default via ${wire.outside.v6}`;
  await mustRun(["ip", "-batch", "-"], { stdin: `${here}\n` });
  await install();
  await settings();
  await image();
  return outside;
}

/** Takes the wire away and what was installed, so that other tests of the guest find nothing of it. */
export async function removeMachine(outside: Namespace): Promise<void> {
  await mustRun(["ip", "link", "delete", "eth0"]);
  await remove([outside]);
  for (const place of Object.values(places)) await rm(place, { force: true });
}

async function install(): Promise<void> {
  for (const place of Object.values(places)) {
    await mkdir(place.slice(0, place.lastIndexOf("/")), { recursive: true });
    await rm(place, { force: true });
    await symlink(binary, place);
  }
}

async function settings(): Promise<void> {
  const files = {
    // The guest has neither systemd nor a firewall; nothing here depends on either.
    "containers.conf": `
      [containers]
      default_sysctls = []
      [engine]
      events_logger = "file"
      cgroup_manager = "cgroupfs"
      helper_binaries_dir = ["/usr/lib/podman", "/usr/libexec/podman"]
      [network]
      network_backend = "${backend}"
      ${backend === "netavark" ? 'firewall_driver = "none"' : ""}`,
    "storage.conf": `
      [storage]
      driver = "overlay"
      runroot = "/run/containers/storage"
      graphroot = "/var/lib/containers/storage"`,
    "policy.json": `{ "default": [{ "type": "insecureAcceptAnything" }] }`,
  };
  await mkdir("/etc/containers", { recursive: true });
  for (const [name, text] of Object.entries(files)) await Bun.write(`/etc/containers/${name}`, text);
}

async function image(): Promise<void> {
  const root = "/run/box";
  await rm(root, { recursive: true, force: true });
  await mkdir(`${root}/bin`, { recursive: true });
  await copyFile("/bin/busybox", `${root}/bin/busybox`);
  await chmod(`${root}/bin/busybox`, 0o755);
  for (const name of ["sh", "sleep", "ip", "ping", "cat"]) await symlink("busybox", `${root}/bin/${name}`);
  await mustRun(["tar", "-C", root, "-cf", "/run/box.tar", "."]);
  const sleeps = ["--change", 'CMD ["sleep", "1000"]'];
  await mustRun(["podman", "import", "--quiet", ...sleeps, "/run/box.tar", "box"], { timeoutMs: 60_000 });
}

/** How Podman is made to call the plugin. */
export interface Way {
  name: string;
  driver: string;
  environment: Record<string, string>;
}

/** The ways that this release's Podman has. */
export const ways: Way[] =
  backend === "cni"
    ? [{ name: "as the CNI plugin ipvlan", driver: "ipvlan", environment: {} }]
    : [
        { name: "as the plugin bun-ipvlan of netavark", driver: "bun-ipvlan", environment: {} },
        {
          name: "in netavark's place",
          driver: "ipvlan",
          environment: { CONTAINERS_CONF_OVERRIDE: "/etc/containers/ours.conf" },
        },
      ];

/** The settings that put our binary in netavark's place. */
export async function writeOverride(): Promise<void> {
  await Bun.write("/etc/containers/ours.conf", '[engine]\nhelper_binaries_dir = ["/opt/ours"]\n');
}

const environment = { PATH: process.env.PATH ?? "", HOME: "/root" };
const timeoutMs = 60_000;

/** Runs podman; the exit status and what it said. */
export function tryPodman(way: Way, ...words: string[]): Promise<Output> {
  return command(["podman", ...words], { environment: { ...environment, ...way.environment }, timeoutMs });
}

/** Runs podman, which has to succeed, and gives what it printed without the last line's end. */
export async function podman(way: Way, ...words: string[]): Promise<string> {
  const options = { environment: { ...environment, ...way.environment }, timeoutMs };
  return (await mustRun(["podman", ...words], options)).trimEnd();
}

/** Starts a container that sleeps, on these networks (`NAME` or `NAME:ip=…`). */
export function start(way: Way, name: string, ...networks: string[]): Promise<string> {
  const networkWords = networks.flatMap((network) => ["--network", network]);
  const words = ["--detach", "--name", name, "--cap-add", "NET_RAW", ...networkWords];
  return podman(way, "run", ...words, "box", "sleep", "1000");
}

/** What is seen from inside a container, as `ip -o` prints it. */
export function inside(way: Way, container: string, ...words: string[]): Promise<string> {
  return podman(way, "exec", container, ...words);
}

/** Whether a container reaches an address; duplicate address detection and the like may take a moment. */
export async function reaches(way: Way, container: string, address: string): Promise<boolean> {
  for (let attempt = 0; attempt < 6; attempt++) {
    const words = ["exec", container, "ping", "-c1", "-W1", address];
    if ((await tryPodman(way, ...words)).exitCode === 0) return true;
  }
  return false;
}

/** A container's network as `podman inspect` has it. */
export async function inspected(
  way: Way,
  container: string,
  network: string,
): Promise<Record<string, unknown>> {
  const [shown] = JSON.parse(await podman(way, "inspect", container));
  return shown.NetworkSettings.Networks[network];
}

/** Removes all containers, and networks that tests made. */
export async function tidy(way: Way): Promise<void> {
  await podman(way, "rm", "--all", "--force", "--time", "0");
  await podman(way, "network", "prune", "--force");
}

/** What the plugin keeps for endpoints that are there. */
export async function records(): Promise<string[]> {
  // The folders beside them are kept.
  const { stdout } = await command([
    "find",
    "/run/ipvlan",
    "-maxdepth",
    "1",
    "-type",
    "f",
    "-printf",
    "%f\\n",
  ]);
  return stdout.split("\n").filter((line) => line !== "");
}
