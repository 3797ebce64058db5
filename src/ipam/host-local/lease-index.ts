import { ENOENT, isErrno } from "../../linux/errno.ts";
import {
  type FileStatus,
  makeDirectories,
  O_CREAT,
  O_RDWR,
  openFile,
  readFully,
  readText,
  setModified,
  statusOfOpen,
  type Time,
  writeFully,
} from "../../linux/file.ts";
import { type IpAddress, wordsOf } from "../../net/ip.ts";
import { decodeUtf8, encodeUtf8, parseDecimal } from "../../text.ts";
import type { KnownLeases } from "./lease-list.ts";
import { type Hash, hashOf, type OpenFile, PAGE_BYTES, PAGES_MAX, Table, type TableRecord } from "./table.ts";

/** A record that says: the lease with this content may have this address. */
const OWNER = 1;
/** A record of 256 bits: which addresses of a block of 256 are taken. */
const BLOCK = 2;
/** A record of 256 bits: which blocks of 256 are full. */
const SUMMARY = 3;

// Words of a record, after kind and hash (table.ts).
const FAMILY = 3;
const ADDRESS = 4;
const BITS = 8;
const BITS_IN_RECORD = 256;

/** As much of the first page as is ever written. */
const HEADER_BYTES = 512;

/** A lease as the index is told of it; `content` is undefined where it is nobody's that could be read. */
export interface Indexed {
  address: IpAddress;
  content: string | undefined;
}

/**
 * Who holds what, and what is taken, without reading the leases: a hint, kept in one file outside the network's
 * directory (where the reference would read it as a lease).
 *
 * The hint is as good as the directory is untouched. After each change the directory is given a modification time that
 * no kernel clock gives it, and the index remembers that time: any other program that creates or removes an entry
 * moves the time to now, even in the same tick of the clock. An index of another boot counts for nothing, because
 * after a crash of the machine its pages and the directory need not be of the same age.
 */
export class LeaseIndex implements KnownLeases {
  private table: Table;

  private constructor(table: Table) {
    this.table = table;
  }

  /** An index of these leases, in memory. */
  static of(leases: Indexed[]): LeaseIndex {
    const index = new LeaseIndex(Table.empty(leases.length));
    for (const { address, content } of leases) index.add(address, content);
    return index;
  }

  /** The index in an open file, if it is about the directory as it is now. */
  static load(file: OpenFile, directory: FileStatus): LeaseIndex | undefined {
    const found = readHeader(file, headerStart(directory, directory.modified));
    return found && new LeaseIndex(Table.inFile(file, found.pageCount, found.recordCount));
  }

  /**
   * Writes the index and seals the directory. The order makes a crash at any point harmless: the header names the
   * directory's time only when all pages are written, and the directory gets that time last.
   */
  save(file: OpenFile, directoryPath: string, directory: FileStatus, isRebuilt: boolean): void {
    // The old header may still describe the directory, whose time need not have moved.
    if (isRebuilt) writeHeader(file, "");
    this.table.save(file);
    const seal = newSeal();
    const { pageCount, recordCount } = this.table;
    writeHeader(file, `${headerStart(directory, seal)}${pageCount}\n${recordCount}\n`);
    setModified(directoryPath, seal);
  }

  owned(content: string): IpAddress[] {
    const addresses: IpAddress[] = [];
    for (const { words } of this.table.find(OWNER, hashOf(content))) addresses.push(addressIn(words));
    return addresses;
  }

  nextFree(family: 4 | 6, first: bigint, last: bigint): bigint | undefined {
    for (let at = first; at <= last; ) {
      const summary = this.node(SUMMARY, family, at);
      if (summary) {
        const block = firstZero(summary.words, Number((at >> 8n) & 255n));
        if (block === BITS_IN_RECORD) {
          at = ((at >> 16n) + 1n) << 16n;
          continue;
        }
        const start = ((at >> 16n) << 16n) | BigInt(block << 8);
        if (start > at) at = start;
      }
      const block = this.node(BLOCK, family, at);
      if (block === undefined) return at <= last ? at : undefined;
      const bit = firstZero(block.words, Number(at & 255n));
      at = ((at >> 8n) << 8n) + BigInt(bit);
      if (bit < BITS_IN_RECORD) return at <= last ? at : undefined;
    }
    return undefined;
  }

  add(address: IpAddress, content: string | undefined): void {
    if (this.table.isFull) this.table = this.table.doubled();
    if (content !== undefined) {
      const record = this.table.insert(OWNER, hashOf(content));
      writeAddress(record.words, address);
    }
    const { family, value } = address;
    if (this.set(BLOCK, family, value, Number(value & 255n)))
      this.set(SUMMARY, family, value, Number((value >> 8n) & 255n));
  }

  remove(address: IpAddress, content: string | undefined): void {
    if (content !== undefined) {
      const record = this.record(OWNER, hashOf(content), address.family, address.value);
      if (record !== undefined) this.table.remove(record);
    }
    const { family, value } = address;
    this.clear(BLOCK, family, value, Number(value & 255n));
    this.clear(SUMMARY, family, value, Number((value >> 8n) & 255n));
  }

  /** Sets a bit; true when all are set now. */
  private set(kind: typeof BLOCK | typeof SUMMARY, family: 4 | 6, value: bigint, bit: number): boolean {
    const prefix = prefixOf(kind, value);
    let record = this.node(kind, family, value);
    if (record === undefined) {
      record = this.table.insert(kind, hashOfPrefix(kind, family, prefix));
      writeAddress(record.words, { family, value: prefix });
    }
    const word = BITS + (bit >> 5);
    record.words[word] = record.words[word]! | (1 << (bit & 31));
    this.table.touch(record);
    return firstZero(record.words, 0) === BITS_IN_RECORD;
  }

  private clear(kind: typeof BLOCK | typeof SUMMARY, family: 4 | 6, value: bigint, bit: number): void {
    const record = this.node(kind, family, value);
    if (record === undefined) return;
    const word = BITS + (bit >> 5);
    record.words[word] = record.words[word]! & ~(1 << (bit & 31));
    if (isEmpty(record.words)) this.table.remove(record);
    else this.table.touch(record);
  }

  private node(kind: typeof BLOCK | typeof SUMMARY, family: 4 | 6, value: bigint): TableRecord | undefined {
    const prefix = prefixOf(kind, value);
    return this.record(kind, hashOfPrefix(kind, family, prefix), family, prefix);
  }

  /** The record of that kind and hash about that address. */
  private record(kind: number, hash: Hash, family: 4 | 6, value: bigint): TableRecord | undefined {
    for (const record of this.table.find(kind, hash))
      if (hasAddress(record.words, family, value)) return record;
    return undefined;
  }
}

/** Opens, or creates, the index's file in `directory`; to be closed with `closeFile`. */
export function openIndex(directory: string, name: string): OpenFile {
  const path = `${directory}/${name}`;
  const create = () => openFile(path, O_RDWR | O_CREAT, 0o600);
  try {
    return { fd: create(), path };
  } catch (error) {
    if (!isErrno(error, ENOENT)) throw error;
    makeDirectories(directory, 0o755);
    return { fd: create(), path };
  }
}

/** The size of the table, when the header begins like that and the file has all of it. */
function readHeader(
  { fd, path }: OpenFile,
  start: string,
): { pageCount: number; recordCount: number } | undefined {
  const bytes = new Uint8Array(HEADER_BYTES);
  if (!readFully(fd, path, bytes, 0)) return undefined;
  const text = decodeUtf8(bytes);
  if (!text.startsWith(start)) return undefined;
  const [pages, records] = text.slice(start.length).split("\n");
  const pageCount = parseDecimal(pages ?? "", 15);
  const recordCount = parseDecimal(records ?? "", 15);
  if (pageCount === undefined || recordCount === undefined || pageCount > PAGES_MAX) return undefined;
  const isWhole = statusOfOpen(fd, path).sizeBytes >= (pageCount + 1) * PAGE_BYTES;
  return isWhole ? { pageCount, recordCount } : undefined;
}

/** Writes the first page: a header, or "" for none. */
function writeHeader({ fd, path }: OpenFile, header: string): void {
  const bytes = new Uint8Array(PAGE_BYTES);
  bytes.set(encodeUtf8(header));
  writeFully(fd, path, bytes, 0);
}

let boot: string | undefined;

/** What must be the same for an index to count: format, boot, directory and its time. For people's eyes too. */
function headerStart({ identity }: FileStatus, modified: Time): string {
  // Without an answer no index counts.
  boot ??= readText("/proc/sys/kernel/random/boot_id", 64)?.trim() ?? `unknown ${Bun.nanoseconds()}`;
  const time = `${modified.seconds}.${String(modified.nanoseconds).padStart(9, "0")}`;
  return `ipvlan index of leases, format 2; may be deleted\nboot ${boot}\ndirectory ${identity}\nmodified ${time}\npages and records:\n`;
}

/**
 * A time for the directory that the kernel's clock does not give it: a little in the past, with nanoseconds by chance,
 * never whole microseconds. A file system that keeps less exact times loses them, and then the index never counts.
 */
function newSeal(): Time {
  // How long this process has run, to the nanosecond, is chance enough. Math would be made for this alone.
  const chance = Bun.nanoseconds();
  // Asked once: another answer, a millisecond on, would leave a fraction of a second that no file keeps.
  const now = Date.now();
  const seconds = (now - (now % 1000)) / 1000 - 2;
  return { seconds, nanoseconds: (chance % 1e6) * 1000 + 1 + (chance % 999) };
}

function hashOfPrefix(kind: number, family: 4 | 6, prefix: bigint): Hash {
  return hashOf(`${kind} ${family} ${prefix}`);
}

function prefixOf(kind: typeof BLOCK | typeof SUMMARY, value: bigint): bigint {
  const bits = kind === BLOCK ? 8n : 16n;
  return (value >> bits) << bits;
}

function writeAddress(words: Uint32Array, { family, value }: IpAddress): void {
  words[FAMILY] = family;
  words.set(wordsOf(value), ADDRESS);
}

function addressIn(words: Uint32Array): IpAddress {
  let value = 0n;
  for (let at = ADDRESS; at < ADDRESS + 4; at++) value = (value << 32n) | BigInt(words[at]!);
  return { family: words[FAMILY] === 4 ? 4 : 6, value };
}

function hasAddress(words: Uint32Array, family: 4 | 6, value: bigint): boolean {
  if (words[FAMILY] !== family) return false;
  const [a, b, c, d] = wordsOf(value);
  return (
    words[ADDRESS] === a && words[ADDRESS + 1] === b && words[ADDRESS + 2] === c && words[ADDRESS + 3] === d
  );
}

/** True when no bit of a record is set. A loop, since the method would be compiled for each DEL. */
function isEmpty(words: Uint32Array): boolean {
  for (let word = BITS; word < words.length; word++) if (words[word] !== 0) return false;
  return true;
}

/** The lowest clear bit of a record from bit `from` on; 256 when all are set. */
function firstZero(words: Uint32Array, from: number): number {
  let mask = -1 << (from & 31);
  for (let word = from >> 5; word < BITS_IN_RECORD / 32; word++) {
    const free = ~words[BITS + word]! & mask;
    for (let bit = 0; free !== 0 && bit < 32; bit++) if ((free & (1 << bit)) !== 0) return word * 32 + bit;
    mask = -1;
  }
  return BITS_IN_RECORD;
}
