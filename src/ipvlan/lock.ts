import { Failure } from "../error.ts";
import { ENOENT, isErrno } from "../linux/errno.ts";
import { type FileLock, lockFile, makeDirectories } from "../linux/file.ts";
import { runDirectory } from "./record.ts";

const TIMEOUT_MS = 10_000;

/**
 * Locks a file of that folder of the run directory; both are made if need be. Throws a Failure of kind `busy` when others
 * keep it locked.
 */
export function lockRunFile(folder: string, path: string, shared = false): FileLock {
  const lock = () => lockFile(path, 0o600, TIMEOUT_MS, shared);
  let held: FileLock | undefined;
  try {
    held = lock();
  } catch (thrown) {
    if (!isErrno(thrown, ENOENT)) throw thrown;
    makeDirectories(`${runDirectory()}/${folder}`, 0o700);
    held = lock();
  }
  if (held !== undefined) return held;
  throw new Failure("busy", `${path} stayed locked for ${TIMEOUT_MS} ms`, {
    remedy: "try again later; look for a plugin that hangs",
  });
}
