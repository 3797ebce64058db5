import {
  NETLINK_CAP_ACK,
  NETLINK_EXT_ACK,
  NETLINK_GET_STRICT_CHK,
  NETLINK_ROUTE,
  NLM_F_DUMP_INTR,
  NLM_F_MULTI,
  NLMSG_DONE,
  NLMSG_ERROR,
} from "../../wasm/uapi.ts";
import { debug } from "../debug.ts";
import { Failure } from "../error.ts";
import * as codec from "./codec.ts";
import { quicken } from "./codec-form.ts";
import { check, EAGAIN, EINVAL, EMSGSIZE, ENOBUFS, ENOPROTOOPT, KernelError } from "./errno.ts";
import { close, getsockopt, recv, send, setsockopt, sleep, socket } from "./libc.ts";
import { inNamespace, type Namespace } from "./netns.ts";

// sys/socket.h, linux/netlink.h
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC_NONBLOCK = 3 | 0o2000000 | 0o4000;
const SOL_NETLINK = 270;
// asm-generic/socket.h: the same on x86-64 and arm64
const SOL_SOCKET = 1;
const SO_NETNS_COOKIE = 71;
const MSG_TRUNC = 0x20;
const ON = new Uint8Array([1, 0, 0, 0]);

/** How often an interrupted dump is repeated, with a pause that grows by a millisecond each time. */
const DUMP_TRIES = 40;
/**
 * The most that is read of one answer: a million routes, the whole Internet's, take half of it. Who fills a namespace faster
 * than it is read would otherwise be read for ever.
 */
const ANSWER_LIMIT_BYTES = 128 * 1024 * 1024;

/** What of one answer the codec reads as a script; the rest of it repays the other form's start. */
const SCRIPT_BYTES_MAX = 32 * 1024;

/** A netlink socket; it stays in the namespace it was opened in. */
export interface Socket {
  fd: number;
  /** The sequence number of the next request. */
  sequence: number;
}

/** The kernel's answer to one request: 0 or a positive error number, and its own sentence when it gave one. */
export interface Acknowledgement {
  errno: number;
  message: string | undefined;
}

/** Opens a routing socket in the namespace the process is in now. Throws KernelError. */
export function openSocket(): Socket {
  const fd = check(socket(AF_NETLINK, SOCK_RAW_CLOEXEC_NONBLOCK, NETLINK_ROUTE), "socket", "NETLINK_ROUTE");
  // The kernel's own sentences, short acknowledgements, filtered dumps. A kernel that is too old for one of them
  // answers without it, and nothing here depends on that.
  for (const option of [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK])
    setsockopt(fd, SOL_NETLINK, option, ON);
  return { fd, sequence: 1 };
}

/**
 * A number that no other namespace has until the next boot, of the namespace the socket was opened in; undefined where
 * the kernel gives none (before 5.14). An inode number, by contrast, is given to the next namespace at once. Throws
 * KernelError: without the number a namespace would pass for another one.
 */
function namespaceCookie(path: string, socket: Socket): number | undefined {
  const words = new Uint32Array(2);
  const done = getsockopt(socket.fd, SOL_SOCKET, SO_NETNS_COOKIE, new Uint8Array(words.buffer));
  // EINVAL is the word of an emulated machine (QEMU's user mode), which asks for four bytes of it.
  if (done === -ENOPROTOOPT || done === -EINVAL) return undefined;
  check(done, "getsockopt SO_NETNS_COOKIE", path);
  // The kernel counts namespaces from 1 on: it will not come to 2^53.
  return words[1]! * 2 ** 32 + words[0]!;
}

/** What tells a namespace from every other, those that come after it included; the socket was opened in it. Throws KernelError. */
export function namespaceMark(namespace: Namespace, socket: Socket): string {
  const cookie = namespaceCookie(namespace.path, socket);
  return cookie === undefined ? namespace.identity : `${namespace.identity} ${cookie}`;
}

/** Runs `work` with a socket of `namespace`, opened from `home`. Throws KernelError. */
export function withSocketIn<T>(namespace: Namespace, home: Namespace, work: (socket: Socket) => T): T {
  const socket = inNamespace(namespace, home, openSocket);
  try {
    return work(socket);
  } finally {
    closeSocket(socket);
  }
}

/** Runs `work` with a routing socket in the namespace the process is in. Throws what it throws, and KernelError. */
export function withSocket<T>(work: (socket: Socket) => T): T {
  const socket = openSocket();
  try {
    return work(socket);
  } finally {
    closeSocket(socket);
  }
}

/** Closes it. */
export function closeSocket(socket: Socket): void {
  close(socket.fd);
}

/**
 * Sends the requests that `pack` appends to the batch, all in one datagram, and gathers one acknowledgement for each,
 * in order. `visit` sees every other message of the answers; the codec stands on it then.
 * Throws KernelError when the batch cannot be sent or an answer stays away, a Failure of kind `namespace` when it is too long.
 */
export function exchange(
  socket: Socket,
  pack: () => void,
  visit?: (type: number) => void,
): Acknowledgement[] {
  return converse(socket, pack, visit).acknowledgements;
}

/**
 * Collects what `read` makes of each message of a dump, repeating the whole when the kernel says that it changed
 * meanwhile. Throws KernelError, or a Failure: `busy` when it never holds still, `namespace` when it is too long.
 */
export function dump<T>(
  socket: Socket,
  subject: string,
  pack: () => void,
  read: (type: number) => T | undefined,
): T[] {
  for (let attempt = 0; attempt < DUMP_TRIES; attempt++) {
    const found: T[] = [];
    const { acknowledgements, interrupted } = converse(socket, pack, (type) => {
      const item = read(type);
      if (item !== undefined) found.push(item);
    });
    const [answer] = acknowledgements;
    if (answer !== undefined && answer.errno !== 0 && answer.errno !== ENOBUFS) {
      throw new KernelError("dump", subject, answer.errno, answer.message);
    }
    if (!interrupted && answer?.errno === 0) return found;
    debug?.step("dump repeated", { subject, attempt, interrupted });
    sleep(attempt);
  }
  throw new Failure("busy", `the kernel's list of ${subject} changes faster than it can be read`, {
    remedy: "try again later",
  });
}

function converse(
  socket: Socket,
  pack: () => void,
  visit: ((type: number) => void) | undefined,
): { acknowledgements: Acknowledgement[]; interrupted: boolean } {
  const first = socket.sequence;
  codec.requestBegin(first);
  pack();
  const { lengthBytes, count } = codec.requestFinish();
  socket.sequence += count;
  codec.requestQuieten(lengthBytes);
  const request = codec.requestMemory();
  check(send(socket.fd, request, lengthBytes, 0), "send", "netlink request");
  const sent = debug && Bun.nanoseconds();
  const acknowledgements: Acknowledgement[] = [];
  let interrupted = false;
  let messages = 0;
  let receivedBytes = 0;
  // The kernel answers in order: the last request's answer ends it all, and what it was silent about went well.
  let isOver = false;
  while (!isOver) {
    if (receivedBytes > SCRIPT_BYTES_MAX) quicken();
    const datagramBytes = receive(socket);
    receivedBytes += datagramBytes;
    if (receivedBytes > ANSWER_LIMIT_BYTES) throw tooLong();
    codec.responseBegin(datagramBytes);
    for (let type = codec.responseNext(); type !== 0; type = codec.responseNext()) {
      const { flags, sequence } = codec.responseHeader();
      const index = sequence - first;
      // An answer to an earlier conversation that was given up.
      if (index < 0 || index >= count) continue;
      if ((flags & NLM_F_DUMP_INTR) !== 0) interrupted = true;
      if (type === NLMSG_ERROR || type === NLMSG_DONE) {
        const { errno, message } = codec.responseError();
        acknowledgements[index] = { errno, message };
        isOver ||= index === count - 1;
      } else {
        messages++;
        visit?.(type);
        isOver ||= index === count - 1 && (flags & NLM_F_MULTI) === 0;
      }
    }
  }
  for (let index = 0; index < count; index++) acknowledgements[index] ??= { errno: 0, message: undefined };
  debug?.netlink(
    request.subarray(0, lengthBytes),
    acknowledgements,
    messages,
    (Bun.nanoseconds() - (sent ?? 0)) / 1e6,
  );
  return { acknowledgements, interrupted };
}

function tooLong(): Failure {
  return new Failure("namespace", `an answer of the kernel's is longer than ${ANSWER_LIMIT_BYTES} bytes`, {
    remedy:
      "see what fills the network namespace with links, addresses or routes; name the master in the configuration",
  });
}

/** One datagram into the codec's response memory. The kernel has queued its answer before send returns: nothing to wait for. */
function receive(socket: Socket): number {
  const memory = codec.responseMemory();
  const got = recv(socket.fd, memory, codec.responseMemory().length, MSG_TRUNC);
  if (got === -EAGAIN) throw new KernelError("recv", "netlink answer", EAGAIN, "the kernel did not answer");
  check(got, "recv", "netlink answer");
  if (got > codec.responseMemory().length) {
    throw new KernelError(
      "recv",
      "netlink answer",
      EMSGSIZE,
      `a datagram of ${got} bytes is longer than ${codec.responseMemory().length}`,
    );
  }
  return got;
}
