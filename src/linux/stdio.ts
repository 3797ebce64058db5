import { Failure } from "../error.ts";
import { encodeUtf8 } from "../text.ts";
import { EAGAIN, errnoText } from "./errno.ts";
import { pollReadable, readInto, sleep, writeFrom } from "./libc.ts";

/** The largest configuration that is read; real ones, results of whole chains included, have a few kilobytes. */
export const INPUT_LIMIT_BYTES = 1 << 20;

/** How long a reader of our standard output that takes nothing is waited for. */
const WRITE_TIMEOUT_MS = 30_000;

/** Everything on `fd` up to its end. Throws an `io` Failure (code 5). */
export function readAll(fd: number): Uint8Array {
  let buffer = new Uint8Array(16_384);
  let length = 0;
  for (;;) {
    if (length === buffer.length) {
      const larger = new Uint8Array(2 * buffer.length);
      larger.set(buffer);
      buffer = larger;
    }
    const got = readInto(fd, buffer.subarray(length), buffer.length - length);
    if (got === 0) return buffer.subarray(0, length);
    if (got === -EAGAIN) pollReadable(fd, -1);
    else if (got < 0) throw new Failure("io", `error reading from stdin: ${errnoText(-got)}`);
    else length += got;
    if (length > INPUT_LIMIT_BYTES)
      throw new Failure("io", `error reading from stdin: more than ${INPUT_LIMIT_BYTES} bytes`);
  }
}

/** Writes all of the text to `fd`. Throws an `io` Failure (code 5). */
export function writeAll(fd: number, text: string): void {
  let rest: Uint8Array = encodeUtf8(text);
  let waitedMs = 0;
  while (rest.length > 0) {
    const put = writeFrom(fd, rest, rest.length);
    if (put >= 0) rest = rest.subarray(put);
    else if (put === -EAGAIN && waitedMs++ < WRITE_TIMEOUT_MS) sleep(1);
    else throw new Failure("io", `error writing to stdout: ${errnoText(-put)}`);
  }
}
