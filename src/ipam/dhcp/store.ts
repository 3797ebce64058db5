import * as v from "valibot";
import { Failure } from "../../error.ts";
import { bootId } from "../../linux/clock.ts";
import { KernelError } from "../../linux/errno.ts";
import {
  listDirectory,
  lockFile,
  makeDirectories,
  readText,
  removeFile,
  replaceWhole,
  statusOf,
} from "../../linux/file.ts";
import { lockTimeoutMs } from "../../linux/lock-timeout.ts";
import { leaseDirectory, leaseName, SUFFIX } from "./lease-file.ts";
import type { Moments } from "./timers.ts";

/**
 * A lease as it is on disk: what its renewal and release need. Moments are in boot seconds, null for never; `boot` is the
 * boot they belong to, which also is the one in which the namespace existed.
 */
const schema = v.object({
  boot: v.string(),
  family: v.picklist([4, 6]),
  network: v.string(),
  containerId: v.string(),
  ifName: v.string(),
  netns: v.string(),
  namespace: v.string(),
  /** Of the daemon that is to keep it. */
  socketPath: v.string(),
  /** Client identifier (4) or DUID (6), in hexadecimal digits as all bytes here. */
  clientId: v.string(),
  /** The IAID (6); 0 for the other family. */
  iaid: v.number(),
  requests: v.array(v.number()),
  provides: v.array(v.tuple([v.number(), v.string()])),
  address: v.string(),
  prefixLength: v.number(),
  /** An address (4), or a DUID (6). */
  server: v.string(),
  serverMac: v.string(),
  startedAt: v.number(),
  renewAt: v.nullable(v.number()),
  rebindAt: v.nullable(v.number()),
  expiresAt: v.nullable(v.number()),
  /** Why the endpoint has lost it; null while it has it. */
  lost: v.nullable(v.string()),
});

export type Lease = v.InferOutput<typeof schema>;

const LEASE_BYTES_MAX = 64 * 1024;
/** Shorter than elsewhere: nobody holds this lock for long, and the daemon does nothing else while it waits. */
const LOCK_TIMEOUT_MS = 10_000;

/** The lease of that name; undefined when there is none, or one that is torn or of an earlier boot. */
export function readLease(name: string): Lease | undefined {
  if (!name.endsWith(SUFFIX) || name.includes("/")) return undefined;
  const lease = read(name);
  return lease?.boot === bootId() ? lease : undefined;
}

function read(name: string): Lease | undefined {
  try {
    const parsed = v.safeParse(
      schema,
      JSON.parse(readText(`${leaseDirectory()}/${name}`, LEASE_BYTES_MAX) ?? "null"),
    );
    return parsed.success ? parsed.output : undefined;
  } catch (thrown) {
    if (thrown instanceof SyntaxError || thrown instanceof KernelError) return undefined;
    throw thrown;
  }
}

/** The names of all leases. Throws KernelError. */
export function leaseNames(): string[] {
  return (listDirectory(leaseDirectory()) ?? [])
    .map(({ name }) => name)
    .filter((name) => name.endsWith(SUFFIX));
}

/** Writes a lease, over one that is there. Throws a Failure of kind `io`. */
export function writeLease(lease: Lease): void {
  try {
    makeDirectories(leaseDirectory(), 0o700);
    locked(() => write(lease));
  } catch (cause) {
    if (!(cause instanceof KernelError)) throw cause;
    throw new Failure("io", `cannot write the DHCP lease into ${leaseDirectory()}`, {
      cause,
      remedy: "make the directory writable, or name another one in IPVLAN_RUN_DIR",
    });
  }
}

/**
 * Changes or removes a lease that is still there and is still the same; false when it is not: a DEL, and even an ADD of
 * the same attachment, may have come in between. Throws KernelError.
 */
export function updateLease(name: string, before: Lease, change: Partial<Lease> | "remove"): boolean {
  return locked(() => {
    const now = readLease(name);
    if (now === undefined || now.startedAt !== before.startedAt) return false;
    if (change === "remove") removeFile(`${leaseDirectory()}/${name}`);
    else write({ ...now, ...change });
    return true;
  });
}

/** Removes a lease; none is no error. Throws KernelError. */
export function removeLease(name: string): void {
  if (statusOf(leaseDirectory()) !== undefined) locked(() => removeFile(`${leaseDirectory()}/${name}`));
}

function write(lease: Lease): void {
  replaceWhole(
    `${leaseDirectory()}/${leaseName(lease, lease.family)}`,
    JSON.stringify(lease),
    0o600,
    `${leaseDirectory()}/.new`,
  );
}

function locked<T>(work: () => T): T {
  const timeoutMs = lockTimeoutMs(LOCK_TIMEOUT_MS);
  const lock = lockFile(`${leaseDirectory()}/.lock`, 0o600, timeoutMs);
  if (lock === undefined)
    throw new Failure("busy", `${leaseDirectory()}/.lock was held by others for ${timeoutMs / 1000} s`, {
      remedy: "try again; if it lasts, look for processes that hang with that file open",
    });
  try {
    return work();
  } finally {
    lock.release();
  }
}

/** A lease's moments as numbers to reckon with. */
export function momentsOf({ startedAt, renewAt, rebindAt, expiresAt }: Lease): Moments {
  return {
    startedAt,
    renewAt: renewAt ?? Infinity,
    rebindAt: rebindAt ?? Infinity,
    expiresAt: expiresAt ?? Infinity,
  };
}

/** What a grant changes in a lease. */
export type Granted = Pick<
  Lease,
  | "address"
  | "prefixLength"
  | "server"
  | "serverMac"
  | "startedAt"
  | "renewAt"
  | "rebindAt"
  | "expiresAt"
  | "lost"
>;

/** Moments as a lease on disk has them: JSON knows no Infinity. */
export function writtenMoments({ startedAt, renewAt, rebindAt, expiresAt }: Moments) {
  const finite = (moment: number) => (moment === Infinity ? null : moment);
  return { startedAt, renewAt: finite(renewAt), rebindAt: finite(rebindAt), expiresAt: finite(expiresAt) };
}
