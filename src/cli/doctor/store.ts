import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { NetworkConfig } from "../../cni/config.ts";
import { DATA_DIR, readConfig, readDataDir } from "../../ipam/host-local/config.ts";
import { capacityOf, type RangeSet, rangeOf } from "../../ipam/host-local/range.ts";
import { NOTHING_ASKED } from "../../ipam/options.ts";
import { KernelError } from "../../linux/errno.ts";
import { lockFile, statusOf } from "../../linux/file.ts";
import { parseAddress } from "../../net/ip.ts";
import type { Endpoint } from "../endpoints.ts";
import { unexplainedOf } from "../gc.ts";
import { type LeaseFile, leasesOf } from "../leases.ts";
import { namesIn } from "../networks.ts";
import { type Diagnosis, error, ok, warning } from "./diagnosis.ts";
import { examineWritable } from "./plugins.ts";

/** A store fuller than this is worth a word. */
const FILL_WARNING = 0.9;
/** A lock is held for milliseconds; whoever has it longer hangs. */
const LOCK_TIMEOUT_MS = 2000;
/** So many are named in a finding. */
const NAMED_MAX = 3;

/** host-local's store of one network: is it usable, how full is it, and is all in it somebody's. */
export function examineStore(
  subject: string,
  { name, cniVersion, ipam }: NetworkConfig,
  endpoints: Endpoint[],
): Diagnosis[] {
  const { sets } = readConfig({
    network: name,
    cniVersion,
    config: ipam!.fields,
    attachment: { containerId: "doctor", netns: "", ifName: "eth0" },
    ...NOTHING_ASKED,
  });
  const dataDir = readDataDir(ipam!.fields);
  const directory = join(dataDir, name);
  const leases = leasesOf(dataDir, name);
  const own = dataDir === DATA_DIR ? [] : [examineWritable(`${subject}: leases`, dataDir)];
  return [
    ...own,
    examineFill(subject, sets, leases),
    ...examineLock(subject, join(directory, "lock")),
    ...examineTorn(subject, directory),
    ...examineOwners(subject, name, directory, leases, endpoints),
    ...examineStrays(subject, sets, leases),
  ];
}

/** An endpoint takes an address of each set, so the set with the fewest left is full first. */
function examineFill(subject: string, sets: RangeSet[], leases: LeaseFile[]): Diagnosis {
  const fills = sets.map((set) => {
    const given = leases.filter(({ address }) => rangeOf(set, parseAddress(address)!) !== undefined).length;
    const capacity = capacityOf(set);
    return { given, capacity, left: capacity - BigInt(given) };
  });
  const { given, capacity, left } = fills.reduce((least, each) => (each.left < least.left ? each : least));
  const text = `${given} of ${capacity} addresses are given`;
  if (left <= 0n)
    return error(subject, text, "enlarge the range, or see `ipvlan gc --dry-run` for leases nobody uses");
  if (given > Number(capacity) * FILL_WARNING)
    return warning(subject, text, "enlarge the range before it is full");
  return ok(subject, text);
}

function examineLock(subject: string, path: string): Diagnosis[] {
  try {
    if (statusOf(path) === undefined) return [];
    const lock = lockFile(path, 0o600, LOCK_TIMEOUT_MS);
    lock?.release();
    if (lock !== undefined) return [];
  } catch (thrown) {
    // Not ours to read, or gone meanwhile; whether it can be written is told apart.
    if (thrown instanceof KernelError) return [];
    throw thrown;
  }
  return [
    error(
      subject,
      `the lock of its leases, ${path}, has been held for ${LOCK_TIMEOUT_MS / 1000} s`,
      `see who has it open (fuser ${path}), and end what hangs`,
    ),
  ];
}

/** The reference's plugin makes the file first and writes it then. */
function examineTorn(subject: string, directory: string): Diagnosis[] {
  const torn = namesIn(directory).filter(
    (name) => parseAddress(name) !== undefined && isEmpty(directory, name),
  );
  if (torn.length === 0) return [];
  return [
    warning(
      subject,
      `${torn.length} leases are empty files, which a crash leaves: ${someOf(torn)}`,
      `the next ADD takes them over; or remove them from ${directory}`,
    ),
  ];
}

function isEmpty(directory: string, name: string): boolean {
  try {
    return readFileSync(join(directory, name), "utf8").trim() === "";
  } catch {
    // Released meanwhile.
    return false;
  }
}

function examineOwners(
  subject: string,
  network: string,
  directory: string,
  leases: LeaseFile[],
  endpoints: Endpoint[],
): Diagnosis[] {
  const unexplained = unexplainedOf(endpoints, new Map([[network, leases]]));
  if (unexplained.length === 0) return [];
  const names = unexplained.map(({ address, container }) => `${address} of ${container}`);
  return [
    warning(
      subject,
      `${unexplained.length} leases are of containers that no record explains: ${someOf(names)}`,
      `if the containers are gone and no other program leases from this store, remove the files from ${directory}`,
    ),
  ];
}

/** Leases that no range of the configuration has: it has been changed since. */
function examineStrays(subject: string, sets: RangeSet[], leases: LeaseFile[]): Diagnosis[] {
  const strays = leases
    .map(({ address }) => address)
    .filter((text) => sets.every((set) => rangeOf(set, parseAddress(text)!) === undefined));
  if (strays.length === 0) return [];
  return [
    warning(
      subject,
      `${strays.length} leases lie outside of its ranges: ${someOf(strays)}`,
      "the ranges were changed since; restart those containers for addresses of the new ones",
    ),
  ];
}

function someOf(names: string[]): string {
  const more = names.length - NAMED_MAX;
  return names.slice(0, NAMED_MAX).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
