import * as v from "valibot";
import { Failure } from "../../error.ts";
import { parseJson } from "../../json.ts";
import { check, KernelError } from "../../linux/errno.ts";
import { pollReadable } from "../../linux/libc.ts";
import { closeUnixSocket, connectTo, receiveSome, sendSome } from "../../linux/unix-socket.ts";

/**
 * What plugin and daemon say to each other over the daemon's socket: one line of JSON each, then the connection ends.
 * The leases themselves are files that both read and write; the daemon is only told to look.
 */
const VERSION = 1;

/** The longest line; a lease's name has at most 255 bytes. */
export const LINE_BYTES_MAX = 4096;
/** How long either side waits for the other's line. */
export const LINE_TIMEOUT_MS = 5000;

const requestSchema = v.variant("ask", [
  v.object({ version: v.literal(VERSION), ask: v.literal("status") }),
  v.object({ version: v.literal(VERSION), ask: v.picklist(["keep", "forget"]), lease: v.string() }),
]);

const replySchema = v.object({
  version: v.number(),
  /** Why not; absent when it was done. */
  error: v.optional(v.string()),
  /** How many leases are kept. */
  leases: v.number(),
});

export type Request = v.InferOutput<typeof requestSchema>;
export type Reply = v.InferOutput<typeof replySchema>;

/** What a plugin may ask for. */
export type Question = { ask: "status" } | { ask: "keep" | "forget"; lease: string };

/** Reads a request line; undefined for anything that is none of this version. */
export function parseRequest(line: string): Request | undefined {
  return parse(requestSchema, line);
}

/** A reply as a line. */
export function formatReply(reply: Omit<Reply, "version">): string {
  return `${JSON.stringify({ version: VERSION, ...reply })}\n`;
}

function parse<Schema extends v.GenericSchema>(
  schema: Schema,
  line: string,
): v.InferOutput<Schema> | undefined {
  try {
    const parsed = v.safeParse(schema, parseJson(line));
    return parsed.success ? parsed.output : undefined;
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}

/** Asks the daemon and waits for its answer. Throws a Failure of kind `unavailable`. */
export function askDaemon(socketPath: string, question: Question): Reply {
  let line: string;
  try {
    line = exchangeLine(socketPath, `${JSON.stringify({ version: VERSION, ...question })}\n`);
  } catch (cause) {
    if (!(cause instanceof KernelError)) throw cause;
    throw new Failure("unavailable", `the DHCP daemon does not answer at ${socketPath}`, {
      cause,
      details: cause.message,
      remedy:
        "start it on this node: ipvlan dhcp-daemon (docs/dhcp.md has a unit for systemd and a DaemonSet)",
    });
  }
  const reply = parse(replySchema, line);
  if (reply === undefined || reply.version !== VERSION) {
    throw new Failure(
      "unavailable",
      `what answers at ${socketPath} is no DHCP daemon of this version of ipvlan`,
      {
        remedy:
          "set ipam.daemonSocketPath to the socket of `ipvlan dhcp-daemon`, and restart that after an update",
      },
    );
  }
  if (reply.error !== undefined)
    throw new Failure("unavailable", `the DHCP daemon at ${socketPath} refuses: ${reply.error}`);
  return reply;
}

function exchangeLine(socketPath: string, line: string): string {
  const fd = connectTo(socketPath, LINE_TIMEOUT_MS);
  try {
    check(sendSome(fd, Buffer.from(line)), "send", socketPath);
    const buffer = new Uint8Array(LINE_BYTES_MAX);
    const deadline = performance.now() + LINE_TIMEOUT_MS;
    for (let length = 0; length < buffer.length; ) {
      const leftMs = Math.ceil(deadline - performance.now());
      if (leftMs <= 0 || check(pollReadable(fd, leftMs), "poll", socketPath) === 0) break;
      const got = check(receiveSome(fd, buffer.subarray(length)), "receive", socketPath);
      length += got;
      const end = buffer.subarray(0, length).indexOf(0x0a);
      if (end >= 0) return Buffer.from(buffer.subarray(0, end)).toString();
      if (got === 0) break;
    }
    return "";
  } finally {
    closeUnixSocket(fd);
  }
}
