import { Failure } from "../error.ts";
import { check, EAGAIN } from "./errno.ts";
import { removeFile } from "./file.ts";
import { accept, bind, close, connect, listen, recv, rename, send, sleep, socket } from "./libc.ts";

// sys/socket.h, sys/un.h
const AF_UNIX = 1;
const SOCK_CLOEXEC_NONBLOCK = 0o2000000 | 0o4000;
const SOCK_STREAM = 1;
const MSG_NOSIGNAL = 0x4000;
const PATH_BYTES = 108;
/** More than a node starts containers at once; the kernel's own limit (net.core.somaxconn) may be lower. */
const BACKLOG = 4096;
const RETRY_PAUSE_MS = 10;

/**
 * Listens at `path`, in place of whatever is there. It gets its name when it listens: who finds it is not refused. Throws
 * KernelError, or a `config` Failure for a long path.
 */
export function listenAt(path: string): number {
  // No longer than the path itself, which may be as long as a socket's can be.
  const staging = `${path.slice(0, -1)}~`;
  return opened(staging, (fd, address) => {
    removeFile(staging);
    check(bind(fd, address), "bind", staging);
    check(listen(fd, BACKLOG), "listen", staging);
    check(rename(staging, path), "rename", path);
  });
}

/**
 * Connects to who listens at `path`; while its queue is full, tries again for so long. Throws KernelError (ENOENT,
 * ECONNREFUSED, EAGAIN), or a `config` Failure for a long path.
 */
export function connectTo(path: string, timeoutMs: number): number {
  return opened(path, (fd, address) => {
    let done = connect(fd, address);
    for (let waitedMs = 0; done === -EAGAIN && waitedMs < timeoutMs; waitedMs += RETRY_PAUSE_MS) {
      sleep(RETRY_PAUSE_MS);
      done = connect(fd, address);
    }
    check(done, "connect", path);
  });
}

function opened(path: string, use: (fd: number, address: Uint8Array) => void): number {
  const text = Buffer.from(path);
  if (text.length >= PATH_BYTES)
    throw new Failure(
      "config",
      `the socket's path "${path}" has ${text.length} bytes, more than ${PATH_BYTES - 1}`,
    );
  const address = new Uint8Array(2 + PATH_BYTES);
  address[0] = AF_UNIX;
  address.set(text, 2);
  const fd = check(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC_NONBLOCK, 0), "socket", "AF_UNIX");
  try {
    use(fd, address);
    return fd;
  } catch (thrown) {
    close(fd);
    throw thrown;
  }
}

/** The next connection; a negated error number when there is none. */
export function acceptFrom(listening: number): number {
  return accept(listening, SOCK_CLOEXEC_NONBLOCK);
}

/** Sends what fits; how many bytes, or a negated error number. A peer that has gone is EPIPE, no signal. */
export function sendSome(fd: number, bytes: Uint8Array): number {
  return send(fd, bytes, bytes.length, MSG_NOSIGNAL);
}

/** Receives what is there into `into`; how many bytes, 0 at the end, or a negated error number. */
export function receiveSome(fd: number, into: Uint8Array): number {
  return recv(fd, into, into.length, 0);
}

/** Closes it. */
export function closeUnixSocket(fd: number): void {
  close(fd);
}
