import { Failure } from "../error.ts";
import { ENOENT, isErrno } from "../linux/errno.ts";
import {
  type FileLock,
  listDirectory,
  lockFile,
  makeDirectories,
  removeFile,
  statusOf,
} from "../linux/file.ts";

const TIMEOUT_MS = 10_000;

/**
 * Locks a file below the run directory; file and folder are made if need be. Throws a Failure of kind `busy` when others
 * keep it locked, `io` when it cannot be made.
 */
export function lockRunFile(path: string, shared = false): FileLock {
  const lock = () => lockFile(path, 0o600, TIMEOUT_MS, shared);
  let held: FileLock | undefined;
  try {
    try {
      held = lock();
    } catch (thrown) {
      if (!isErrno(thrown, ENOENT)) throw thrown;
      makeDirectories(path.slice(0, path.lastIndexOf("/")), 0o700);
      held = lock();
    }
  } catch (cause) {
    throw runFailure(path, cause);
  }
  if (held !== undefined) return held;
  throw new Failure("busy", `${path} stayed locked for ${TIMEOUT_MS} ms`, {
    remedy: "try again later; look for a plugin that hangs",
  });
}

/**
 * Removes the empty files of a directory whose names begin so, unless somebody holds their lock: a crash between locking and
 * writing leaves them. Throws KernelError.
 */
export function sweepEmptyFiles(directory: string, prefix: string): void {
  for (const { name, type } of listDirectory(directory) ?? []) {
    const path = `${directory}/${name}`;
    if (type !== "file" || !name.startsWith(prefix) || statusOf(path)?.sizeBytes !== 0) continue;
    const lock = lockFile(path, 0o600, 0);
    if (lock === undefined) continue;
    if (statusOf(path)?.sizeBytes === 0) removeFile(path);
    lock.release();
  }
}

/** The refusal when the run directory cannot be written. */
export function runFailure(path: string, cause: unknown): Failure {
  return new Failure("io", `cannot write the endpoint's record ${path}`, {
    cause,
    remedy: "make the directory writable, or name another one in IPVLAN_RUN_DIR",
  });
}
