import { decodeUtf8, encodeUtf8 } from "../text.ts";
import { check, EAGAIN, EEXIST, EFBIG, EINTR, EINVAL, ENOENT, isErrno, KernelError } from "./errno.ts";
import {
  close,
  flock,
  flockWithin,
  getdents64,
  link,
  mkdir,
  open,
  readAt,
  readInto,
  rename,
  renameWith,
  statx,
  unlink,
  utimens,
  writeAt,
  writeFrom,
} from "./libc.ts";

// <asm-generic/fcntl.h>: the same on x86-64 and arm64 (O_DIRECTORY and O_NOFOLLOW are not, and not used).
const O_RDONLY = 0;
export const O_WRONLY = 0o1;
export const O_RDWR = 0o2;
export const O_CREAT = 0o100;
const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;

const ENOSYS = 38;

/** A moment as the kernel keeps it; both numbers are whole. */
export interface Time {
  seconds: number;
  nanoseconds: number;
}

/** What statx(2) says of a file. */
export interface FileStatus {
  type: FileType;
  /** Permission bits: 0o600. */
  mode: number;
  sizeBytes: number;
  /** Device and inode: what makes two paths the same file. */
  identity: string;
  modified: Time;
}

export type FileType = "file" | "directory" | "link" | "other";

const TYPE_OF_MODE: Record<number, FileType> = { 8: "file", 4: "directory", 10: "link" };

/** What a path leads to, symbolic links followed; undefined when there is nothing. */
export function statusOf(path: string): FileStatus | undefined {
  return status(path, undefined);
}

/** As `statusOf`, of an open file. */
export function statusOfOpen(fd: number, path: string): FileStatus {
  return status(path, fd)!;
}

function status(path: string, fd: number | undefined): FileStatus | undefined {
  const words = statxWords(path, fd);
  if (words === undefined) return undefined;
  const mode = words[28 / 4]! & 0xffff;
  return {
    type: TYPE_OF_MODE[mode >> 12] ?? "other",
    mode: mode & 0o7777,
    sizeBytes: wide(words, STX_SIZE),
    identity: identityIn(words),
    modified: { seconds: wide(words, 112), nanoseconds: words[120 / 4]! },
  };
}

/** Whether the path leads to that open file. */
function leadsTo(path: string, fd: number): boolean {
  const named = statxWords(path, undefined);
  return named !== undefined && identityIn(named) === identityIn(statxWords(path, fd)!);
}

/** Where struct statx of <linux/stat.h> has the size. */
const STX_SIZE = 40;

/** struct statx of what the path leads to, or of the open file; undefined when there is nothing. */
function statxWords(path: string, fd: number | undefined): Uint32Array | undefined {
  const AT_FDCWD = -100;
  const AT_EMPTY_PATH = 0x1000;
  const STATX_BASIC_STATS = 0x7ff;
  const words = new Uint32Array(64);
  const bytes = new Uint8Array(words.buffer);
  const got =
    fd === undefined
      ? statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, bytes)
      : statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, bytes);
  if (got === -ENOENT) return undefined;
  check(got, "statx", path);
  return words;
}

function identityIn(words: Uint32Array): string {
  return `${words[136 / 4]}:${words[140 / 4]}:${words[36 / 4]}:${words[32 / 4]}`;
}

/** The signed 64-bit number at that offset in bytes, below 2^53: without the price of a bigint. */
function wide(words: Uint32Array, offset: number): number {
  return (words[offset / 4 + 1]! | 0) * 2 ** 32 + words[offset / 4]!;
}

/** Sets a file's modification time and leaves the time of access alone. */
export function setModified(path: string, time: Time): void {
  const UTIME_OMIT = 0x3ffffffe;
  const { seconds, nanoseconds } = time;
  // Two struct timespec: numbers of 64 bits, the low words first.
  const times = new Uint32Array([
    0,
    0,
    UTIME_OMIT,
    0,
    seconds,
    (seconds - (seconds >>> 0)) / 2 ** 32,
    nanoseconds,
    0,
  ]);
  check(utimens(path, new Uint8Array(times.buffer)), "utimensat", path);
}

/** Opens with close-on-exec and without ever blocking on a FIFO; throws a KernelError. */
export function openFile(path: string, flags: number, mode = 0): number {
  return check(open(path, flags | O_CLOEXEC | O_NONBLOCK, mode), "open", path);
}

/** Closes what `openFile` opened. */
export function closeFile(fd: number): void {
  close(fd);
}

/**
 * A file's whole text; undefined when there is no file. A file that holds more than `limitBytes` is the KernelError
 * EFBIG: nobody who asks for a line shall get a gigabyte.
 */
export function readText(path: string, limitBytes: number): string | undefined {
  const fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd === -ENOENT) return undefined;
  check(fd, "open", path);
  try {
    let buffer = SMALL;
    let length = 0;
    for (;;) {
      if (length === buffer.length) buffer = grown(buffer);
      const got = check(readInto(fd, buffer.subarray(length), buffer.length - length), "read", path);
      length += got;
      if (length > limitBytes) throw new KernelError("read", path, EFBIG, `more than ${limitBytes} bytes`);
      if (got === 0) return decodeUtf8(buffer.subarray(0, length));
    }
  } finally {
    close(fd);
  }
}

/**
 * As `readText`, for a regular file: one that gives less than it was asked for has no more, which saves the last of
 * four system calls where thousands of small files are read.
 */
export function readRegular(path: string, limitBytes: number): string | undefined {
  const fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd === -ENOENT) return undefined;
  check(fd, "open", path);
  const got = readInto(fd, SMALL, SMALL.length);
  close(fd);
  return check(got, "read", path) < SMALL.length
    ? decodeUtf8(SMALL.subarray(0, got))
    : readText(path, limitBytes);
}

/** Enough for nearly every file that is read here, and allocated once. */
const SMALL = new Uint8Array(1024);

function grown(buffer: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(buffer.length * 4);
  larger.set(buffer);
  return larger;
}

/** Writes `text` to an existing file, a control file of /proc or /sys for example, in one write(2). */
export function writeText(path: string, text: string): void {
  writeWith(path, O_WRONLY, 0, text);
}

/** Creates `path` with `text` in it; EEXIST when it is there. On failure nothing is left, on a crash a part may be. */
export function writeExclusive(path: string, text: string, mode: number): void {
  writeWith(path, O_WRONLY | O_CREAT | O_EXCL, mode, text);
}

/**
 * Makes `path` hold `text`, created if need be, and stay the same file: who waits for a lock on it waits for the right one.
 * Killed in between, it holds what it held, or nothing if it is new: one write(2) is not torn by that. What was longer
 * is not cut but blanked, which JSON allows, so this is for texts of a page at most where spaces at the end say nothing.
 */
export function overwriteText(path: string, text: string, mode: number): void {
  const fd = check(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode), "open", path);
  try {
    const bytes = encodeUtf8(text);
    const sizeBytes = wide(statxWords(path, fd)!, STX_SIZE);
    if (sizeBytes <= bytes.length) writeAll(fd, path, bytes);
    else {
      const padded = new Uint8Array(sizeBytes).fill(SPACE);
      padded.set(bytes);
      writeAll(fd, path, padded);
    }
  } finally {
    close(fd);
  }
}

const SPACE = 0x20;

function writeWith(path: string, flags: number, mode: number, text: string): void {
  const fd = check(open(path, flags | O_CLOEXEC, mode), "open", path);
  try {
    writeAll(fd, path, encodeUtf8(text));
  } catch (error) {
    if (flags & O_EXCL) unlink(path);
    throw error;
  } finally {
    close(fd);
  }
}

function writeAll(fd: number, path: string, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; )
    done += check(writeFrom(fd, bytes.subarray(done), bytes.length - done), "write", path);
}

/**
 * Creates `path` with `text` in it, whole or not at all, whatever kills the process: the text is written to `staging`
 * (on the same file system, replaced if it is there) and then renamed. Returns false when `path` exists already.
 */
export function createWhole(path: string, text: string, mode: number, staging: string): boolean {
  const RENAME_NOREPLACE = 1;
  stage(staging, text, mode);
  let done = renameWith(staging, path, RENAME_NOREPLACE);
  if (done === -EINVAL || done === -ENOSYS) {
    // A file system without RENAME_NOREPLACE. A crash between the two leaves a second name, no torn file.
    done = link(staging, path);
    if (done >= 0) unlink(staging);
  }
  if (done < 0) unlink(staging);
  if (done === -EEXIST) return false;
  check(done, "rename", `${staging} to ${path}`);
  return true;
}

/** Replaces `path`, or creates it, so that it holds its old text or the new one, whatever kills the process. */
export function replaceWhole(path: string, text: string, mode: number, staging: string): void {
  stage(staging, text, mode);
  const done = rename(staging, path);
  if (done < 0) unlink(staging);
  check(done, "rename", `${staging} to ${path}`);
}

function stage(staging: string, text: string, mode: number): void {
  // Never written to in place: it may be a second name of a file that counts (see createWhole).
  try {
    writeExclusive(staging, text, mode);
  } catch (error) {
    if (!isErrno(error, EEXIST)) throw error;
    removeFile(staging);
    writeExclusive(staging, text, mode);
  }
}

/** Removes a file; false when there was none. */
export function removeFile(path: string): boolean {
  const done = unlink(path);
  if (done === -ENOENT) return false;
  check(done, "unlink", path);
  return true;
}

/** mkdir -p: makes what is missing of `path`, each with `mode` less the umask. */
export function makeDirectories(path: string, mode: number): void {
  const made = mkdir(path, mode);
  if (made === -EEXIST && statusOf(path)?.type === "directory") return;
  const parent = path.replace(/\/+[^/]*\/*$/, "");
  if (made === -ENOENT && parent !== "" && parent !== path) {
    makeDirectories(parent, mode);
    const again = mkdir(path, mode);
    // Somebody else may have been faster.
    if (again !== -EEXIST) check(again, "mkdir", path);
    return;
  }
  check(made, "mkdir", path);
}

/** An entry of a directory; `other` may also be a file where the file system does not tell. */
export interface DirectoryEntry {
  name: string;
  type: FileType;
}

/** What is in a directory, without `.` and `..`, in the kernel's order; undefined when there is no directory. */
export function listDirectory(path: string): DirectoryEntry[] | undefined {
  const entries: DirectoryEntry[] = [];
  const isThere = readDirectory(path, (entry) => void entries.push(entry));
  return isThere ? entries : undefined;
}

/** The first thing that `look` finds among what is in a directory; it is not read further. */
export function findInDirectory<Found>(
  path: string,
  look: (entry: DirectoryEntry) => Found | undefined,
): Found | undefined {
  let found: Found | undefined;
  readDirectory(path, (entry) => {
    found = look(entry);
    return found !== undefined;
  });
  return found;
}

/** Some hundred entries: who looks for the first few does not pay for thousands. */
const DIRECTORY_BYTES = 4096;

/**
 * The names in a directory, with `.` and `..`, unless it has more than `most`: then undefined, told without a look at more
 * than the first of them. None where there is no directory.
 */
export function fewNames(path: string, most: number): string[] | undefined {
  const names: string[] = [];
  let count = 0;
  readEntries(path, (buffer, length) => {
    for (let at = 0; at < length && count <= most; at += lengthAt(buffer, at)) count++;
    if (count > most) return true;
    for (let at = 0; at < length; at += lengthAt(buffer, at)) names.push(nameAt(buffer, at));
    return false;
  });
  return count > most ? undefined : names;
}

/** Shows the entries until `isEnough` says so; false when there is no directory. */
function readDirectory(path: string, isEnough: (entry: DirectoryEntry) => boolean | undefined): boolean {
  return readEntries(path, (buffer, length) => {
    for (let at = 0; at < length; at += lengthAt(buffer, at)) {
      const name = nameAt(buffer, at);
      const type = TYPE_OF_MODE[buffer[at + 18]!] ?? "other";
      if (name !== "." && name !== ".." && isEnough({ name, type })) return true;
    }
    return false;
  });
}

// struct linux_dirent64: u64 inode, s64 offset, u16 length of the record, u8 type, name and NUL
const lengthAt = (buffer: Uint8Array, at: number) => buffer[at + 16]! | (buffer[at + 17]! << 8);
const nameAt = (buffer: Uint8Array, at: number) =>
  decodeUtf8(buffer.subarray(at + 19, buffer.indexOf(0, at + 19)));

/** Shows records of getdents64(2), some at a time, until `isEnough` says so; false when there is no directory. */
function readEntries(path: string, isEnough: (buffer: Uint8Array, lengthBytes: number) => boolean): boolean {
  const fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd === -ENOENT) return false;
  check(fd, "open", path);
  try {
    const buffer = new Uint8Array(DIRECTORY_BYTES);
    for (;;) {
      const length = check(getdents64(fd, buffer), "getdents64", path);
      if (length === 0 || isEnough(buffer, length)) return true;
    }
  } finally {
    close(fd);
  }
}

/** Fills `memory` from `offset` of an open file; false when the file ends before. */
export function readFully(fd: number, path: string, memory: Uint8Array, offset: number): boolean {
  for (let done = 0; done < memory.length; ) {
    const rest = memory.subarray(done);
    const got = check(readAt(fd, rest, rest.length, offset + done), "pread", path);
    if (got === 0) return false;
    done += got;
  }
  return true;
}

/** Writes all of `memory` at `offset` of an open file. */
export function writeFully(fd: number, path: string, memory: Uint8Array, offset: number): void {
  for (let done = 0; done < memory.length; ) {
    const rest = memory.subarray(done);
    done += check(writeAt(fd, rest, rest.length, offset + done), "pwrite", path);
  }
}

/** A flock(2) on a file, held until `release` or the end of the process. */
export interface FileLock {
  release(): void;
}

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Takes the lock on `path`, which is created empty with `mode` if need be. Returns undefined when others held it for
 * `timeoutMs`. Whoever waits stands in the kernel's line: asking again and again would let a crowd keep the processor busy, and
 * newcomers overtake. A `shared` lock excludes only exclusive ones.
 */
export function lockFile(
  path: string,
  mode: number,
  timeoutMs: number,
  shared = false,
): FileLock | undefined {
  const deadline = nowMs() + timeoutMs;
  for (;;) {
    const fd = check(open(path, O_RDONLY | O_CREAT | O_CLOEXEC, mode), "open", path);
    try {
      if (!lockUntil(fd, path, deadline, shared ? LOCK_SH : LOCK_EX)) {
        close(fd);
        return undefined;
      }
      // Who removes the directory takes the lock's file along: a lock on a file without a name excludes nobody.
      if (leadsTo(path, fd)) return { release: () => close(fd) };
    } catch (error) {
      close(fd);
      throw error;
    }
    close(fd);
  }
}

function lockUntil(fd: number, path: string, deadline: number, operation: number): boolean {
  let done = flock(fd, operation | LOCK_NB);
  while (done === -EAGAIN || done === -EINTR) {
    const leftMs = deadline - nowMs();
    if (leftMs <= 0) return false;
    done = flockWithin(fd, operation, leftMs);
  }
  check(done, "flock", path);
  return true;
}

/** Since this process began. */
function nowMs(): number {
  return Bun.nanoseconds() / 1e6;
}
