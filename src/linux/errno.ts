/* Error numbers of <asm-generic/errno-base.h> and <asm-generic/errno.h>: the same on x86-64 and arm64. */

export const EPERM = 1;
export const ENOENT = 2;
export const ESRCH = 3;
export const EINTR = 4;
export const EAGAIN = 11;
export const EACCES = 13;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENODEV = 19;
export const ENOTDIR = 20;
export const EISDIR = 21;
export const EINVAL = 22;
export const ENOTTY = 25;
export const EFBIG = 27;
export const ENOSPC = 28;
export const EROFS = 30;
export const ELOOP = 40;
export const ENOSYS = 38;
export const EMSGSIZE = 90;
export const ENOPROTOOPT = 92;
export const EOPNOTSUPP = 95;
export const EADDRINUSE = 98;
export const EADDRNOTAVAIL = 99;
export const ENETUNREACH = 101;
export const ENOBUFS = 105;
export const EHOSTUNREACH = 113;

/** An error number in words: "File exists (EEXIST)". */
export function errnoText(errno: number): string {
  // Most calls meet no error, and making the table takes longer than many of the steps they do.
  const { sentenceAndSymbol } = require("./errno-text.ts") as typeof import("./errno-text.ts");
  return sentenceAndSymbol(errno);
}

/**
 * The kernel said no. `operation` is the system call or netlink message ("open", "RTM_NEWLINK"), `subject` what
 * it was about (a path, an interface), `kernelMessage` the kernel's own sentence from an extended acknowledgement.
 */
export class KernelError extends Error {
  override readonly name = "KernelError";
  readonly operation: string;
  readonly subject: string;
  readonly errno: number;
  readonly kernelMessage: string | undefined;

  constructor(operation: string, subject: string, errno: number, kernelMessage?: string | undefined) {
    super(
      `${operation}${subject === "" ? "" : ` ${subject}`}: ${errnoText(errno)}${kernelMessage ? `: ${kernelMessage}` : ""}`,
    );
    this.operation = operation;
    this.subject = subject;
    this.errno = errno;
    this.kernelMessage = kernelMessage;
  }
}

/**
 * Passes a system call's result on when it is not negative; throws a KernelError for a negated error number.
 */
export function check(result: number, operation: string, subject = ""): number {
  if (result < 0) throw new KernelError(operation, subject, -result);
  return result;
}

/** True when `thrown` is a KernelError with one of these error numbers. */
export function isErrno(thrown: unknown, ...errnos: number[]): thrown is KernelError {
  return thrown instanceof KernelError && errnos.includes(thrown.errno);
}
