import { debug } from "../debug.ts";
import type { Attachment } from "../ipam/ipam.ts";
import { isObject } from "../json.ts";
import { ENOENT, isErrno } from "../linux/errno.ts";
import {
  type FileLock,
  findInDirectory,
  listDirectory,
  lockFile,
  makeDirectories,
  overwriteText,
  removeFile,
  statusOf,
} from "../linux/file.ts";
import { runDirectory } from "../linux/run-directory.ts";
import { parseAddress } from "../net/ip.ts";
import { encodeUtf8 } from "../text.ts";
import { lockRunFile, readRunFile, runFailure } from "./lock.ts";

/**
 * One small file for each attachment, written before anything is changed and removed when nothing is left: it tells DEL
 * where the endpoint is when the runtime does not, and GC what an interrupted ADD left. A hint, checked against the
 * kernel before anything is done on its word; it lives on the run directory because no namespace outlives a reboot.
 */
export interface EndpointRecord {
  network: string;
  containerId: string;
  ifName: string;
  /** Path of the container's namespace, and what tells it from others (`namespaceMark`): the path may come to mean another one. */
  netns: string;
  namespace: string;
  /** Name of the master, the port's name (see port.ts), and the port's mode and flag. */
  master: string;
  port: string;
  /** The VLAN the endpoint is on (see vlan.ts). */
  vlan?: string;
  mode: string;
  flag: string;
  /** The host's endpoint that serves this one, and this one's addresses that it has routes to (see host-access.ts). */
  host?: { name: string; containers: string[] };
  /** Its removal has begun: it counts no more, but is not forgotten before everything is removed. */
  gone?: boolean;
}

/** What tells one attachment from another. */
export type RecordIdentity = Pick<EndpointRecord, "network" | "containerId" | "ifName">;

const NAME_MAX_BYTES = 255;
const RECORD_MAX_BYTES = 64 * 1024;

/** Writes the record. Throws a Failure of kind `io` when the run directory cannot be written. */
export function writeRecord(record: EndpointRecord): void {
  const path = recordPath(record);
  const text = JSON.stringify(record);
  debug?.step("record", { path });
  try {
    try {
      overwriteText(path, text, 0o600);
    } catch (thrown) {
      if (!isErrno(thrown, ENOENT)) throw thrown;
      makeDirectories(runDirectory(), 0o700);
      overwriteText(path, text, 0o600);
    }
  } catch (cause) {
    throw runFailure(path, cause);
  }
}

/** The record of an attachment; undefined when there is none, or nothing of use in it. Throws KernelError. */
export function readRecord(identity: RecordIdentity): EndpointRecord | undefined {
  return readRecordAt(recordPath(identity));
}

/** Removes the record; none is no error, nor a run directory where there can be none. Throws KernelError. */
export function removeRecord(identity: RecordIdentity): void {
  try {
    removeFile(recordPath(identity));
  } catch (thrown) {
    // A read-only directory refuses to remove even what is not there.
    if (readRecord(identity) !== undefined) throw thrown;
  }
}

/** Locks the record of an attachment, and so the attachment; without a record it is an empty file meanwhile. */
export function lockRecord(identity: RecordIdentity): FileLock {
  return lockRunFile(recordPath(identity));
}

/** Removes the empty file that locking an attachment without a record leaves; it is the caller who has it locked. */
export function dropEmptyRecord(identity: RecordIdentity): void {
  if (readRecord(identity) === undefined) removeRecord(identity);
}

/**
 * Removes the empty files that were left, of whatever network, where a crash came between the lock of an attachment and
 * its record. One that somebody has locked is an ADD at work. Throws KernelError.
 */
export function dropEmptyRecords(): void {
  for (const { name, type } of listDirectory(runDirectory()) ?? []) {
    const path = `${runDirectory()}/${name}`;
    if (type !== "file" || readRecordAt(path) !== undefined) continue;
    const lock = lockFile(path, 0o600, 0);
    try {
      if (lock !== undefined && readRecordAt(path) === undefined) removeFile(path);
    } finally {
      lock?.release();
    }
  }
}

/** Paths of files among the records that are none: empty, torn, or under a name that is not theirs. Throws KernelError. */
export function strangeRecords(): string[] {
  return (listDirectory(runDirectory()) ?? [])
    .filter(({ type }) => type === "file")
    .map(({ name }) => `${runDirectory()}/${name}`)
    .filter((path) => readRecordAt(path) === undefined && statusOf(path) !== undefined);
}

/** Changes what the attachment's record says. Throws a Failure of kind `io`. */
export function updateRecord(identity: RecordIdentity, change: Partial<EndpointRecord>): void {
  const record = readRecord(identity);
  if (record !== undefined) writeRecord({ ...record, ...change });
}

/** Every readable record of a network. Throws KernelError. */
export function recordsOf(network: string): EndpointRecord[] {
  return allRecords().filter((record) => record.network === network);
}

/** Every readable record. Throws KernelError. */
export function allRecords(): EndpointRecord[] {
  const found: EndpointRecord[] = [];
  findRecord((record) => void found.push(record));
  return found;
}

/** As `findRecord`, among the endpoints whose removal has not begun. */
export function findLive<Found>(look: (record: EndpointRecord) => Found | undefined): Found | undefined {
  return findRecord((record) => (record.gone ? undefined : look(record)));
}

/** Whether it holds for one of the endpoints whose removal has not begun. Throws KernelError. */
export function someLive(holds: (record: EndpointRecord) => boolean): boolean {
  return findLive((record) => holds(record) || undefined) ?? false;
}

/**
 * The first thing that `look` finds. The records after that are not read: where there are a thousand, the first one answers
 * most questions. Throws KernelError.
 */
export function findRecord<Found>(look: (record: EndpointRecord) => Found | undefined): Found | undefined {
  return findInDirectory(runDirectory(), ({ name, type }) => {
    // Folders, and the DHCP daemon's socket.
    if (type !== "file") return undefined;
    const record = readRecordAt(`${runDirectory()}/${name}`);
    return record && look(record);
  });
}

function readRecordAt(path: string): EndpointRecord | undefined {
  const parsed = readRunFile(path, RECORD_MAX_BYTES);
  // What it says is acted upon below the run directory: it has to be about the attachment that its name is about.
  return isRecord(parsed) && recordPath(parsed) === path ? parsed : undefined;
}

function isRecord(value: unknown): value is EndpointRecord {
  if (!isObject(value)) return false;
  const fields = value as Record<string, unknown>;
  return (
    typeof fields.network === "string" &&
    typeof fields.containerId === "string" &&
    typeof fields.ifName === "string" &&
    typeof fields.netns === "string" &&
    typeof fields.namespace === "string" &&
    typeof fields.master === "string" &&
    typeof fields.port === "string" &&
    typeof fields.mode === "string" &&
    typeof fields.flag === "string" &&
    // Empty until the VLAN is there that is the port.
    (fields.port === "" || isFileName(fields.port)) &&
    (fields.vlan === undefined || isFileName(fields.vlan)) &&
    (fields.host === undefined || isHost(fields.host)) &&
    (fields.gone === undefined || typeof fields.gone === "boolean")
  );
}

function isHost(value: unknown): value is EndpointRecord["host"] {
  if (!isObject(value)) return false;
  const { name, containers } = value as Record<string, unknown>;
  return isFileName(name) && Array.isArray(containers) && containers.every(isAddress);
}

function isAddress(value: unknown): boolean {
  return typeof value === "string" && parseAddress(value) !== undefined;
}

/** True for what can only be a file in the directory it is looked for in. */
function isFileName(value: unknown): boolean {
  return (
    typeof value === "string" &&
    value !== "" &&
    value !== "." &&
    value !== ".." &&
    !value.includes("/") &&
    !value.includes("\0")
  );
}

/** Neither a network name nor a container id may hold a comma, so that no two attachments share a file. */
function recordPath({ network, containerId, ifName }: RecordIdentity): string {
  const name = `${network},${containerId},${ifName}`;
  return `${runDirectory()}/${encodeUtf8(name).length <= NAME_MAX_BYTES ? name : digest(name)}`;
}

/**
 * The name a link bears until it can be given its own: it follows from the attachment, and no two attachments share it.
 */
export function temporaryName(network: string, attachment: Attachment): string {
  return `ivl${digest(`${network},${attachment.containerId},${attachment.ifName}`).slice(0, 12)}`;
}

/** SHA-256 in hexadecimal. */
export function digest(text: string): string {
  return Bun.SHA256.hash(text, "hex");
}
