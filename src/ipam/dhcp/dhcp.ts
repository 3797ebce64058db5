import { Failure, joinFailures, messageOf } from "../../error.ts";
import { bootId, bootSeconds } from "../../linux/clock.ts";
import { KernelError } from "../../linux/errno.ts";
import { Reactor } from "../../linux/reactor.ts";
import { formatAddress, parseAddress } from "../../net/ip.ts";
import type { Result } from "../../net/result.ts";
import type { Ipam } from "../ipam.ts";
import type { IpamOptions } from "../options.ts";
import { acquire, dotted, release } from "./client.ts";
import { type DhcpConfig, readDhcpConfig } from "./config.ts";
import { lowerMtu, setUp } from "./endpoint.ts";
import { leaseName, type Owner } from "./lease-file.ts";
import { type Mode, refuseMode } from "./mode.ts";
import { Port } from "./port.ts";
import { askDaemon } from "./protocol.ts";
import { givenBy } from "./result.ts";
import {
  clientFields,
  clientOf,
  grantedFields,
  heldBy,
  type Lease,
  leaseNames,
  readLease,
  removeLease,
  writeLease,
} from "./store.ts";

/** What DHCP must know besides what every IPAM is told. */
export interface DhcpOptions extends IpamOptions {
  /** The port's mode. */
  mode: Mode;
  /** The MTU that the configuration insists on; undefined: the server may lower it. */
  mtu: number | undefined;
}

/**
 * Addresses from a DHCP server. The calling process gets the lease over the endpoint's own link, writes it to disk and
 * has the node's daemon keep it alive; DEL gives it back by itself, whether there is a daemon or not.
 */
export function dhcp(options: DhcpOptions): Ipam {
  return {
    add: () => add(options),
    del: () => giveBack({ network: options.network, ...options.attachment }),
    check: () => check(options),
    status: () => status(options),
    gc: () => gc(options),
  };
}

function configOf({ config, network, attachment, cniArgs }: DhcpOptions): DhcpConfig {
  return readDhcpConfig(config, network, attachment, cniArgs);
}

async function add(options: DhcpOptions): Promise<Result> {
  refuseMode(options.mode);
  const config = configOf(options);
  // Before a server is asked: nobody would keep what it gives.
  askDaemon(config.socketPath, { ask: "status" });
  const { netns, ifName } = options.attachment;
  const port = Port.open({ netns, ifName }, new Reactor(), config.conflictSeconds);
  if (port === undefined)
    throw new Failure(
      "interface",
      `there is no interface "${ifName}" in "${netns}" to ask a DHCP server over`,
    );
  try {
    return await lease(port, config, options);
  } finally {
    port.close();
  }
}

async function lease(port: Port, config: DhcpConfig, options: DhcpOptions): Promise<Result> {
  const { client } = config;
  setUp(port, true);
  const grant = await acquire(port, client, port.now() + config.timeoutSeconds);
  const owner = { network: options.network, ...options.attachment };
  const name = leaseName(owner);
  try {
    const given = givenBy(grant, client.requests, config.priority, port.now());
    for (const complaint of given.complaints) console.error(`ipvlan: dhcp: ${complaint}`);
    if (given.mtu !== undefined && options.mtu === undefined) lowerMtu(port, given.mtu);
    writeLease({
      boot: bootId(),
      ...owner,
      namespace: port.identity,
      socketPath: config.socketPath,
      ...clientFields(client),
      ...grantedFields(grant),
    });
    askDaemon(config.socketPath, { ask: "keep", lease: name });
    // With its address it comes up again, and the kernel announces only what is there at that moment.
    setUp(port, false);
    return given.result;
  } catch (thrown) {
    attempt(`giving ${dotted(grant.address)} back`, () => {
      removeLease(name);
      release(port, client, grant);
    });
    throw thrown;
  }
}

/** Releases a lease and removes it; none is no error. A release that cannot be sent is not missed: the lease will end. */
export function giveBack(owner: Owner): void {
  const name = leaseName(owner);
  const lease = readLease(name);
  if (lease === undefined) return;
  // First the file: a daemon that finds none does nothing more.
  removeLease(name);
  attempt(`giving ${lease.address} back`, () => sendRelease(lease));
  attempt("telling the daemon", () => askDaemon(lease.socketPath, { ask: "forget", lease: name }));
}

/** For what is not missed when it fails; it says so on standard error. */
function attempt(what: string, work: () => void): void {
  try {
    work();
  } catch (thrown) {
    if (!(thrown instanceof KernelError || thrown instanceof Failure)) throw thrown;
    console.error(`ipvlan: dhcp: ${what}: ${messageOf(thrown)}`);
  }
}

function sendRelease(lease: Lease): void {
  if (lease.lost !== null || (lease.expiresAt ?? Infinity) <= bootSeconds()) return;
  const { netns, namespace, ifName } = lease;
  const port = Port.open({ netns, identity: namespace, ifName }, new Reactor());
  if (port === undefined) return;
  try {
    // A failed ADD leaves it down; whoever gives back removes the link in the next moment.
    setUp(port, true);
    release(port, clientOf(lease), heldBy(lease));
  } finally {
    port.close();
  }
}

function check({ network, attachment, prevResult }: DhcpOptions): void {
  const lease = readLease(leaseName({ network, ...attachment }));
  if (lease === undefined) throw differs("there is no DHCP lease of this attachment on record");
  if (lease.lost !== null) throw differs(`the DHCP lease of ${lease.address} is lost: ${lease.lost}`);
  if ((lease.expiresAt ?? Infinity) <= bootSeconds())
    throw differs(`the DHCP lease of ${lease.address} has expired`);
  const address = parseAddress(lease.address);
  const isInResult = prevResult?.ips.some(
    (ip) => ip.address.value === address?.value && ip.address.length === lease.prefixLength,
  );
  if (isInResult === true) return;
  const listed = prevResult?.ips.map((ip) => formatAddress(ip.address)).join(", ");
  throw differs(`the DHCP lease is of ${lease.address}, prevResult has ${listed || "no address"}`);
}

function differs(message: string): Failure {
  return new Failure("check", message, { remedy: "run DEL and ADD again to get a new lease" });
}

function status(options: DhcpOptions): void {
  try {
    refuseMode(options.mode);
    askDaemon(configOf(options).socketPath, { ask: "status" });
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    throw new Failure("unavailable", thrown.message, {
      remedy: thrown.remedy,
      details: thrown.details,
      cause: thrown,
    });
  }
}

function gc({ network, validAttachments }: DhcpOptions): void {
  if (validAttachments === undefined) return;
  const failures: unknown[] = [];
  for (const name of leaseNames()) {
    const lease = readLease(name);
    if (lease?.network !== network) continue;
    const { containerId, ifName } = lease;
    if (validAttachments.some((one) => one.containerId === containerId && one.ifName === ifName)) continue;
    try {
      giveBack(lease);
    } catch (thrown) {
      failures.push(thrown);
    }
  }
  if (failures.length > 0) throw joinFailures(failures);
}
