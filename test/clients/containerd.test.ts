/** containerd of Debian 12 with this plugin: containers of ctr, and pod sandboxes of the kubelet's interface (CRI). */

import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { binary } from "../kernel/environment.ts";
import { command, mustRun, type Output } from "../support/command.ts";
import { reference } from "../support/plugin.ts";
import { call } from "./grpc.ts";
import { imageArchive } from "./image.ts";

const clients = join(process.env.IPVLAN_REFERENCE ?? "", "../clients");
const work = "/tmp/clients";
const rootfs = join(work, "rootfs");
const socket = "/run/containerd/containerd.sock";
const PAUSE = "localhost/pause:1";
const busybox = join(clients, "bin/busybox");
const environment = {
  PATH: `${clients}/usr/bin:${clients}/usr/sbin:${process.env.PATH}`,
};

const ctr = (...words: string[]): Promise<Output> => command(["ctr", ...words], { environment });
interface Listed {
  network: string;
  container: string;
  addresses: string[];
  state: string;
}

/** The endpoints of containerd's network; other test files share this machine, and what they lost is listed too. */
const list = async (): Promise<Listed[]> => {
  const all: Listed[] = JSON.parse(await mustRun([binary, "list", "--json"]));
  return all.filter(({ network }) => network === "net");
};

let server: Bun.Subprocess | undefined;

beforeAll(async () => {
  for (const path of [rootfs, "/opt/cni/bin", "/etc/cni/net.d"]) mkdirSync(path, { recursive: true });
  for (const path of ["bin", "proc", "sys", "dev", "etc"]) mkdirSync(join(rootfs, path));
  cpSync(busybox, join(rootfs, "bin/busybox"));
  symlinkSync(binary, "/opt/cni/bin/ipvlan");
  // containerd calls it for every sandbox, first of all.
  symlinkSync(join(reference("1.9.1"), "loopback"), "/opt/cni/bin/loopback");
  await makeMaster();
  const ipam = { type: "host-local", ranges: [[{ subnet: "192.0.2.0/24" }]] };
  const network = { cniVersion: "1.0.0", name: "net", plugins: [{ type: "ipvlan", master: "eth0", ipam }] };
  writeFileSync("/etc/cni/net.d/10-net.conflist", JSON.stringify(network));
  writeFileSync(join(work, "config.toml"), configuration());
  server = Bun.spawn(["containerd", "--config", join(work, "config.toml")], {
    env: environment,
    stdout: Bun.file(join(work, "log")),
    stderr: Bun.file(join(work, "log")),
  });
  while ((await ctr("version")).exitCode !== 0) await Bun.sleep(100);
  const program = new Uint8Array(await Bun.file(busybox).arrayBuffer());
  writeFileSync(join(work, "pause.tar"), imageArchive(PAUSE, program, ["/bin/busybox", "sleep", "1000000"]));
  await mustRun(
    ["ctr", "-n", "k8s.io", "images", "import", "--snapshotter", "native", join(work, "pause.tar")],
    {
      environment,
    },
  );
});
afterAll(async () => {
  server?.kill();
  await server?.exited;
  await mustRun(["ip", "link", "delete", "eth0"]);
  rmSync("/etc/cni/net.d/10-net.conflist");
  for (const name of ["ipvlan", "loopback"]) rmSync(`/opt/cni/bin/${name}`);
});

async function makeMaster(): Promise<void> {
  const words = "ip link add eth0 type dummy && ip addr add 192.0.2.1/24 dev eth0 && ip link set eth0 up";
  await mustRun(["sh", "-c", words]);
}

function configuration(): string {
  return `version = 2
root = "${work}/root"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE}"
  disable_cgroup = true
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
`;
}

const leases = () => readdirSync("/var/lib/cni/networks/net").filter((name) => name.startsWith("192."));

/**
 * Runs a command of busybox in a container with a network, to its end. What it prints comes through a file of its root: the
 * pipe of `ctr run` may lose what a container prints that ends at once.
 */
async function inContainer(id: string, words: string): Promise<Output> {
  const path = join(rootfs, "printed");
  rmSync(path, { force: true });
  const shell = ["/bin/busybox", "sh", "-c", `exec /bin/busybox ${words} >/printed`];
  const answer = await ctr("run", "--rm", "--cni", "--rootfs", rootfs, id, ...shell);
  return { ...answer, stdout: existsSync(path) ? readFileSync(path, "utf8") : "" };
}

test("ctr run --cni gives a container its endpoint, and takes it away with the container", async () => {
  const { exitCode, stdout, stderr } = await inContainer("c1", "ip -4 addr show eth0");
  expect([exitCode, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("inet 192.0.2.2/24 brd 192.0.2.255 scope global eth0");
  expect(await list()).toEqual([]);
  expect(leases()).toEqual([]);
});

test("two containers reach each other; what ctr forgets of a detached one, gc removes", async () => {
  expect(
    (await ctr("run", "-d", "--cni", "--rootfs", rootfs, "far", "/bin/busybox", "sleep", "600")).exitCode,
  ).toBe(0);
  try {
    const [far] = await list();
    const address = far!.addresses[0]!.split("/")[0]!;
    const ping = await inContainer("near", `ping -c1 -W5 ${address}`);
    expect([ping.exitCode, ping.stdout]).toEqual([0, expect.stringContaining("1 packets received")]);
  } finally {
    await ctr("task", "rm", "--force", "far");
    await ctr("container", "rm", "far");
  }
  expect((await list()).map(({ container, state }) => [container, state])).toEqual([["default-far", "gone"]]);
  await mustRun([binary, "gc", "net"]);
  expect([await list(), leases()]).toEqual([[], []]);
});

test("a pod sandbox of the kubelet's interface has its address, and leaves nothing when it is stopped", async () => {
  const service = "/runtime.v1.RuntimeService";
  const config = { 1: { 1: "pod", 2: "uid-1", 3: "default" }, 2: "pod", 3: work };
  const run = await call(socket, `${service}/RunPodSandbox`, { 1: config });
  const id = run.get(1)!.toString();
  expect(await list()).toMatchObject([
    { container: id, network: "net", interface: "eth0", state: "attached", lease: "held" },
  ]);
  const status = (await call(socket, `${service}/PodSandboxStatus`, { 1: id })).get(1)!;
  expect(status.includes((await list())[0]!.addresses[0]!.split("/")[0]!)).toBe(true);
  await call(socket, `${service}/StopPodSandbox`, { 1: id });
  await call(socket, `${service}/RemovePodSandbox`, { 1: id });
  expect([await list(), leases()]).toEqual([[], []]);
});

test("a sandbox that cannot have a network fails with the plugin's own sentence", async () => {
  await mustRun(["ip", "link", "delete", "eth0"]);
  try {
    const config = { 1: { 1: "lost", 2: "uid-2", 3: "default" }, 2: "lost", 3: work };
    const refused = call(socket, "/runtime.v1.RuntimeService/RunPodSandbox", { 1: config });
    await expect(refused).rejects.toThrow('master "eth0" not found in the host\'s namespace');
  } finally {
    await makeMaster();
  }
  expect([await list(), leases()]).toEqual([[], []]);
});
