import { debug } from "../../debug.ts";
import { Failure } from "../../error.ts";
import { EFBIG, EISDIR, ELOOP, isErrno, KernelError } from "../../linux/errno.ts";
import {
  closeFile,
  createWhole,
  type FileLock,
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
import { LeaseIndex, openIndex } from "./lease-index.ts";
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

/**
 * The leases of one network, locked, in the layout of the reference's host-local: `<dataDir>/<network>/<address>`,
 * `last_reserved_ip.<set>`, `lock`. Whoever opens it must close it.
 */
export class Store {
  readonly directory: string;
  private readonly lock: FileLock;
  private readonly indexFile: OpenFile | undefined;
  private index: LeaseIndex;
  /** The index is of this very moment: it was made from the directory since the lock was taken. */
  private isFresh: boolean;
  private isChanged = false;
  /** Why a file, which may be a lease, could not be read since the leases were last read; undefined when all could. */
  unread: KernelError | undefined;

  private constructor(directory: string, lock: FileLock, indexFile: OpenFile | undefined) {
    this.directory = directory;
    this.lock = lock;
    this.indexFile = indexFile;
    const found = indexFile && LeaseIndex.load(indexFile, statusOf(directory)!);
    this.isFresh = found === undefined;
    this.index = found ?? LeaseIndex.of(this.read());
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
      indexFile = openIndexFile(dataDir, network);
      return new Store(directory, lock, indexFile);
    } catch (error) {
      if (indexFile) closeFile(indexFile.fd);
      lock.release();
      throw error;
    }
  }

  /** Saves the index and unlocks. */
  close(): void {
    try {
      const status = statusOf(this.directory);
      // An index that knows a lease as nobody's would hide it from whoever looks for it next.
      const isWorthSaving = this.unread === undefined && (this.isFresh || this.isChanged);
      if (this.indexFile && status && isWorthSaving)
        this.index.save(this.indexFile, this.directory, status, this.isFresh);
    } catch (error) {
      // The directory is as it should be and its time is not the index's: the next call reads it anew.
      if (!(error instanceof KernelError)) throw error;
    } finally {
      if (this.indexFile) closeFile(this.indexFile.fd);
      this.lock.release();
    }
  }

  /** Reads every lease and makes the index anew. Returns the leases. */
  refresh(): Lease[] {
    this.unread = undefined;
    const leases = this.read();
    this.index = LeaseIndex.of(leases);
    this.isFresh = true;
    const readable: Lease[] = [];
    for (const { address, content } of leases) if (content !== undefined) readable.push({ address, content });
    return readable;
  }

  /** Every address that has a file; `content` is undefined when it cannot be read. Empty files are none. */
  private read(): { address: IpAddress; content: string | undefined }[] {
    const leases: { address: IpAddress; content: string | undefined }[] = [];
    for (const address of this.names()) {
      const content = this.contentOf(address);
      if (content !== "") leases.push({ address, content });
    }
    return leases;
  }

  private names(): IpAddress[] {
    const addresses: IpAddress[] = [];
    for (const { name } of listDirectory(this.directory) ?? []) {
      const address = parseAddress(name);
      if (address === undefined) continue;
      // An IPv4 address is written in one way only.
      if (!name.includes(":") || formatAddress(address) === name) addresses.push(address);
    }
    return addresses;
  }

  private path(address: IpAddress): string {
    return `${this.directory}/${formatAddress(address)}`;
  }

  private get staging(): string {
    return `${this.directory}/${STAGING}`;
  }

  /** "" for an empty file, and for none; undefined for one that cannot be read, or is no file. */
  private contentOf(address: IpAddress): string | undefined {
    try {
      return readRegular(this.path(address), LEASE_LIMIT_BYTES)?.trim() ?? "";
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      if (!isErrno(error, EISDIR, EFBIG, ELOOP)) this.unread ??= error;
      return undefined;
    }
  }

  /** The leases with exactly this content, in the order of their names. */
  withContent(content: string): Lease[] {
    const addresses = this.index.owned(content);
    let leases = this.confirmed(addresses, content);
    if (leases.length < addresses.length && !this.isFresh) {
      this.refresh();
      leases = this.confirmed(this.index.owned(content), content);
    }
    return leases.sort((a, b) => (formatAddress(a.address) < formatAddress(b.address) ? -1 : 1));
  }

  /** Those of the addresses whose lease has this content. */
  private confirmed(addresses: IpAddress[], content: string): Lease[] {
    const leases: Lease[] = [];
    for (const address of addresses)
      if (this.contentOf(address) === content) leases.push({ address, content });
    return leases;
  }

  /** Whose the address is: a lease's content; undefined when nobody can be named. */
  holderOf(address: IpAddress): string | undefined {
    return this.contentOf(address) || undefined;
  }

  /** The first address of the span that has no lease. */
  nextFree(family: 4 | 6, first: bigint, last: bigint): bigint | undefined {
    return this.index.nextFree(family, first, last);
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
    this.index.add(address, content);
    debug?.step("lease taken", { path });
    return true;
  }

  /** Removes a lease; it may be gone already. */
  release({ address, content }: Lease): void {
    this.isChanged = true;
    debug?.step("lease given back", { path: this.path(address) });
    removeFile(this.path(address));
    this.index.remove(address, content);
  }

  /** Removes files that a crash left: empty ones with an address for a name, and our own half-made one. */
  sweep(): void {
    this.isChanged = true;
    removeFile(this.staging);
    for (const address of this.names()) if (this.contentOf(address) === "") removeFile(this.path(address));
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

/** The index's file; undefined where it cannot be: then every call reads the directory. */
function openIndexFile(dataDir: string, network: string): OpenFile | undefined {
  try {
    return openIndex(`${dataDir}/${INDEX_DIRECTORY}`, network);
  } catch (error) {
    if (error instanceof KernelError) return undefined;
    throw error;
  }
}
