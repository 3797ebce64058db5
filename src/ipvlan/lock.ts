import { Failure } from "../error.ts";
import { EFBIG, EISDIR, ENOENT, ENOTDIR, isErrno } from "../linux/errno.ts";
import {
  type FileLock,
  listDirectory,
  lockFile,
  makeDirectories,
  readText,
  removeFile,
  statusOf,
} from "../linux/file.ts";
import { lockTimeoutMs } from "../linux/lock-timeout.ts";

/**
 * Locks a file below the run directory; file and folder are made if need be. Throws a Failure of kind `busy` when others
 * keep it locked, `io` when it cannot be made.
 */
export function lockRunFile(path: string, shared = false): FileLock {
  const timeoutMs = lockTimeoutMs();
  const lock = () => lockFile(path, 0o600, timeoutMs, shared);
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
  throw new Failure("busy", `${path} was held by others for ${timeoutMs / 1000} s`, {
    remedy: "try again; if it lasts, look for processes that hang with that file open",
  });
}

/**
 * Removes the empty files of a folder, unless somebody holds their lock: a crash between locking and writing leaves them.
 * Throws KernelError.
 */
export function sweepEmptyFiles(folder: string): void {
  for (const { name, type } of listDirectory(folder) ?? []) {
    const path = `${folder}/${name}`;
    if (type !== "file" || statusOf(path)?.sizeBytes !== 0) continue;
    const lock = lockFile(path, 0o600, 0);
    if (lock === undefined) continue;
    if (statusOf(path)?.sizeBytes === 0) removeFile(path);
    lock.release();
  }
}

/**
 * What a file of the run directory says; undefined when it is absent, or no JSON: empty because it is only locked so far, or
 * because a crash came between its creation and its writing, when nothing had been changed yet. Throws KernelError for one
 * that cannot be read: what it says is not forgotten because memory or descriptors are short.
 */
export function readRunFile(path: string, limitBytes: number): unknown {
  try {
    return JSON.parse(readText(path, limitBytes) ?? "null");
  } catch (thrown) {
    if (thrown instanceof SyntaxError || isErrno(thrown, ENOTDIR, EISDIR, EFBIG)) return undefined;
    throw thrown;
  }
}

/** The refusal when the run directory cannot be written. */
export function runFailure(path: string, cause: unknown): Failure {
  return new Failure("io", `cannot write the endpoint's record ${path}`, {
    cause,
    remedy: "make the directory writable, or name another one in IPVLAN_RUN_DIR",
  });
}
