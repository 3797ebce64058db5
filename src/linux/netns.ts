import { Failure } from "../error.ts";
import { check, EINVAL, ENOSYS, KernelError } from "./errno.ts";
import { close, ioctl, open, setns, sleep, statx } from "./libc.ts";

// fcntl.h; O_NONBLOCK so that a FIFO put in the namespace's place cannot hold us.
const O_RDONLY_NONBLOCK_CLOEXEC = 0o4000 | 0o2000000;
const CLONE_NEWNET = 0x40000000;
/** linux/nsfs.h: which kind of namespace a descriptor is; ENOTTY for anything that is not one. */
const NS_GET_NSTYPE = 0xb703;
const AT_EMPTY_PATH = 0x1000;
const STATX_INO = 0x100;

/** How often the way home is tried, with a pause that grows by a millisecond each time. */
const RETURN_TRIES = 10;

const OWN_NAMESPACE = "/proc/thread-self/ns/net";

/** An open network namespace; `identity` is its device and inode, the same for every path to it. */
export interface Namespace {
  fd: number;
  path: string;
  identity: string;
}

/**
 * Opens the network namespace at `path` and makes sure it is one.
 * Throws KernelError: ENOENT when nothing is there, ENOTTY when it is no namespace at all (after a reboot
 * a plain file stands where the namespace was mounted), EINVAL when it is a namespace of another kind.
 */
export function openNamespace(path: string): Namespace {
  const fd = check(open(path, O_RDONLY_NONBLOCK_CLOEXEC), "open network namespace", path);
  try {
    const type = ioctl(fd, NS_GET_NSTYPE, 0);
    // An emulated machine (QEMU's user mode) does not know the question; there setns is who refuses another kind.
    const isUnknown = type === -ENOSYS;
    if (!isUnknown && check(type, "open network namespace", path) !== CLONE_NEWNET)
      throw new KernelError("open network namespace", path, EINVAL, "a namespace of another kind");
    return { fd, path, identity: identityOf(fd) };
  } catch (thrown) {
    close(fd);
    throw thrown;
  }
}

/** Opens the namespace this process is in. Throws KernelError when /proc is not there. */
export function openOwnNamespace(): Namespace {
  return openNamespace(OWN_NAMESPACE);
}

/** Closes it; a namespace without any other holder ends. */
export function closeNamespace(namespace: Namespace): void {
  close(namespace.fd);
}

/**
 * Runs `work` inside `namespace` and comes back to `home`. Only synchronous system calls belong in `work`: no await
 * and no child process, since other threads stay at home. If the way back is barred the process ends at once:
 * going on would change the wrong namespace.
 */
export function inNamespace<T>(namespace: Namespace, home: Namespace, work: () => T): T {
  check(setns(namespace.fd, CLONE_NEWNET), "setns", namespace.path);
  try {
    return work();
  } finally {
    if (!returned(home)) {
      console.error(`ipvlan: cannot return from ${namespace.path} to the host's network namespace`);
      process.exit(1);
    }
  }
}

/** Comes back, and makes sure of it; more than once, because memory may be short for a moment. */
function returned(home: Namespace): boolean {
  for (let attempt = 0; attempt < RETURN_TRIES; attempt++) {
    try {
      if (setns(home.fd, CLONE_NEWNET) >= 0 && identityAt(OWN_NAMESPACE) === home.identity) return true;
    } catch (thrown) {
      if (!(thrown instanceof KernelError)) throw thrown;
    }
    sleep(attempt);
  }
  return false;
}

/** Moves this process into `namespace` for good; for programs that make namespaces of their own. Throws KernelError. */
export function enterNamespace(namespace: Namespace): void {
  check(setns(namespace.fd, CLONE_NEWNET), "setns", namespace.path);
}

function identityOf(fd: number): string {
  return readIdentity(fd, "", AT_EMPTY_PATH);
}

function identityAt(path: string): string {
  return readIdentity(-1, path, 0);
}

/** Device and inode out of struct statx (linux/stat.h): stx_ino at 32, stx_dev_major at 136, stx_dev_minor at 140. */
function readIdentity(fd: number, path: string, flags: number): string {
  const words = new Uint32Array(64);
  check(statx(fd, path, flags, STATX_INO, new Uint8Array(words.buffer)), "statx", path);
  return `${words[136 / 4]}:${words[140 / 4]}:${words[36 / 4]! * 2 ** 32 + words[32 / 4]!}`;
}

/** The refusal for a namespace path that ADD or CHECK cannot open. */
export function namespaceFailure(path: string, cause: unknown): Failure {
  return new Failure("namespace", `CNI_NETNS "${path}" is not a network namespace that can be entered`, {
    cause,
    remedy: "give the path of a live network namespace, such as /run/netns/NAME or /proc/PID/ns/net",
  });
}
