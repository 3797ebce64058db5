/**
 * Numbers of system calls: <asm/unistd.h> of x86-64, <asm-generic/unistd.h> for arm64. Of two calls that do the same the
 * one that both have. A build leaves one of the tables, and of that one numbers in their places.
 */
export const NR =
  process.arch === "arm64"
    ? {
        ...{ read: 63, write: 64, close: 57, ioctl: 29, pread64: 67, pwrite64: 68, openat: 56, pipe2: 59 },
        ...{ mkdirat: 34, unlinkat: 35, linkat: 37, renameat2: 276, statx: 291, getdents64: 61 },
        ...{ fchmod: 52, fsync: 82, flock: 32, utimensat: 88, setns: 268, unshare: 97, ppoll: 73 },
        ...{ socket: 198, bind: 200, listen: 201, connect: 203, accept4: 242, sendto: 206, recvfrom: 207 },
        ...{ setsockopt: 208, getsockopt: 209, clock_gettime: 113 },
      }
    : {
        ...{ read: 0, write: 1, close: 3, ioctl: 16, pread64: 17, pwrite64: 18, openat: 257, pipe2: 293 },
        ...{ mkdirat: 258, unlinkat: 263, linkat: 265, renameat2: 316, statx: 332, getdents64: 217 },
        ...{ fchmod: 91, fsync: 74, flock: 73, utimensat: 280, setns: 308, unshare: 272, ppoll: 271 },
        ...{ socket: 41, bind: 49, listen: 50, connect: 42, accept4: 288, sendto: 44, recvfrom: 45 },
        ...{ setsockopt: 54, getsockopt: 55, clock_gettime: 228 },
      };
