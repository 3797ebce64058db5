import { debug } from "../../debug.ts";
import { Failure } from "../../error.ts";
import { EFBIG, EISDIR, ELOOP, isErrno, KernelError } from "../../linux/errno.ts";
import {
  closeFile,
  createWhole,
  type FileLock,
  fewNames,
  listDirectory,
  lockFile,
  makeDirectories,
  O_RDWR,
  openFile,
  readRegular,
  readText,
  removeFile,
  replaceWhole,
  statusOf,
  writeExclusive,
  writeFully,
} from "../../linux/file.ts";
import { lockTimeoutMs } from "../../linux/lock-timeout.ts";
import { formatAddress, type IpAddress, parseAddress } from "../../net/ip.ts";
import { encodeUtf8 } from "../../text.ts";
import type { Indexed, LeaseIndex } from "./lease-index.ts";
import { addressNamed, type KnownLeases, type LeaseFile, leaseList, mayBeAddress } from "./lease-list.ts";
import type { OpenFile } from "./table.ts";

/** A lease on disk: an address and whose it is. */
export interface Lease {
  address: IpAddress;
  /** The file's text without white space around: `<container id>\r\n<interface>`, or the id alone (legacy). */
  content: string;
}

/** What a lease of this attachment holds. */
export function leaseContent(containerId: string, ifName: string): string {
  return `${containerId.trim()}\r\n${ifName}`;
}

// A container id may be as long as an environment variable may be.
const LEASE_LIMIT_BYTES = 128 * 1024;
const LEASE_MODE = 0o600;
const LOCK_MODE = 0o750;
const DIRECTORY_MODE = 0o755;

/**
 * What is written here before it is renamed to a lease or a cursor. Its name is no address: the reference never counts
 * it as one, and a DEL of the attachment named in it removes it. Only the lock's holder writes it, so one that is
 * found is what a crash left.
 */
const STAGING = ".ipvlan.new";
/** Beside the networks' directories, and never a network: their names do not start with a dot. */
const INDEX_DIRECTORY = ".ipvlan";
/** In a directory of up to so many entries (some 35 leases, a lock, cursors) each call reads them; of more there is an index. */
const FEW = 40;

/**
 * The leases of one network, locked, in the layout of the reference's host-local: `<dataDir>/<network>/<address>`,
 * `last_reserved_ip.<set>`, `lock`. Whoever opens it must close it.
 */
export class Store {
  readonly directory: string;
  private readonly lock: FileLock;
  private readonly indexFile: OpenFile | undefined;
  /** What is known of the leases; undefined where they are few. */
  private index: LeaseIndex | undefined;
  private known: KnownLeases;
  /** The leases are known as they are now: they were read since the lock was taken. */
  private isFresh = true;
  private isChanged = false;
  /** Why a file, which may be a lease, could not be read since the leases were last read; undefined when all could. */
  unread: KernelError | undefined;

  private constructor(
    directory: string,
    lock: FileLock,
    few: string[] | undefined,
    indexFile: OpenFile | undefined,
  ) {
    this.directory = directory;
    this.lock = lock;
    this.indexFile = indexFile;
    if (few !== undefined) {
      this.known = leaseList(this.read(few.filter(mayBeAddress)));
      return;
    }
    const found = indexFile && indexing().LeaseIndex.load(indexFile, statusOf(directory)!);
    this.isFresh = found === undefined;
    this.index = found ?? indexing().LeaseIndex.of(addressed(this.read(namesIn(directory))));
    this.known = this.index;
  }

  /**
   * Locks the network's store, which is made if `create` says so; undefined when there is none. Throws a Failure of
   * kind `busy` when others hold the lock too long.
   */
  static open(dataDir: string, network: string, { create }: { create: boolean }): Store | undefined {
    const directory = `${dataDir}/${network}`;
    const timeoutMs = lockTimeoutMs();
    const locked = () => lockFile(`${directory}/lock`, LOCK_MODE, timeoutMs);
    let lock: FileLock | undefined;
    try {
      lock = locked();
    } catch {
      // The directory is nearly always there, so it is looked for, or made, only now.
      if (create) makeDirectories(directory, DIRECTORY_MODE);
      else if (statusOf(directory) === undefined) return undefined;
      lock = locked();
    }
    if (lock === undefined)
      throw new Failure(
        "busy",
        `host-local: ${directory}/lock was held by others for ${timeoutMs / 1000} s`,
        {
          remedy: "try again; if it lasts, look for processes that hang with that file open",
        },
      );
    let indexFile: OpenFile | undefined;
    try {
      const few = fewNames(directory, FEW);
      if (few === undefined) indexFile = openIndexFile(dataDir, network);
      return new Store(directory, lock, few, indexFile);
    } catch (error) {
      if (indexFile) closeFile(indexFile.fd);
      lock.release();
      throw error;
    }
  }

  /** Saves the index and unlocks. */
  close(): void {
    try {
      this.saveIndex();
    } catch (error) {
      // The directory is as it should be and its time is not the index's: the next call reads it anew.
      if (!(error instanceof KernelError)) throw error;
    } finally {
      if (this.indexFile) closeFile(this.indexFile.fd);
      this.lock.release();
    }
  }

  private saveIndex(): void {
    // An index that knows a lease as nobody's would hide it from whoever looks for it next.
    const isWorthSaving = this.unread === undefined && (this.isFresh || this.isChanged);
    if (!this.index || !this.indexFile || !isWorthSaving) return;
    const status = statusOf(this.directory);
    if (status) this.index.save(this.indexFile, this.directory, status, this.isFresh);
  }

  /** Reads every lease, which are known then as they are now. Returns the leases. */
  refresh(): Lease[] {
    this.unread = undefined;
    const files = this.read(namesIn(this.directory));
    const leases = addressed(files);
    this.isFresh = true;
    if (this.index !== undefined) this.index = indexing().LeaseIndex.of(leases);
    this.known = this.index ?? leaseList(files);
    const readable: Lease[] = [];
    for (const { address, content } of leases) if (content !== undefined) readable.push({ address, content });
    return readable;
  }

  /** The files of these names that are leases. Empty files are none. */
  private read(names: string[]): LeaseFile[] {
    const files: LeaseFile[] = [];
    for (const name of names) {
      const content = this.contentAt(`${this.directory}/${name}`);
      if (content !== "") files.push({ name, content });
    }
    return files;
  }

  private path(address: IpAddress): string {
    return `${this.directory}/${formatAddress(address)}`;
  }

  private get staging(): string {
    return `${this.directory}/${STAGING}`;
  }

  private contentOf(address: IpAddress): string | undefined {
    return this.contentAt(this.path(address));
  }

  /**
   * "" for an empty file, and for none; undefined for one that cannot be read, or is no file. It is tried twice: a container
   * whose lease was overlooked for want of memory or of a descriptor would keep an address that nobody gives back.
   */
  private contentAt(path: string): string | undefined {
    for (let isAgain = false; ; isAgain = true)
      try {
        return readRegular(path, LEASE_LIMIT_BYTES)?.trim() ?? "";
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
        if (isErrno(error, EISDIR, EFBIG, ELOOP)) return undefined;
        if (isAgain) {
          this.unread ??= error;
          return undefined;
        }
      }
  }

  /** The leases with exactly this content, in the order of their names. */
  withContent(content: string): Lease[] {
    let owned = this.known.owned(content);
    if (!this.isFresh && owned.some((address) => this.contentOf(address) !== content)) {
      this.refresh();
      owned = this.known.owned(content);
    }
    const leases: Lease[] = [];
    for (const address of owned) leases.push({ address, content });
    return leases.sort((a, b) => (formatAddress(a.address) < formatAddress(b.address) ? -1 : 1));
  }

  /** Whose the address is: a lease's content; undefined when nobody can be named. */
  holderOf(address: IpAddress): string | undefined {
    return this.contentOf(address) || undefined;
  }

  /** The first address of the span that has no lease. */
  nextFree(family: 4 | 6, first: bigint, last: bigint): bigint | undefined {
    return this.known.nextFree(family, first, last);
  }

  /**
   * Makes a lease; false when the address has one. An empty file is what a crash of the reference left between
   * creating and writing: nobody else does so under the lock, so it is replaced.
   */
  take({ address, content }: Lease): boolean {
    const path = this.path(address);
    this.isChanged = true;
    if (!createWhole(path, content, LEASE_MODE, this.staging)) {
      if (this.contentOf(address) !== "") {
        // The index did not know: somebody wrote without the lock.
        if (!this.isFresh) this.refresh();
        return false;
      }
      replaceWhole(path, content, LEASE_MODE, this.staging);
    }
    this.known.add(address, content);
    debug?.step("lease taken", { path });
    return true;
  }

  /** Removes a lease; it may be gone already. */
  release({ address, content }: Lease): void {
    this.isChanged = true;
    debug?.step("lease given back", { path: this.path(address) });
    removeFile(this.path(address));
    this.known.remove(address, content);
  }

  /** Removes files that a crash left: empty ones with an address for a name, and our own half-made one. */
  sweep(): void {
    this.isChanged = true;
    removeFile(this.staging);
    for (const name of namesIn(this.directory)) {
      const path = `${this.directory}/${name}`;
      if (addressNamed(name) !== undefined && this.contentAt(path) === "") removeFile(path);
    }
  }

  /** Throws a KernelError unless a lease could be written. */
  probe(): void {
    this.isChanged = true;
    removeFile(this.staging);
    writeExclusive(this.staging, "?", LEASE_MODE);
    removeFile(this.staging);
  }

  /** The address last given from set number `index`. */
  cursor(index: number): IpAddress | undefined {
    const text = readText(this.cursorPath(index), LEASE_LIMIT_BYTES);
    return text === undefined ? undefined : parseAddress(text.trim());
  }

  /** Remembers the address last given from set number `index`. */
  moveCursor(index: number, address: IpAddress): void {
    const path = this.cursorPath(index);
    const text = formatAddress(address);
    const before = statusOf(path);
    // One write over text that is no longer is not torn by a crash; a shorter text would leave some of the old.
    if (before?.type === "file" && before.sizeBytes <= text.length) {
      const fd = openFile(path, O_RDWR);
      try {
        writeFully(fd, path, encodeUtf8(text), 0);
      } finally {
        closeFile(fd);
      }
    } else {
      this.isChanged = true;
      replaceWhole(path, text, before?.mode ?? LEASE_MODE, this.staging);
    }
  }

  private cursorPath(index: number): string {
    return `${this.directory}/last_reserved_ip.${index}`;
  }
}

/** The names in the directory that may be addresses. */
function namesIn(directory: string): string[] {
  const names: string[] = [];
  for (const { name } of listDirectory(directory) ?? []) if (mayBeAddress(name)) names.push(name);
  return names;
}

/** Those of the files whose names are addresses. */
function addressed(files: LeaseFile[]): Indexed[] {
  const leases: Indexed[] = [];
  for (const { name, content } of files) {
    const address = addressNamed(name);
    if (address !== undefined) leases.push({ address, content });
  }
  return leases;
}

/** Loaded where there are leases enough for an index. */
function indexing(): typeof import("./lease-index.ts") {
  return require("./lease-index.ts") as typeof import("./lease-index.ts");
}

/** The index's file; undefined where it cannot be: then every call reads the directory. */
function openIndexFile(dataDir: string, network: string): OpenFile | undefined {
  try {
    return indexing().openIndex(`${dataDir}/${INDEX_DIRECTORY}`, network);
  } catch (error) {
    if (error instanceof KernelError) return undefined;
    throw error;
  }
}
