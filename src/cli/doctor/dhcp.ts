import type { NetworkConfig } from "../../cni/config.ts";
import { Failure } from "../../error.ts";
import { readDhcpConfig } from "../../ipam/dhcp/config.ts";
import { askDaemon } from "../../ipam/dhcp/protocol.ts";
import { type Lease, leaseNames, readLease } from "../../ipam/dhcp/store.ts";
import type { Endpoint } from "../endpoints.ts";
import { type Diagnosis, error, ok, warning } from "./diagnosis.ts";

/** A network with DHCP: does its daemon answer, and are its leases somebody's. */
export function examineDhcp(
  subject: string,
  { name, ipam }: NetworkConfig,
  endpoints: Endpoint[],
): Diagnosis[] {
  const attachment = { containerId: "doctor", netns: "", ifName: "eth0" };
  const { socketPath } = readDhcpConfig(ipam!.fields, name, attachment, "");
  const leases = leaseNames()
    .map(readLease)
    .filter((lease): lease is Lease => lease?.network === name);
  return [
    examineDaemon(subject, socketPath),
    ...leases.flatMap((lease) => examineLease(subject, lease, endpoints)),
  ];
}

function examineDaemon(subject: string, socketPath: string): Diagnosis {
  try {
    const { leases } = askDaemon(socketPath, { ask: "status" });
    return ok(subject, `the DHCP daemon at ${socketPath} keeps ${leases} leases`);
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    return error(subject, thrown.message, thrown.remedy ?? "docs/dhcp.md says how to start it");
  }
}

function examineLease(subject: string, lease: Lease, endpoints: Endpoint[]): Diagnosis[] {
  const { address, containerId, ifName, network, lost } = lease;
  if (lost !== null)
    return [
      warning(subject, `the lease of ${containerId} (${ifName}) is lost: ${lost}`, "restart the container"),
    ];
  const isKnown = endpoints.some(
    (each) =>
      each.network === network &&
      each.container === containerId &&
      each.interface === ifName &&
      each.state !== "gone",
  );
  if (isKnown) return [];
  return [
    warning(
      subject,
      `the lease ${address} is of ${containerId} (${ifName}), which is not attached`,
      "a daemon that runs drops it within half a minute",
    ),
  ];
}
