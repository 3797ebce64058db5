import { Failure } from "../error.ts";
import { ENOENT, isErrno } from "../linux/errno.ts";
import { type FileLock, lockFile, makeDirectories } from "../linux/file.ts";

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

/** The refusal when the run directory cannot be written. */
export function runFailure(path: string, cause: unknown): Failure {
  return new Failure("io", `cannot write the endpoint's record ${path}`, {
    cause,
    remedy: "make the directory writable, or name another one in IPVLAN_RUN_DIR",
  });
}
