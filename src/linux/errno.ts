/** Error numbers of <asm-generic/errno-base.h> and <asm-generic/errno.h> (the same on x86-64 and arm64) with strerror's sentences. */
const ERRNO: Record<number, [name: string, sentence: string]> = {
  1: ["EPERM", "Operation not permitted"],
  2: ["ENOENT", "No such file or directory"],
  3: ["ESRCH", "No such process"],
  4: ["EINTR", "Interrupted system call"],
  5: ["EIO", "Input/output error"],
  6: ["ENXIO", "No such device or address"],
  7: ["E2BIG", "Argument list too long"],
  8: ["ENOEXEC", "Exec format error"],
  9: ["EBADF", "Bad file descriptor"],
  10: ["ECHILD", "No child processes"],
  11: ["EAGAIN", "Resource temporarily unavailable"],
  12: ["ENOMEM", "Cannot allocate memory"],
  13: ["EACCES", "Permission denied"],
  14: ["EFAULT", "Bad address"],
  16: ["EBUSY", "Device or resource busy"],
  17: ["EEXIST", "File exists"],
  18: ["EXDEV", "Invalid cross-device link"],
  19: ["ENODEV", "No such device"],
  20: ["ENOTDIR", "Not a directory"],
  21: ["EISDIR", "Is a directory"],
  22: ["EINVAL", "Invalid argument"],
  23: ["ENFILE", "Too many open files in system"],
  24: ["EMFILE", "Too many open files"],
  25: ["ENOTTY", "Inappropriate ioctl for device"],
  26: ["ETXTBSY", "Text file busy"],
  27: ["EFBIG", "File too large"],
  28: ["ENOSPC", "No space left on device"],
  30: ["EROFS", "Read-only file system"],
  31: ["EMLINK", "Too many links"],
  32: ["EPIPE", "Broken pipe"],
  34: ["ERANGE", "Numerical result out of range"],
  36: ["ENAMETOOLONG", "File name too long"],
  38: ["ENOSYS", "Function not implemented"],
  39: ["ENOTEMPTY", "Directory not empty"],
  40: ["ELOOP", "Too many levels of symbolic links"],
  61: ["ENODATA", "No data available"],
  71: ["EPROTO", "Protocol error"],
  74: ["EBADMSG", "Bad message"],
  75: ["EOVERFLOW", "Value too large for defined data type"],
  90: ["EMSGSIZE", "Message too long"],
  93: ["EPROTONOSUPPORT", "Protocol not supported"],
  95: ["EOPNOTSUPP", "Operation not supported"],
  97: ["EAFNOSUPPORT", "Address family not supported by protocol"],
  98: ["EADDRINUSE", "Address already in use"],
  99: ["EADDRNOTAVAIL", "Cannot assign requested address"],
  100: ["ENETDOWN", "Network is down"],
  101: ["ENETUNREACH", "Network is unreachable"],
  104: ["ECONNRESET", "Connection reset by peer"],
  105: ["ENOBUFS", "No buffer space available"],
  110: ["ETIMEDOUT", "Connection timed out"],
  111: ["ECONNREFUSED", "Connection refused"],
  113: ["EHOSTUNREACH", "No route to host"],
  116: ["ESTALE", "Stale file handle"],
  122: ["EDQUOT", "Disk quota exceeded"],
};

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
export const ENOSYS = 38;
export const EMSGSIZE = 90;
export const EOPNOTSUPP = 95;
export const EADDRINUSE = 98;
export const EADDRNOTAVAIL = 99;
export const ENETUNREACH = 101;
export const ENOBUFS = 105;
export const EHOSTUNREACH = 113;

/** The symbol of an error number: "EEXIST"; "errno 4711" when it has none here. */
export function errnoName(errno: number): string {
  return ERRNO[errno]?.[0] ?? `errno ${errno}`;
}

/** strerror's sentence: "File exists". */
export function errnoSentence(errno: number): string {
  return ERRNO[errno]?.[1] ?? `errno ${errno}`;
}

/** An error number in words: "File exists (EEXIST)". */
export function errnoText(errno: number): string {
  const known = ERRNO[errno];
  return known ? `${known[1]} (${known[0]})` : `errno ${errno}`;
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
