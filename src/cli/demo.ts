import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf } from "../error.ts";
import * as codec from "../linux/codec.ts";
import { check } from "../linux/errno.ts";
import { unshare } from "../linux/libc.ts";
import { enterNamespace, inNamespace, type Namespace, openOwnNamespace } from "../linux/netns.ts";
import { expect, linkByName, links } from "../linux/rtnetlink.ts";
import { exchange, openSocket } from "../linux/socket.ts";
import { parsePrefix } from "../net/ip.ts";
import { ping } from "./ping.ts";

const CLONE_NEWNET = 0x40000000;
const MASTER = "uplink0";
const NETWORK = "demo";
const CONTAINERS = ["alice", "bob"];

/** What ADD answers in spec version 1.1.0, as far as the demo shows it. */
interface Answer {
  interfaces: { name: string; mac: string; mtu: number }[];
  ips: { address: string; gateway?: string }[];
  routes?: { dst: string; gw?: string }[];
}

interface Container {
  name: string;
  namespace: Namespace;
  /** A path to the namespace that needs no mount, and so leaves none. */
  path: string;
}

/**
 * Attaches two throw-away network namespaces to one ipvlan network by calling this very program as a runtime would,
 * shows what they got, lets them ping each other, runs CHECK and DEL, and looks whether anything is left.
 * A third namespace plays the host, so that nothing of the machine's own network is touched. Returns the exit status.
 */
export async function demo(): Promise<number> {
  const store = mkdtempSync(join(tmpdir(), "ipvlan-demo-"));
  try {
    show(store);
    return 0;
  } catch (thrown) {
    console.error(`ipvlan demo: ${messageOf(thrown)}`);
    return 1;
  } finally {
    rmSync(store, { recursive: true, force: true });
  }
}

function show(store: string): void {
  const host = newNamespace();
  const socket = openSocket();
  const [made] = exchange(socket, () =>
    codec.requestLinkAdd({ kind: "dummy", name: MASTER, masterIndex: 0, up: true }),
  );
  expect(made, "RTM_NEWLINK", MASTER);

  const containers = CONTAINERS.map((name) => {
    const namespace = newNamespace();
    enterNamespace(host);
    return { name, namespace, path: `/proc/${process.pid}/fd/${namespace.fd}` };
  });
  const config = {
    cniVersion: "1.1.0",
    name: NETWORK,
    type: "ipvlan",
    master: MASTER,
    mode: "l2",
    ipam: {
      type: "host-local",
      dataDir: join(store, "leases"),
      ranges: [[{ subnet: "10.88.0.0/24" }]],
      routes: [{ dst: "0.0.0.0/0" }],
    },
  };
  const run = (verb: string, container: Container, prevResult?: Answer) =>
    callPlugin(verb, container, { ...config, prevResult }, join(store, "run"));

  console.log(
    `One ipvlan network "${NETWORK}" in mode ${config.mode} on master ${MASTER}, two containers.\n`,
  );
  const answers = containers.map((container) => run("ADD", container) as Answer);
  for (const [index, container] of containers.entries()) describe(container, answers[index]!);

  console.log("");
  for (const [from, to] of [
    [0, 1],
    [1, 0],
  ] as const) {
    const target = parsePrefix(answers[to]!.ips[0]!.address)!;
    const tookMs = inNamespace(containers[from]!.namespace, host, () => ping(target));
    if (tookMs === undefined) throw new Error(`${CONTAINERS[from]} gets no answer from ${CONTAINERS[to]}`);
    console.log(`ping  ${CONTAINERS[from]} -> ${CONTAINERS[to]}: reply after ${tookMs.toFixed(2)} ms`);
  }
  for (const [index, container] of containers.entries()) {
    run("CHECK", container, answers[index]!);
    console.log(`CHECK ${container.name}: the endpoint is as ADD left it`);
  }
  for (const [index, container] of containers.entries()) {
    run("DEL", container, answers[index]!);
    const inside = inNamespace(container.namespace, host, openSocket);
    if (linkByName(inside, "eth0") !== undefined) throw new Error(`DEL left eth0 in ${container.name}`);
    console.log(`DEL   ${container.name}: the interface has gone`);
  }
  const leases = readdirSync(join(store, "leases", NETWORK)).filter((name) => name.startsWith("10."));
  const left = links(socket, "ipvlan").length + leases.length + filesBelow(join(store, "run"));
  if (left > 0) throw new Error(`${left} links, leases or records are left`);
  console.log("\nNothing is left: no link, no lease, no record.");
}

/** A new namespace, which the process is in afterwards. */
function newNamespace(): Namespace {
  check(unshare(CLONE_NEWNET), "unshare", "a network namespace (this needs root)");
  return openOwnNamespace();
}

function callPlugin(verb: string, container: Container, config: object, runDirectory: string): unknown {
  const plugin = Bun.spawnSync({
    cmd: [process.execPath],
    stdin: Buffer.from(JSON.stringify(config)),
    stderr: "inherit",
    env: {
      PATH: process.env.PATH,
      CNI_COMMAND: verb,
      CNI_CONTAINERID: container.name,
      CNI_NETNS: container.path,
      CNI_IFNAME: "eth0",
      CNI_PATH: process.env.CNI_PATH ?? "/opt/cni/bin",
      IPVLAN_RUN_DIR: runDirectory,
    },
  });
  const output = plugin.stdout.toString();
  if (plugin.exitCode !== 0) throw new Error(`${verb} ${container.name} failed: ${output}`);
  return output === "" ? undefined : JSON.parse(output);
}

function describe(container: Container, answer: Answer): void {
  const [link] = answer.interfaces;
  console.log(`${container.name}`);
  console.log(`  interface  ${link?.name}, MAC ${link?.mac}, MTU ${link?.mtu}`);
  for (const { address, gateway } of answer.ips)
    console.log(`  address    ${address}, gateway ${gateway ?? "none"}`);
  for (const { dst, gw } of answer.routes ?? [])
    console.log(`  route      ${dst} via ${gw ?? answer.ips[0]?.gateway}`);
}

/** Folders stay, as a run directory of the machine would. */
function filesBelow(directory: string): number {
  return readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    .length;
}
