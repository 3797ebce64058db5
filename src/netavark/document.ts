import { Failure, messageOf } from "../error.ts";
import { parseJson } from "../json.ts";
import { ENOENT, KernelError } from "../linux/errno.ts";
import { readText } from "../linux/file.ts";
import { INPUT_LIMIT_BYTES, readAll } from "../linux/stdio.ts";
import { ioErrorText } from "./error.ts";
import { objectAt } from "./input.ts";

/** The JSON object of `--file`, or of standard input. Throws a Failure that starts with `prefix`. */
export function readDocument(
  { file }: { file: string | undefined },
  prefix = "failed to load network options",
): Record<string, unknown> {
  return loading(prefix, () =>
    objectAt(parseJson(file === undefined ? readStandardInput() : readFile(file)), "input"),
  );
}

/** Runs `read`; what it throws gets the prefix. */
export function loading<T>(prefix: string, read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    throw new Failure("decode", `${prefix}: ${messageOf(thrown)}`);
  }
}

function readStandardInput(): string {
  const bytes = readAll(0);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}

function readFile(path: string): string {
  try {
    const content = readText(path, INPUT_LIMIT_BYTES);
    if (content !== undefined) return content;
  } catch (thrown) {
    if (!(thrown instanceof KernelError)) throw thrown;
    throw new Failure("io", ioErrorText(thrown.errno));
  }
  throw new Failure("io", ioErrorText(ENOENT));
}
