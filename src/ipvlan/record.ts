import { debug } from "../debug.ts";
import { Failure } from "../error.ts";
import type { Attachment } from "../ipam/ipam.ts";
import { ENOENT, isErrno } from "../linux/errno.ts";
import {
  closeFile,
  listDirectory,
  makeDirectories,
  O_CREAT,
  O_RDWR,
  O_TRUNC,
  openFile,
  readText,
  removeFile,
  writeFully,
} from "../linux/file.ts";

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
  /** Name of the master, and mode and flag of its port. */
  master: string;
  mode: string;
  flag: string;
}

type Identity = Pick<EndpointRecord, "network" | "containerId" | "ifName">;

const NAME_MAX_BYTES = 255;
const RECORD_MAX_BYTES = 64 * 1024;

/** Where records live: IPVLAN_RUN_DIR, or /run/ipvlan. */
export function runDirectory(): string {
  return process.env.IPVLAN_RUN_DIR || "/run/ipvlan";
}

/** Writes the record. Throws a Failure of kind `io` when the run directory cannot be written. */
export function writeRecord(record: EndpointRecord): void {
  const path = recordPath(record);
  const bytes = Buffer.from(JSON.stringify(record));
  debug?.step("record", { path });
  try {
    const fd = create(path);
    try {
      writeFully(fd, path, bytes, 0);
    } finally {
      closeFile(fd);
    }
  } catch (cause) {
    throw new Failure("io", `cannot write the endpoint's record ${path}`, {
      cause,
      remedy: "make the directory writable, or name another one in IPVLAN_RUN_DIR",
    });
  }
}

function create(path: string): number {
  const flags = O_RDWR | O_CREAT | O_TRUNC;
  try {
    return openFile(path, flags, 0o600);
  } catch (thrown) {
    if (!isErrno(thrown, ENOENT)) throw thrown;
    makeDirectories(runDirectory(), 0o700);
    return openFile(path, flags, 0o600);
  }
}

/** The record of an attachment; undefined when there is none, or none that can be read. */
export function readRecord(identity: Identity): EndpointRecord | undefined {
  return readRecordAt(recordPath(identity));
}

/** Removes the record; none is no error, nor a run directory where there can be none. Throws KernelError. */
export function removeRecord(identity: Identity): void {
  try {
    removeFile(recordPath(identity));
  } catch (thrown) {
    // A read-only directory refuses to remove even what is not there.
    if (readRecord(identity) !== undefined) throw thrown;
  }
}

/** Every readable record of a network. Throws KernelError. */
export function recordsOf(network: string): EndpointRecord[] {
  return allRecords().filter((record) => record.network === network);
}

/** Every readable record. Throws KernelError. */
export function allRecords(): EndpointRecord[] {
  return (listDirectory(runDirectory()) ?? []).flatMap(
    ({ name }) => readRecordAt(`${runDirectory()}/${name}`) ?? [],
  );
}

function readRecordAt(path: string): EndpointRecord | undefined {
  try {
    const parsed: unknown = JSON.parse(readText(path, RECORD_MAX_BYTES) ?? "null");
    return isRecord(parsed) ? parsed : undefined;
  } catch {
    // Absent, or empty because a crash came between its creation and its writing: nothing had been changed then.
    return undefined;
  }
}

const FIELDS = ["network", "containerId", "ifName", "netns", "namespace", "master", "mode", "flag"] as const;

function isRecord(value: unknown): value is EndpointRecord {
  return (
    typeof value === "object" &&
    value !== null &&
    FIELDS.every((field) => typeof (value as Record<string, unknown>)[field] === "string")
  );
}

/** Neither a network name nor a container id may hold a comma, so that no two attachments share a file. */
function recordPath({ network, containerId, ifName }: Identity): string {
  const name = `${network},${containerId},${ifName}`;
  return `${runDirectory()}/${Buffer.byteLength(name) <= NAME_MAX_BYTES ? name : digest(name)}`;
}

/**
 * The name a link bears until it can be given its own: it follows from the attachment, and no two attachments share it.
 */
export function temporaryName(network: string, attachment: Attachment): string {
  return `ivl${digest(`${network},${attachment.containerId},${attachment.ifName}`).slice(0, 12)}`;
}

function digest(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}
