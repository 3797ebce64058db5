import { Failure, joinFailures, messageOf } from "../../error.ts";
import { KernelError } from "../../linux/errno.ts";
import { formatAddress, type IpAddress, sameAddress } from "../../net/ip.ts";
import type { Dns, IpConfig, Result } from "../../net/result.ts";
import type { Attachment, Ipam, ValidAttachment } from "../ipam.ts";
import type { IpamOptions } from "../options.ts";
import { type HostLocalConfig, readConfig, readDataDir } from "./config.ts";
import {
  candidates,
  capacityOf,
  describeSet,
  type RangeSet,
  rangeContains,
  rangeOf,
  whyUnusable,
} from "./range.ts";
import { readResolvConf } from "./resolv-conf.ts";
import { type Lease, leaseContent, Store } from "./store.ts";

/**
 * Addresses from ranges, remembered in files of this host: the reference's `host-local`, in process.
 * A `del` after an `add` of the same object undoes just that: what the attachment held before stays.
 */
export function hostLocal(options: IpamOptions): Ipam {
  let taken: IpAddress[] | undefined;
  return {
    add: () =>
      explained(() => {
        const result = add(options);
        taken = [];
        for (const { address } of result.ips) taken.push(address);
        return result;
      }),
    del: () => explained(() => del(options, taken)),
    check: () => explained(() => checkHeld(options)),
    status: () => explained(() => status(options)),
    gc: (alsoValid) => explained(() => gc(options, alsoValid)),
  };
}

function add(options: IpamOptions): Result {
  const config = readConfig(options);
  const dns: Dns = config.resolvConf === undefined ? {} : readResolvConf(config.resolvConf);
  const ips = inStore(options, { create: true }, (store) => allocate(store, config, options.attachment));
  return { interfaces: [], ips: ips ?? [], routes: config.routes, dns };
}

/** One address from each set, or none at all. */
function allocate(store: Store, { sets, requested }: HostLocalConfig, attachment: Attachment): IpConfig[] {
  const unused = [...requested];
  const taken: Lease[] = [];
  const ips: IpConfig[] = [];
  try {
    for (const set of sets) {
      const index = ips.length;
      try {
        const request = unused.length === 0 ? undefined : takeOut(unused, set);
        const lease =
          request === undefined
            ? takeNext(store, set, index, attachment)
            : takeRequested(store, set, request, attachment);
        taken.push(lease);
        store.moveCursor(index, lease.address);
        ips.push(ipConfig(set, lease.address));
      } catch (error) {
        throw prefixed(`failed to allocate for range ${index}: `, error);
      }
    }
    if (unused.length > 0) throw notAllRequested(unused, sets);
    return ips;
  } catch (error) {
    // Exactly what this call took: the attachment may hold addresses of an earlier one.
    const failures: unknown[] = [error];
    for (const lease of taken) attempt(failures, () => store.release(lease));
    throw joinFailures(failures);
  }
}

function notAllRequested(unused: IpAddress[], sets: RangeSet[]): Failure {
  return new Failure("ipam", `failed to allocate all requested IPs: ${unused.map(formatAddress).join(" ")}`, {
    details: `range sets: ${sets.map(describeSet).join("; ")}`,
    remedy: "request one address of each range set at most",
  });
}

/** Takes the first address that lies in the set out of `addresses`. */
function takeOut(addresses: IpAddress[], set: RangeSet): IpAddress | undefined {
  const at = addresses.findIndex((address) => rangeOf(set, address) !== undefined);
  return at < 0 ? undefined : addresses.splice(at, 1)[0];
}

function takeRequested(
  store: Store,
  set: RangeSet,
  address: IpAddress,
  { containerId, ifName }: Attachment,
): Lease {
  const reason = whyUnusable(rangeOf(set, address)!, address);
  if (reason !== undefined)
    throw new Failure("ipam", reason, {
      remedy: "request another address, or none to get the next free one",
    });
  const lease = { address, content: leaseContent(containerId, ifName) };
  if (store.take(lease)) return lease;
  const holder = store.holderOf(address);
  throw new Failure(
    "ipam",
    `requested IP address ${formatAddress(address)} is not available in range set ${describeSet(set)}: it is held by ${
      holder === undefined ? "an unknown owner" : describeOwner(holder)
    }`,
    { remedy: "request another address, or DEL the attachment that holds this one" },
  );
}

function takeNext(store: Store, set: RangeSet, index: number, { containerId, ifName }: Attachment): Lease {
  const content = leaseContent(containerId, ifName);
  for (const { address } of heldBy(store, containerId, ifName))
    if (rangeOf(set, address))
      throw new Failure(
        "ipam",
        `${formatAddress(address)} has been allocated to ${containerId}, duplicate allocation is not allowed`,
        { remedy: `DEL ${describeOwner(content)} first, or use another container id or interface name` },
      );
  const lease = takeFree(store, set, index, content);
  if (lease !== undefined) return lease;
  // What the index calls taken may have been freed without it, or be an empty file.
  store.refresh();
  const late = takeFree(store, set, index, content);
  if (late !== undefined) return late;
  throw exhausted("ipam", store, set);
}

function takeFree(store: Store, set: RangeSet, index: number, content: string): Lease | undefined {
  const { family } = set[0]!.subnet;
  for (const { first, last } of candidates(set, store.cursor(index)))
    for (let from = first; from <= last; from++) {
      const value = store.nextFree(family, from, last);
      if (value === undefined) break;
      const lease = { address: { family, value }, content };
      if (store.take(lease)) return lease;
      from = value;
    }
  return undefined;
}

function exhausted(kind: "ipam" | "unavailable", store: Store, set: RangeSet): Failure {
  return new Failure(
    kind,
    `no IP addresses available in range set: ${describeSet(set)}: all ${capacityOf(set)} usable addresses are taken`,
    {
      remedy: `widen the range, or free leases of containers that are gone (GC, or their files in ${store.directory})`,
    },
  );
}

function ipConfig(set: RangeSet, address: IpAddress): IpConfig {
  const { subnet, gateway } = rangeOf(set, address)!;
  return { address: { ...address, length: subnet.length }, ...(gateway === undefined ? {} : { gateway }) };
}

/** What the attachment holds, by its own name or, from times when leases had no interface, by the container's. */
function heldBy(store: Store, containerId: string, ifName: string): Lease[] {
  return [...store.withContent(leaseContent(containerId, ifName)), ...store.withContent(containerId)];
}

/** Needs no valid configuration but the place: what was given must be given back whatever became of the ranges. */
function del(options: IpamOptions, only: IpAddress[] | undefined): void {
  const { containerId, ifName } = options.attachment;
  inStore(options, { create: false }, (store) => {
    const own = store.withContent(leaseContent(containerId, ifName));
    if (only !== undefined) {
      for (const lease of own)
        if (only.some((address) => sameAddress(address, lease.address))) store.release(lease);
      return;
    }
    const found = own.length > 0 ? own : store.withContent(containerId);
    for (const lease of found) store.release(lease);
    // It may be in the file that could not be read.
    if (found.length === 0 && store.unread !== undefined) throw store.unread;
  });
}

function checkHeld(options: IpamOptions): void {
  const { containerId, ifName } = options.attachment;
  const { sets } = readConfig(options);
  const held = inStore(options, { create: false }, (store) => {
    const found = heldBy(store, containerId, ifName);
    if (found.length > 0) return found;
    store.refresh();
    return heldBy(store, containerId, ifName);
  });
  if (held === undefined || held.length === 0)
    throw new Failure("check", `host-local: Failed to find address added by container ${containerId}`, {
      remedy: "the lease was removed behind the container's back: DEL and ADD it again",
    });
  for (const { address } of options.prevResult?.ips ?? []) {
    if (!sets.some((set) => set.some((range) => rangeContains(range, address)))) continue;
    if (held.some((lease) => sameAddress(lease.address, address))) continue;
    throw new Failure(
      "check",
      `host-local: ${formatAddress(address)} of prevResult is not reserved for ${describeOwner(leaseContent(containerId, ifName))}`,
      { remedy: "another container may get this address: DEL and ADD this one again" },
    );
  }
}

function status(options: IpamOptions): void {
  try {
    const config = readConfig(options);
    if (config.resolvConf !== undefined) readResolvConf(config.resolvConf);
    inStore(options, { create: true }, (store) => {
      store.probe();
      for (const set of config.sets) {
        if (hasFree(store, set)) continue;
        store.refresh();
        if (!hasFree(store, set)) throw exhausted("unavailable", store, set);
      }
    });
  } catch (error) {
    if (error instanceof Failure ? error.kind === "busy" : !(error instanceof KernelError)) throw error;
    const remedy = error instanceof Failure ? error.remedy : undefined;
    throw new Failure("unavailable", `host-local: ${messageOf(error)}`, { cause: error, remedy });
  }
}

function hasFree(store: Store, set: RangeSet): boolean {
  return set.some(({ subnet, usable }) =>
    usable.some(({ first, last }) => store.nextFree(subnet.family, first, last) !== undefined),
  );
}

/** Frees what is in no valid attachment's name. Files that are no leases stay as they are. */
function gc(options: IpamOptions, alsoValid: ValidAttachment[] = []): void {
  const { validAttachments } = options;
  if (validAttachments === undefined) return;
  const valid = new Set(
    [...validAttachments, ...alsoValid].flatMap(({ containerId, ifName }) => [
      leaseContent(containerId, ifName),
      containerId.trim(),
    ]),
  );
  inStore(options, { create: false }, (store) => {
    const failures: unknown[] = [];
    for (const lease of store.refresh())
      if (!valid.has(lease.content) && isLease(lease.content)) attempt(failures, () => store.release(lease));
    attempt(failures, () => store.sweep());
    if (store.unread !== undefined) failures.push(store.unread);
    if (failures.length > 0) throw joinFailures(failures);
  });
}

/** A container id, alone or with an interface: people also put notes of their own into files named after an address. */
function isLease(content: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]*(\r\n[^\s/]+)?$/.test(content);
}

/** `c1 (eth0)` */
function describeOwner(content: string): string {
  const [containerId, ifName] = content.split("\r\n");
  return ifName === undefined ? `${containerId}` : `${containerId} (${ifName})`;
}

function inStore<Found>(
  options: IpamOptions,
  how: { create: boolean },
  work: (store: Store) => Found,
): Found | undefined {
  const { network } = options;
  if (network === "" || network.startsWith(".") || network.includes("/"))
    throw new Failure("config", `the network's name ${JSON.stringify(network)} cannot be a directory's`);
  const store = Store.open(readDataDir(options.config), network, how);
  if (store === undefined) return undefined;
  try {
    return work(store);
  } finally {
    store.close();
  }
}

function attempt(failures: unknown[], work: () => void): void {
  try {
    work();
  } catch (error) {
    failures.push(error);
  }
}

function prefixed(start: string, error: unknown): unknown {
  if (!(error instanceof Failure || error instanceof KernelError)) return error;
  const { remedy, details } = error instanceof Failure ? error : { remedy: undefined, details: undefined };
  return new Failure(error instanceof Failure ? error.kind : "ipam", `${start}${error.message}`, {
    remedy,
    details,
    cause: error,
  });
}

/** System calls that fail become a Failure that names the plugin. */
function explained<Found>(work: () => Found): Found {
  try {
    return work();
  } catch (error) {
    throw error instanceof KernelError
      ? new Failure("ipam", `host-local: ${error.message}`, { cause: error })
      : error;
  }
}
