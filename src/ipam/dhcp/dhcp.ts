import { Failure, joinFailures, messageOf } from "../../error.ts";
import { bootId, bootSeconds } from "../../linux/clock.ts";
import { KernelError } from "../../linux/errno.ts";
import { Reactor } from "../../linux/reactor.ts";
import { formatAddress, parseAddress } from "../../net/ip.ts";
import type { Result } from "../../net/result.ts";
import type { Ipam, ValidAttachment } from "../ipam.ts";
import type { IpamOptions } from "../options.ts";
import { acquire } from "./client.ts";
import { type DhcpConfig, readDhcpConfig } from "./config.ts";
import { dialectOf } from "./dialect.ts";
import { clientFields, grantedFields } from "./dialect4.ts";
import { lowerMtu, setUp } from "./endpoint.ts";
import { leaseName, type Owner } from "./lease-file.ts";
import { type Mode, refuseMode } from "./mode.ts";
import { Port } from "./port.ts";
import { askDaemon } from "./protocol.ts";
import { givenBy } from "./result.ts";
import { type Lease, leaseNames, readLease, removeLease, writeLease } from "./store.ts";
import { acquire6 } from "./v6/client.ts";
import { clientFields6, grantedFields6, withPort6 } from "./v6/dialect6.ts";
import { client6Of, givenBy6 } from "./v6/result.ts";

/** The least an IPv6 link must carry (RFC 8200). */
const IPV6_MTU_MIN = 1280;

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
    gc: (alsoValid = []) => gc(options, alsoValid),
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
  const results: Result[] = [];
  const deadline = port.now() + config.timeoutSeconds;
  setUp(port, true);
  try {
    for (const family of config.families)
      results.push(await (family === 4 ? lease4 : lease6)(port, config, options, deadline));
    // With its address it comes up again, and the kernel announces only what is there at that moment.
    setUp(port, false);
    return merged(results);
  } catch (thrown) {
    await giveBack({ network: options.network, ...options.attachment });
    throw thrown;
  }
}

async function lease4(
  port: Port,
  config: DhcpConfig,
  options: DhcpOptions,
  deadline: number,
): Promise<Result> {
  const { client, priority } = config;
  const grant = await acquire(port, client, deadline);
  await keep(port, config, options, { ...clientFields(client), ...grantedFields(grant) });
  const given = givenBy(grant, client.requests, priority, port.now());
  for (const complaint of given.complaints) console.error(`ipvlan: dhcp: ${complaint}`);
  if (given.mtu !== undefined && options.mtu === undefined)
    lowerMtu(port, config.families.includes(6) ? Math.max(IPV6_MTU_MIN, given.mtu) : given.mtu);
  return given.result;
}

async function lease6(
  port: Port,
  config: DhcpConfig,
  options: DhcpOptions,
  deadline: number,
): Promise<Result> {
  const client = client6Of(config.client.clientId);
  const grant = await withPort6(port, (wire) => acquire6(wire, client, deadline));
  await keep(port, config, options, { ...clientFields6(client), ...grantedFields6(grant) });
  return givenBy6(grant, port.now());
}

/** Writes a lease and hands it over to the daemon. Releases it when that fails. */
async function keep(
  port: Port,
  { socketPath }: DhcpConfig,
  { network, attachment }: DhcpOptions,
  fields: Omit<Lease, "boot" | "namespace" | "socketPath" | keyof Owner | "netns">,
): Promise<void> {
  const owner = { network, ...attachment };
  const lease: Lease = { boot: bootId(), ...owner, namespace: port.identity, socketPath, ...fields };
  try {
    writeLease(lease);
  } catch (thrown) {
    await attempt(`giving ${lease.address} back`, () => dialectOf(lease).release(port, lease));
    throw thrown;
  }
  askDaemon(socketPath, { ask: "keep", lease: leaseName(owner, lease.family) });
}

function merged(results: Result[]): Result {
  const list = (name: "nameservers" | "search") => results.flatMap(({ dns }) => dns[name] ?? []);
  const [nameservers, search] = [list("nameservers"), [...new Set(list("search"))]];
  const domain = results.find(({ dns }) => dns.domain)?.dns.domain;
  return {
    interfaces: [],
    ips: results.flatMap(({ ips }) => ips),
    routes: results.flatMap(({ routes }) => routes),
    dns: {
      ...(nameservers.length > 0 ? { nameservers } : {}),
      ...(domain === undefined ? {} : { domain }),
      ...(search.length > 0 ? { search } : {}),
    },
  };
}

/** Releases an attachment's leases and removes them; none is no error. */
export async function giveBack(owner: Owner): Promise<void> {
  for (const family of [4, 6] as const) await giveBackLease(leaseName(owner, family));
}

/** A release that cannot be sent is not missed: the lease will end. */
async function giveBackLease(name: string): Promise<void> {
  const lease = readLease(name);
  if (lease === undefined) return;
  // First the file: a daemon that finds none does nothing more.
  removeLease(name);
  await attempt(`giving ${lease.address} back`, () => sendRelease(lease));
  await attempt("telling the daemon", () => askDaemon(lease.socketPath, { ask: "forget", lease: name }));
}

/** For what is not missed when it fails; it says so on standard error. */
async function attempt(what: string, work: () => unknown): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    if (!(thrown instanceof KernelError || thrown instanceof Failure)) throw thrown;
    console.error(`ipvlan: dhcp: ${what}: ${messageOf(thrown)}`);
  }
}

async function sendRelease(lease: Lease): Promise<void> {
  if (lease.lost !== null || (lease.expiresAt ?? Infinity) <= bootSeconds()) return;
  const { netns, namespace, ifName } = lease;
  const port = Port.open({ netns, identity: namespace, ifName }, new Reactor());
  if (port === undefined) return;
  try {
    // A failed ADD leaves it down; whoever gives back removes the link in the next moment.
    setUp(port, true);
    await dialectOf(lease).release(port, lease);
  } finally {
    port.close();
  }
}

function check(options: DhcpOptions): void {
  for (const family of configOf(options).families) checkLease(options, family);
}

function checkLease({ network, attachment, prevResult }: DhcpOptions, family: 4 | 6): void {
  const lease = readLease(leaseName({ network, ...attachment }, family));
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

async function gc({ network, validAttachments }: DhcpOptions, alsoValid: ValidAttachment[]): Promise<void> {
  if (validAttachments === undefined) return;
  const valid = [...validAttachments, ...alsoValid];
  const failures: unknown[] = [];
  for (const name of leaseNames()) {
    const lease = readLease(name);
    if (lease?.network !== network) continue;
    const { containerId, ifName } = lease;
    if (valid.some((one) => one.containerId === containerId && one.ifName === ifName)) continue;
    try {
      await giveBackLease(name);
    } catch (thrown) {
      failures.push(thrown);
    }
  }
  if (failures.length > 0) throw joinFailures(failures);
}
