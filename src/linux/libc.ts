import type * as ffi from "bun:ffi";
import { encodeUtf8 } from "../text.ts";
import { EINTR, EINVAL, KernelError } from "./errno.ts";

// The global is the native part of bun:ffi; evaluating the module itself takes 0.2 ms of every call's time.
const { dlopen, ptr, read } = (Bun as { FFI?: typeof ffi }).FFI ?? (require("bun:ffi") as typeof ffi);

type Pointer = ffi.Pointer;

// Numbers up to 2^53 come and go as they are, larger ones as bigint; nothing here is larger.
const U64 = 16 as ffi.FFIType.u64_fast;
const I64 = 15 as ffi.FFIType.i64_fast;

/** glibc's name; musl takes every "libc." for itself. */
const LIBC = "libc.so.6";

/**
 * The only dlopen of the program. Every function below returns what the C function returns, or the negated error
 * number; errno is read in the very next call, before anything else may change it.
 */
const { symbols: libc } = dlopen(LIBC, {
  // int *__errno_location(void);
  __errno_location: { args: [], returns: "ptr" },
  // int open(const char *path, int flags, mode_t mode);
  open: { args: ["ptr", "i32", "i32"], returns: "i32" },
  // int close(int fd);
  close: { args: ["i32"], returns: "i32" },
  // ssize_t read(int fd, void *buffer, size_t count);
  read: { args: ["i32", "ptr", U64], returns: I64 },
  // ssize_t write(int fd, const void *buffer, size_t count);
  write: { args: ["i32", "ptr", U64], returns: I64 },
  // int pipe2(int fds[2], int flags);
  pipe2: { args: ["ptr", "i32"], returns: "i32" },
  // int mkdir(const char *path, mode_t mode);
  mkdir: { args: ["ptr", "i32"], returns: "i32" },
  // int unlink(const char *path);
  unlink: { args: ["ptr"], returns: "i32" },
  // int link(const char *existing, const char *created);
  link: { args: ["ptr", "ptr"], returns: "i32" },
  // int rename(const char *from, const char *to);
  rename: { args: ["ptr", "ptr"], returns: "i32" },
  // ssize_t pread(int fd, void *buffer, size_t count, off_t offset);
  pread: { args: ["i32", "ptr", U64, I64], returns: I64 },
  // ssize_t pwrite(int fd, const void *buffer, size_t count, off_t offset);
  pwrite: { args: ["i32", "ptr", U64, I64], returns: I64 },
  // int utimensat(int dirfd, const char *path, const struct timespec times[2], int flags);
  utimensat: { args: ["i32", "ptr", "ptr", "i32"], returns: "i32" },
  // int fchmod(int fd, mode_t mode);
  fchmod: { args: ["i32", "i32"], returns: "i32" },
  // int fsync(int fd);
  fsync: { args: ["i32"], returns: "i32" },
  // int flock(int fd, int operation);
  flock: { args: ["i32", "i32"], returns: "i32" },
  // long syscall(long number, ...);  for what older libraries do not export, musl up to 1.2.4 for one
  syscall: { args: [I64, I64, I64, I64, I64, I64], returns: I64 },
  // int setns(int fd, int nstype);
  setns: { args: ["i32", "i32"], returns: "i32" },
  // int ioctl(int fd, unsigned long request, long argument);
  ioctl: { args: ["i32", U64, I64], returns: "i32" },
  // int socket(int domain, int type, int protocol);
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  // int bind(int fd, const struct sockaddr *address, socklen_t length);
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  // int setsockopt(int fd, int level, int name, const void *value, socklen_t length);
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  // int getsockopt(int fd, int level, int name, void *value, socklen_t *length);
  getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
  // ssize_t send(int fd, const void *buffer, size_t length, int flags);
  send: { args: ["i32", "ptr", U64, "i32"], returns: I64 },
  // ssize_t recv(int fd, void *buffer, size_t length, int flags);
  recv: { args: ["i32", "ptr", U64, "i32"], returns: I64 },
  // int poll(struct pollfd *fds, nfds_t count, int timeout);
  poll: { args: ["ptr", U64, "i32"], returns: "i32" },
});

/** Numbers of <asm/unistd.h>. */
const SYSCALLS =
  process.arch === "arm64"
    ? { getdents64: 61, renameat2: 276, statx: 291 }
    : { getdents64: 217, renameat2: 316, statx: 332 };

const errnoPointer = libc.__errno_location() as Pointer;

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

/** open(2); `flags` of <fcntl.h>, `mode` in octal. Returns the descriptor. */
export function open(path: string, flags: number, mode = 0): number {
  return result(libc.open(cString(path), flags, mode));
}

/** close(2). */
export function close(fd: number): number {
  return result(libc.close(fd));
}

/** read(2), repeated when a signal interrupts it. Returns the number of bytes, 0 at the end. */
export function readInto(fd: number, memory: Memory, lengthBytes: number): number {
  for (;;) {
    const got = result(libc.read(fd, memory, lengthBytes));
    if (got !== -EINTR) return got;
  }
}

/** write(2), repeated when a signal interrupts it. Returns the number of bytes written, which may be fewer than asked. */
export function writeFrom(fd: number, memory: Memory, lengthBytes: number): number {
  for (;;) {
    const put = result(libc.write(fd, memory, lengthBytes));
    if (put !== -EINTR) return put;
  }
}

/** pipe2(2); `fds` takes the end to read from and the end to write to. */
export function pipe(fds: Int32Array, flags: number): number {
  return result(libc.pipe2(fds, flags));
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
  const name = cString(path);
  return result(libc.syscall(SYSCALLS.statx, directoryFd, ptr(name), flags, mask, ptr(into)));
}

/** mkdir(2). */
export function mkdir(path: string, mode: number): number {
  return result(libc.mkdir(cString(path), mode));
}

/** unlink(2). */
export function unlink(path: string): number {
  return result(libc.unlink(cString(path)));
}

/** link(2): `created` becomes a second name of `existing`; EEXIST when it exists already. */
export function link(existing: string, created: string): number {
  return result(libc.link(cString(existing), cString(created)));
}

/** rename(2). */
export function rename(from: string, to: string): number {
  return result(libc.rename(cString(from), cString(to)));
}

const AT_FDCWD = -100;

/** renameat2(2) from the working directory; with RENAME_NOREPLACE (1) it gives EEXIST instead of replacing. */
export function renameWith(from: string, to: string, flags: number): number {
  // int renameat2(int fromdirfd, const char *from, int todirfd, const char *to, unsigned int flags);
  const [existing, wanted] = [cString(from), cString(to)];
  return result(libc.syscall(SYSCALLS.renameat2, AT_FDCWD, ptr(existing), AT_FDCWD, ptr(wanted), flags));
}

/** pread(2), repeated when a signal interrupts it. Returns the number of bytes, 0 at the end. */
export function readAt(fd: number, memory: Memory, lengthBytes: number, offset: number): number {
  for (;;) {
    const got = result(libc.pread(fd, memory, lengthBytes, offset));
    if (got !== -EINTR) return got;
  }
}

/** pwrite(2), repeated when a signal interrupts it. Returns the number of bytes written. */
export function writeAt(fd: number, memory: Memory, lengthBytes: number, offset: number): number {
  for (;;) {
    const put = result(libc.pwrite(fd, memory, lengthBytes, offset));
    if (put !== -EINTR) return put;
  }
}

/** utimensat(2) from the working directory; `times` is two struct timespec: access, modification. */
export function utimens(path: string, times: Uint8Array): number {
  return result(libc.utimensat(AT_FDCWD, cString(path), times, 0));
}

/** fchmod(2). */
export function fchmod(fd: number, mode: number): number {
  return result(libc.fchmod(fd, mode));
}

/** fsync(2). */
export function fsync(fd: number): number {
  return result(libc.fsync(fd));
}

/** flock(2); not repeated on EINTR, so that a caller's own deadline counts. */
export function flock(fd: number, operation: number): number {
  return result(libc.flock(fd, operation));
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
  alarm ??= openAlarm();
  const handler = (alarm.abs as unknown as { ptr: number }).ptr;
  const set = result(alarm.signal(SIGALRM, handler));
  if (set < 0) return set;
  alarm.siginterrupt(SIGALRM, 1);
  const deadline = performance.now() + timeoutMs;
  const started = result(alarm.setitimer(ITIMER_REAL, timerSpan(Math.ceil(timeoutMs), ALARM_AGAIN_MS), null));
  if (started < 0) return started;
  try {
    for (;;) {
      const done = result(libc.flock(fd, operation));
      if (done !== -EINTR || performance.now() >= deadline) return done;
    }
  } finally {
    // It would outlive exec(2).
    alarm.setitimer(ITIMER_REAL, timerSpan(0, 0), null);
  }
}

const ALARM_AGAIN_MS = 50;

/** struct itimerval: two struct timeval, the interval first. */
function timerSpan(firstMs: number, againMs: number): BigInt64Array {
  const timeval = (ms: number) => [Math.floor(ms / 1000), Math.floor((ms % 1000) * 1000)];
  return new BigInt64Array([...timeval(againMs), ...timeval(firstMs)].map(BigInt));
}

/** Needed only by who finds a lock held; so much for its price. */
let alarm: ReturnType<typeof openAlarm> | undefined;

function openAlarm() {
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
  return result(libc.syscall(SYSCALLS.getdents64, fd, ptr(memory), memory.length, 0, 0));
}

/** setns(2): moves the calling thread, on which all of our code runs. */
export function setns(fd: number, type: number): number {
  return result(libc.setns(fd, type));
}

/** ioctl(2) with a number for an argument. */
export function ioctl(fd: number, request: number, argument: number): number {
  return result(libc.ioctl(fd, request, argument));
}

/** socket(2). */
export function socket(domain: number, type: number, protocol: number): number {
  return result(libc.socket(domain, type, protocol));
}

/** bind(2) to a struct sockaddr. */
export function bind(fd: number, address: Uint8Array): number {
  return result(libc.bind(fd, address, address.length));
}

/** setsockopt(2). */
export function setsockopt(fd: number, level: number, name: number, value: Uint8Array): number {
  return result(libc.setsockopt(fd, level, name, value, value.length));
}

/** getsockopt(2) into all of `value`. */
export function getsockopt(fd: number, level: number, name: number, value: Uint8Array): number {
  const length = new Uint32Array([value.length]);
  return result(libc.getsockopt(fd, level, name, value, length));
}

/** send(2), repeated when a signal interrupts it. */
export function send(fd: number, memory: Memory, lengthBytes: number, flags: number): number {
  for (;;) {
    const sent = result(libc.send(fd, memory, lengthBytes, flags));
    if (sent !== -EINTR) return sent;
  }
}

/** recv(2), repeated when a signal interrupts it. With MSG_TRUNC the length is the datagram's, even when cut. */
export function recv(fd: number, memory: Memory, lengthBytes: number, flags: number): number {
  for (;;) {
    const got = result(libc.recv(fd, memory, lengthBytes, flags));
    if (got !== -EINTR) return got;
  }
}

/** Waits until `fd` can be read or the time is over. Returns 1 or 0. */
export function pollReadable(fd: number, timeoutMs: number): number {
  const POLLIN = 1;
  return result(libc.poll(new Uint8Array(new Int32Array([fd, POLLIN]).buffer), 1, timeoutMs));
}

/** Does nothing for so long; the event loop stands still too. */
export function sleep(timeoutMs: number): void {
  libc.poll(null, 0, timeoutMs);
}

/** What the start of a container never needs unless it asks a DHCP server; loaded on first use, so that it pays nothing for it. */
let rare: ReturnType<typeof openRare> | undefined;

function openRare() {
  return dlopen(LIBC, {
    // int unshare(int flags);
    unshare: { args: ["i32"], returns: "i32" },
    // int connect(int fd, const struct sockaddr *address, socklen_t length);
    connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
    // int listen(int fd, int backlog);
    listen: { args: ["i32", "i32"], returns: "i32" },
    // int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
    accept4: { args: ["i32", "ptr", "ptr", "i32"], returns: "i32" },
    // ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t length);
    sendto: { args: ["i32", "ptr", U64, "i32", "ptr", "u32"], returns: I64 },
    // ssize_t recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *from, socklen_t *length);
    recvfrom: { args: ["i32", "ptr", U64, "i32", "ptr", "ptr"], returns: I64 },
    // int clock_gettime(clockid_t clock, struct timespec *time);
    clock_gettime: { args: ["i32", "ptr"], returns: "i32" },
    // sighandler_t signal(int signum, sighandler_t handler);
    signal: { args: ["i32", U64], returns: I64 },
  }).symbols;
}

/** unshare(2): the calling thread gets namespaces of its own. */
export function unshare(flags: number): number {
  rare ??= openRare();
  return result(rare.unshare(flags));
}

/** connect(2) to a struct sockaddr. */
export function connect(fd: number, address: Uint8Array): number {
  rare ??= openRare();
  return result(rare.connect(fd, address, address.length));
}

/** listen(2). */
export function listen(fd: number, backlog: number): number {
  rare ??= openRare();
  return result(rare.listen(fd, backlog));
}

/** accept4(2), whoever it is that connects. Returns the descriptor. */
export function accept(fd: number, flags: number): number {
  rare ??= openRare();
  return result(rare.accept4(fd, null, null, flags));
}

/** sendto(2) to a struct sockaddr, repeated when a signal interrupts it. */
export function sendTo(fd: number, data: Uint8Array, flags: number, to: Uint8Array): number {
  rare ??= openRare();
  for (;;) {
    const sent = result(rare.sendto(fd, data, data.length, flags, to, to.length));
    if (sent !== -EINTR) return sent;
  }
}

/** recvfrom(2), repeated when a signal interrupts it; `from` takes the sender's struct sockaddr. */
export function receiveFrom(fd: number, data: Uint8Array, flags: number, from: Uint8Array): number {
  rare ??= openRare();
  for (;;) {
    const length = new Uint32Array([from.length]);
    const got = result(rare.recvfrom(fd, data, data.length, flags, from, length));
    if (got !== -EINTR) return got;
  }
}

/** clock_gettime(2) into a struct timespec of two 64-bit numbers. */
export function clockTime(clock: number, time: BigInt64Array): number {
  rare ??= openRare();
  return result(rare.clock_gettime(clock, time));
}

/** poll(2) on several descriptors, for what can be read: `fds` is an array of struct pollfd, in and out. */
export function pollAll(fds: Uint8Array, count: number, timeoutMs: number): number {
  return result(libc.poll(fds, count, timeoutMs));
}

/** signal(2) with SIG_IGN: from now on the signal does nothing here. Programs that Bun starts get its default again. */
export function ignoreSignal(number: number): number {
  const SIG_IGN = 1;
  rare ??= openRare();
  return result(rare.signal(number, SIG_IGN));
}
