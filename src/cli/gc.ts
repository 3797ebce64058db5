import { messageOf } from "../error.ts";
import { hostLocal } from "../ipam/host-local/host-local.ts";
import { HOST_CONTAINER_ID, type Ipam } from "../ipam/ipam.ts";
import { NOTHING_ASKED } from "../ipam/options.ts";
import { collect } from "../ipvlan/del.ts";
import { recordsOf } from "../ipvlan/record.ts";
import { delChain } from "./chain.ts";
import type { CommandInput } from "./command.ts";
import { type Endpoint, endpointsOfHost } from "./endpoints.ts";
import { LEASE_DIRECTORY, type LeaseFile, leasesOf } from "./leases.ts";
import { configurationDirectory, type NetworkFile, networkFiles } from "./networks.ts";
import { isPartialView } from "./privileges.ts";
import { painter, wantsColour } from "./terminal.ts";

/** What one container that has gone left in one network. */
export interface Leftover {
  network: string;
  container: string;
  interface: string;
  namespace: string;
  leases: string[];
}

/** A lease of a network whose container is not among the records: it may be another plugin's. */
export interface Unexplained {
  network: string;
  address: string;
  container: string;
}

/** `ipvlan gc [--dry-run] [NETWORK]` */
export async function gc({ operands: [only], has }: CommandInput): Promise<number> {
  // Whose namespace cannot be seen, looks gone.
  if (isPartialView("gc")) return 1;
  const networks = networkFiles(configurationDirectory());
  const isMeant = (network: string) => only === undefined || network === only;
  const endpoints = endpointsOfHost().filter(({ network }) => network !== undefined && isMeant(network));
  const leases = new Map(
    networks
      .filter(({ name }) => isMeant(name))
      .map((file) => [file.name, leasesOf(leaseDirectory(file), file.name)]),
  );
  const leftovers = leftoversOf(endpoints, leases);
  const unexplained = unexplainedOf(endpoints, leases);
  if (has("json")) console.log(JSON.stringify({ leftovers, unexplained }, null, 2));
  else tell(leftovers, unexplained, has("dry-run"));
  if (has("dry-run")) return 0;
  let isClean = true;
  for (const leftover of leftovers) if (!(await remove(leftover, networks))) isClean = false;
  return isClean ? 0 : 1;
}

/** What is recorded and whose namespace has ended, with the leases it holds. */
export function leftoversOf(endpoints: Endpoint[], leases: Map<string, LeaseFile[]>): Leftover[] {
  return endpoints.flatMap((endpoint) => {
    const { network, container, interface: name, namespace, state } = endpoint;
    if (network === undefined || container === undefined || state !== "gone") return [];
    const own = (leases.get(network) ?? []).filter((lease) => isOf(lease, container, name));
    return [{ network, container, interface: name, namespace, leases: own.map(({ address }) => address) }];
  });
}

export function unexplainedOf(endpoints: Endpoint[], leases: Map<string, LeaseFile[]>): Unexplained[] {
  return [...leases].flatMap(([network, all]) =>
    all
      .filter(
        (lease) =>
          !endpoints.some(
            (each) =>
              each.network === network &&
              each.container !== undefined &&
              isOf(lease, each.container, each.interface),
          ),
      )
      .map(({ address, containerId }) => ({ network, address, container: containerId })),
  );
}

function isOf(lease: LeaseFile, container: string, ifName: string): boolean {
  return lease.containerId === container && (lease.ifName === undefined || lease.ifName === ifName);
}

function leaseDirectory({ plugins }: NetworkFile): string {
  const sections = plugins.map(({ ipam }) => ipam as { dataDir?: unknown } | undefined);
  const own = sections.find((ipam) => typeof ipam?.dataDir === "string")?.dataDir;
  return typeof own === "string" && own !== "" ? own : LEASE_DIRECTORY;
}

function tell(leftovers: Leftover[], unexplained: Unexplained[], isDry: boolean): void {
  const paint = painter(wantsColour(process.stdout));
  for (const { network, container, interface: name, leases } of leftovers) {
    const held = leases.length === 0 ? "" : `, leases ${leases.join(", ")}`;
    console.log(
      `${paint("yellow", isDry ? "would remove" : "remove")} ${container} (${name}) of ${network}${held}`,
    );
  }
  for (const { network, address, container } of unexplained)
    console.log(
      `${paint("dim", "keep")} lease ${address} of ${network}: no record of ${container} explains it`,
    );
  if (leftovers.length === 0) console.log("Nothing of ours is left behind.");
}

async function remove(leftover: Leftover, networks: NetworkFile[]): Promise<boolean> {
  const { network, container, interface: ifName } = leftover;
  try {
    const file = networks.find(({ name }) => name === network);
    if (file === undefined) await removeAsRecorded(leftover);
    else delChain({ network: file, containerId: container, netns: "", ifName, isOurs: true }, undefined);
    return true;
  } catch (thrown) {
    console.error(`ipvlan gc: ${container} (${ifName}) of ${network}: ${messageOf(thrown)}`);
    return false;
  }
}

/**
 * What a network without a configuration (it has been taken away, or is Podman's) left: what the record leads to, and leases
 * where host-local keeps them unless it is told otherwise.
 */
async function removeAsRecorded({ network, container, interface: ifName }: Leftover): Promise<void> {
  await leasesIn(network, container, ifName).del();
  const record = recordsOf(network).find((each) => each.containerId === container && each.ifName === ifName);
  if (record !== undefined) await collect(record, (name) => leasesIn(network, HOST_CONTAINER_ID, name));
}

function leasesIn(network: string, containerId: string, ifName: string): Ipam {
  return hostLocal({
    network,
    cniVersion: "",
    config: {},
    attachment: { containerId, netns: "", ifName },
    ...NOTHING_ASKED,
  });
}
