import type * as ffi from "bun:ffi";
import { encodeUtf8 } from "../text.ts";
import { EINTR, EINVAL, KernelError } from "./errno.ts";
import { NR } from "./syscalls.ts";

// The global is the native part of bun:ffi; evaluating the module itself takes 0.2 ms of every call's time.
const { dlopen, ptr, read } = (Bun as { FFI?: typeof ffi }).FFI ?? (require("bun:ffi") as typeof ffi);

type Pointer = ffi.Pointer;

// Numbers up to 2^53 come and go as they are, larger ones as bigint; nothing here is larger.
const U64 = 16 as ffi.FFIType.u64_fast;
const I64 = 15 as ffi.FFIType.i64_fast;

/** glibc's name; musl takes every "libc." for itself. */
const LIBC = "libc.so.6";

/**
 * One function for all system calls: each further symbol would cost every start another 19,000 instructions. Nearly all
 * calls that have an address have it as their second argument.
 */
const {
  symbols: { syscall, __errno_location },
} = dlopen(LIBC, {
  // long syscall(long number, ...);
  syscall: { args: [I64, I64, "ptr", I64, I64, I64, I64], returns: I64 },
  // int *__errno_location(void);
  __errno_location: { args: [], returns: "ptr" },
});

const errnoPointer = __errno_location() as Pointer;

/**
 * The only way into the kernel. Every function below returns what the system call returns, or the negated error number;
 * errno is read in the very next call, before anything else may change it.
 */
function call(
  number: number,
  first: number,
  second: Memory | number | null = null,
  third = 0,
  fourth = 0,
  fifth = 0,
  sixth = 0,
): number {
  return result(syscall(number, first, second as Pointer, third, fourth, fifth, sixth));
}

function result(value: number | bigint): number {
  return value === -1 ? -read.i32(errnoPointer) : (value as number);
}

/** Memory a system call may read or write: a typed array, or an address inside WebAssembly memory. */
export type Memory = Uint8Array | Pointer;

/** The address of a typed array's first byte; stable as long as its buffer lives. */
export function addressOf(memory: Uint8Array): Pointer {
  return ptr(memory);
}

/** A NUL-terminated copy of `text`. Throws KernelError EINVAL when it has a NUL itself, which C would cut silently. */
export function cString(text: string): Uint8Array {
  if (text.includes("\0"))
    throw new KernelError("path", JSON.stringify(text), EINVAL, "there is a NUL character in it");
  return encodeUtf8(`${text}\0`);
}

/** The directory that relative paths are relative to: <fcntl.h>. */
const AT_FDCWD = -100;

/** open(2); `flags` of <fcntl.h>, `mode` in octal. Returns the descriptor. */
export function open(path: string, flags: number, mode = 0): number {
  // int openat(int dirfd, const char *path, int flags, mode_t mode);
  return call(NR.openat, AT_FDCWD, cString(path), flags, mode);
}

/** close(2). */
export function close(fd: number): number {
  // int close(int fd);
  return call(NR.close, fd);
}

/** read(2), repeated when a signal interrupts it. Returns the number of bytes, 0 at the end. */
export function readInto(fd: number, memory: Memory, lengthBytes: number): number {
  // ssize_t read(int fd, void *buffer, size_t count);
  for (;;) {
    const got = call(NR.read, fd, memory, lengthBytes);
    if (got !== -EINTR) return got;
  }
}

/** write(2), repeated when a signal interrupts it. Returns the number of bytes written, which may be fewer than asked. */
export function writeFrom(fd: number, memory: Memory, lengthBytes: number): number {
  // ssize_t write(int fd, const void *buffer, size_t count);
  for (;;) {
    const put = call(NR.write, fd, memory, lengthBytes);
    if (put !== -EINTR) return put;
  }
}

/** pipe2(2); `fds` takes the end to read from and the end to write to. */
export function pipe(fds: Int32Array, flags: number): number {
  // int pipe2(int fds[2], int flags);
  return call(NR.pipe2, ptr(fds), flags);
}

/** statx(2) into 256 bytes. */
export function statx(
  directoryFd: number,
  path: string,
  flags: number,
  mask: number,
  into: Uint8Array,
): number {
  // int statx(int dirfd, const char *path, int flags, unsigned mask, struct statx *out);
  return call(NR.statx, directoryFd, cString(path), flags, mask, ptr(into));
}

/** mkdir(2). */
export function mkdir(path: string, mode: number): number {
  // int mkdirat(int dirfd, const char *path, mode_t mode);
  return call(NR.mkdirat, AT_FDCWD, cString(path), mode);
}

/** unlink(2). */
export function unlink(path: string): number {
  // int unlinkat(int dirfd, const char *path, int flags);
  return call(NR.unlinkat, AT_FDCWD, cString(path));
}

/** link(2): `created` becomes a second name of `existing`; EEXIST when it exists already. */
export function link(existing: string, created: string): number {
  // int linkat(int fromdirfd, const char *existing, int todirfd, const char *created, int flags);
  const name = cString(created);
  return call(NR.linkat, AT_FDCWD, cString(existing), AT_FDCWD, ptr(name));
}

/** rename(2). */
export function rename(from: string, to: string): number {
  return renameWith(from, to, 0);
}

/** renameat2(2) from the working directory; with RENAME_NOREPLACE (1) it gives EEXIST instead of replacing. */
export function renameWith(from: string, to: string, flags: number): number {
  // int renameat2(int fromdirfd, const char *from, int todirfd, const char *to, unsigned int flags);
  const wanted = cString(to);
  return call(NR.renameat2, AT_FDCWD, cString(from), AT_FDCWD, ptr(wanted), flags);
}

/** pread(2), repeated when a signal interrupts it. Returns the number of bytes, 0 at the end. */
export function readAt(fd: number, memory: Memory, lengthBytes: number, offset: number): number {
  // ssize_t pread64(int fd, void *buffer, size_t count, loff_t offset);
  for (;;) {
    const got = call(NR.pread64, fd, memory, lengthBytes, offset);
    if (got !== -EINTR) return got;
  }
}

/** pwrite(2), repeated when a signal interrupts it. Returns the number of bytes written. */
export function writeAt(fd: number, memory: Memory, lengthBytes: number, offset: number): number {
  // ssize_t pwrite64(int fd, const void *buffer, size_t count, loff_t offset);
  for (;;) {
    const put = call(NR.pwrite64, fd, memory, lengthBytes, offset);
    if (put !== -EINTR) return put;
  }
}

/** utimensat(2) from the working directory; `times` is two struct timespec: access, modification. */
export function utimens(path: string, times: Uint8Array): number {
  // int utimensat(int dirfd, const char *path, const struct timespec times[2], int flags);
  return call(NR.utimensat, AT_FDCWD, cString(path), ptr(times));
}

/** fchmod(2). */
export function fchmod(fd: number, mode: number): number {
  // int fchmod(int fd, mode_t mode);
  return call(NR.fchmod, fd, mode);
}

/** fsync(2). */
export function fsync(fd: number): number {
  // int fsync(int fd);
  return call(NR.fsync, fd);
}

/** flock(2); not repeated on EINTR, so that a caller's own deadline counts. */
export function flock(fd: number, operation: number): number {
  // int flock(int fd, int operation);
  return call(NR.flock, fd, operation);
}

/**
 * flock(2) that stands in the kernel's line for at most `timeoutMs`, which must be more than 0; -EINTR when that is over.
 * The kernel has no timed flock(2), so a timer's signal ends the call. It comes again and again, in case the first finds
 * the thread on its way into the call. Its handler is a function that does nothing to anybody, and stays: a signal that comes
 * late must not end the process.
 */
export function flockWithin(fd: number, operation: number, timeoutMs: number): number {
  const SIGALRM = 14;
  const ITIMER_REAL = 0;
  signals ??= openSignals();
  const handler = (signals.abs as unknown as { ptr: number }).ptr;
  const set = result(signals.signal(SIGALRM, handler));
  if (set < 0) return set;
  signals.siginterrupt(SIGALRM, 1);
  const deadline = performance.now() + timeoutMs;
  const started = result(
    signals.setitimer(ITIMER_REAL, timerSpan(Math.ceil(timeoutMs), ALARM_AGAIN_MS), null),
  );
  if (started < 0) return started;
  try {
    for (;;) {
      const done = flock(fd, operation);
      if (done !== -EINTR || performance.now() >= deadline) return done;
    }
  } finally {
    // It would outlive exec(2).
    signals.setitimer(ITIMER_REAL, timerSpan(0, 0), null);
  }
}

const ALARM_AGAIN_MS = 50;

/** struct itimerval: two struct timeval, the interval first. */
function timerSpan(firstMs: number, againMs: number): BigInt64Array {
  const timeval = (ms: number) => [Math.floor(ms / 1000), Math.floor((ms % 1000) * 1000)];
  return new BigInt64Array([...timeval(againMs), ...timeval(firstMs)].map(BigInt));
}

/** What the C library has a part in. Needed only by who finds a lock held, or starts programs for others. */
let signals: ReturnType<typeof openSignals> | undefined;

function openSignals() {
  return dlopen(LIBC, {
    // sighandler_t signal(int signum, sighandler_t handler);
    signal: { args: ["i32", U64], returns: I64 },
    // int siginterrupt(int signum, int flag);
    siginterrupt: { args: ["i32", "i32"], returns: "i32" },
    // int setitimer(int which, const struct itimerval *value, struct itimerval *before);
    setitimer: { args: ["i32", "ptr", "ptr"], returns: "i32" },
    // int abs(int number);
    abs: { args: ["i32"], returns: "i32" },
  }).symbols;
}

/** getdents64(2) into `memory`. Returns the number of bytes, 0 at the end. */
export function getdents64(fd: number, memory: Uint8Array): number {
  // ssize_t getdents64(int fd, void *entries, size_t count);
  return call(NR.getdents64, fd, memory, memory.length);
}

/** setns(2): moves the calling thread, on which all of our code runs. */
export function setns(fd: number, type: number): number {
  // int setns(int fd, int nstype);
  return call(NR.setns, fd, type);
}

/** ioctl(2) with a number for an argument, or with memory. */
export function ioctl(fd: number, request: number, argument: number | Uint8Array): number {
  // int ioctl(int fd, unsigned long request, long argument);
  return call(NR.ioctl, fd, request, typeof argument === "number" ? argument : ptr(argument));
}

/** socket(2). */
export function socket(domain: number, type: number, protocol: number): number {
  // int socket(int domain, int type, int protocol);
  return call(NR.socket, domain, type, protocol);
}

/** bind(2) to a struct sockaddr. */
export function bind(fd: number, address: Uint8Array): number {
  // int bind(int fd, const struct sockaddr *address, socklen_t length);
  return call(NR.bind, fd, address, address.length);
}

/** setsockopt(2). */
export function setsockopt(fd: number, level: number, name: number, value: Uint8Array): number {
  // int setsockopt(int fd, int level, int name, const void *value, socklen_t length);
  return call(NR.setsockopt, fd, level, name, ptr(value), value.length);
}

/** getsockopt(2) into all of `value`. */
export function getsockopt(fd: number, level: number, name: number, value: Uint8Array): number {
  // int getsockopt(int fd, int level, int name, void *value, socklen_t *length);
  const length = new Uint32Array([value.length]);
  return call(NR.getsockopt, fd, level, name, ptr(value), ptr(length));
}

/** send(2), repeated when a signal interrupts it. */
export function send(fd: number, memory: Memory, lengthBytes: number, flags: number): number {
  // ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t length);
  for (;;) {
    const sent = call(NR.sendto, fd, memory, lengthBytes, flags);
    if (sent !== -EINTR) return sent;
  }
}

/** recv(2), repeated when a signal interrupts it. With MSG_TRUNC the length is the datagram's, even when cut. */
export function recv(fd: number, memory: Memory, lengthBytes: number, flags: number): number {
  // ssize_t recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *from, socklen_t *length);
  for (;;) {
    const got = call(NR.recvfrom, fd, memory, lengthBytes, flags);
    if (got !== -EINTR) return got;
  }
}

/** Waits until `fd` can be read or the time is over. Returns 1 or 0. */
export function pollReadable(fd: number, timeoutMs: number): number {
  const POLLIN = 1;
  return pollAll(new Uint8Array(new Int32Array([fd, POLLIN]).buffer), 1, timeoutMs);
}

/** ppoll(2) on several descriptors, for what can be read: `fds` is an array of struct pollfd, in and out. */
export function pollAll(fds: Uint8Array, count: number, timeoutMs: number): number {
  // int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, size_t size);
  return call(NR.ppoll, ptr(fds), count as Pointer, timeoutMs < 0 ? 0 : ptr(timespec(timeoutMs)));
}

/** Does nothing for so long; the event loop stands still too. */
export function sleep(timeoutMs: number): void {
  call(NR.ppoll, 0, null, ptr(timespec(timeoutMs)));
}

/** struct timespec: seconds and nanoseconds, of 64 bits each. */
function timespec(ms: number): Uint32Array {
  return new Uint32Array([Math.floor(ms / 1000), 0, Math.floor((ms % 1000) * 1e6), 0]);
}

/** unshare(2): the calling thread gets namespaces of its own. */
export function unshare(flags: number): number {
  // int unshare(int flags);
  return call(NR.unshare, flags);
}

/** connect(2) to a struct sockaddr. */
export function connect(fd: number, address: Uint8Array): number {
  // int connect(int fd, const struct sockaddr *address, socklen_t length);
  return call(NR.connect, fd, address, address.length);
}

/** listen(2). */
export function listen(fd: number, backlog: number): number {
  // int listen(int fd, int backlog);
  return call(NR.listen, fd, backlog);
}

/** accept4(2), whoever it is that connects. Returns the descriptor. */
export function accept(fd: number, flags: number): number {
  // int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
  return call(NR.accept4, fd, null, 0, flags);
}

/** sendto(2) to a struct sockaddr, repeated when a signal interrupts it. */
export function sendTo(fd: number, data: Uint8Array, flags: number, to: Uint8Array): number {
  // ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t length);
  for (;;) {
    const sent = call(NR.sendto, fd, data, data.length, flags, ptr(to), to.length);
    if (sent !== -EINTR) return sent;
  }
}

/** recvfrom(2), repeated when a signal interrupts it; `from` takes the sender's struct sockaddr. */
export function receiveFrom(fd: number, data: Uint8Array, flags: number, from: Uint8Array): number {
  // ssize_t recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *from, socklen_t *length);
  for (;;) {
    const length = new Uint32Array([from.length]);
    const got = call(NR.recvfrom, fd, data, data.length, flags, ptr(from), ptr(length));
    if (got !== -EINTR) return got;
  }
}

/** clock_gettime(2) into a struct timespec of two 64-bit numbers. */
export function clockTime(clock: number, time: BigInt64Array): number {
  // int clock_gettime(clockid_t clock, struct timespec *time);
  return call(NR.clock_gettime, clock, ptr(time));
}

/** signal(2) with SIG_IGN: from now on the signal does nothing here. Programs that Bun starts get its default again. */
export function ignoreSignal(number: number): number {
  const SIG_IGN = 1;
  signals ??= openSignals();
  return result(signals.signal(number, SIG_IGN));
}
