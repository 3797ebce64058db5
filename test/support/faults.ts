/** Runs the plugin under strace, which ends it or fails its system calls where a test says. */

import { readFileSync } from "node:fs";

/** A system call of a run: its name, which one of that name it is, and what strace wrote of it. */
export interface Point {
  name: string;
  count: number;
  text: string;
}

/** What has an effect outside the process, or asks about what is there; nothing about memory, threads and time. */
const SEEN = [
  ...["open", "openat", "close", "read", "pread64", "write", "pwrite64", "statx", "getdents64", "ioctl"],
  ...["mkdirat", "unlinkat", "linkat", "renameat2", "utimensat", "fchmod", "fsync", "flock"],
  ...["socket", "bind", "connect", "setsockopt", "getsockopt", "sendto", "recvfrom", "ppoll", "setns"],
  ...["pipe2", "clone", "clone3", "vfork", "wait4", "waitid", "pidfd_open", "exit_group"],
  ...["memfd_create", "ftruncate", "preadv2", "fcntl", "fstat", "newfstatat"],
  ...["epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd2"],
];

/** Errors that any call may meet on a machine in trouble, with their numbers' names. */
export const ERRORS = [
  ...["ENOMEM", "EPERM", "EBUSY", "ENOBUFS", "EINTR", "EAGAIN", "ENOSPC", "EMFILE", "EIO"],
] as const;

/** What happens instead of the call: the process ends, or the call returns that error. */
export type Fault = "KILL" | (typeof ERRORS)[number];

/** The wrapper that lets a plugin run, noting its calls in `log`; at `point` there is a fault. */
export function straced(log: string, point?: Point, fault?: Fault): string[] {
  const what = fault === "KILL" ? "signal=KILL" : `error=${fault}`;
  const inject = point && fault ? ["-e", `inject=${point.name}:${what}:when=${point.count}`] : [];
  // Only the first thread: everything of ours happens there, and calls of others would be counted apart anyway.
  return ["strace", "-qq", "-s", "200", "-o", log, "-e", `trace=${SEEN.join()}`, ...inject];
}

/** The calls of a run, from the one that reads its input on. */
export function pointsIn(log: string): Point[] {
  const counts: Record<string, number> = {};
  const points: Point[] = [];
  for (const text of readFileSync(log, "utf8").split("\n")) {
    const name = /^(\w+)\(/.exec(text)?.[1];
    if (name === undefined) continue;
    counts[name] = (counts[name] ?? 0) + 1;
    if (points.length > 0 || text.startsWith("read(0,")) points.push({ name, count: counts[name], text });
  }
  return points;
}

/**
 * The calls that change something outside the process. To be killed before any other call leaves the same as to be killed before
 * the next one of these.
 */
export function changing(points: Point[]): Point[] {
  return points.filter(({ name, text }) => {
    if (name === "open" || name === "openat") return text.includes("O_CREAT") || text.includes("O_TRUNC");
    if (name === "write") return !/^write\([12],/.test(text);
    return CHANGING.has(name);
  });
}

/**
 * The calls that can fail. Not close(2): Linux closes whatever it returns, and strace's failing one would not. Not the start of
 * a thread: Bun itself gives up then (SIGABRT), which is as if the call was killed.
 */
export function failing(points: Point[]): Point[] {
  return points.filter(
    ({ name, text }) => name !== "close" && name !== "exit_group" && !text.includes("CLONE_THREAD"),
  );
}

const CHANGING = new Set([
  ...["pwrite64", "mkdirat", "unlinkat", "linkat", "renameat2", "utimensat", "fchmod"],
  ...["sendto", "clone", "clone3", "vfork", "exit_group"],
]);

/** Whether the run that wrote the log met its error; of a signal strace does not say. */
export function isInjected(log: string): boolean {
  return readFileSync(log, "utf8").includes("(INJECTED)");
}

/** Where a test keeps its log, out of the way of what is compared. */
export function logFile(directory: string): string {
  return `${directory}.strace`;
}
