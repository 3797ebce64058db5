import { Failure, type FailureKind } from "../error.ts";
import { EPERM, isErrno } from "../linux/errno.ts";

const REMEDY =
  "run the runtime as root, or with that capability in the user namespace of the network namespace";

/** What lacked for a system call that may be made with a capability only, in words; anything else that was thrown as it is. */
export function explained(thrown: unknown, kind?: FailureKind): unknown {
  if (!isErrno(thrown, EPERM)) return thrown;
  const { operation, subject } = thrown;
  const failure = (usual: FailureKind, message: string) =>
    new Failure(kind ?? usual, message, { cause: thrown, remedy: REMEDY });
  if (operation === "setns")
    return failure("namespace", `the plugin may not enter ${subject}: it lacks CAP_SYS_ADMIN`);
  if (operation === "socket" && subject === "AF_PACKET")
    return failure("interface", "the plugin may not use packet sockets: it lacks CAP_NET_RAW");
  if (operation.startsWith("RTM_"))
    return failure("interface", `the plugin may not change ${subject}: it lacks CAP_NET_ADMIN`);
  return thrown;
}

/** As the work ends, with privileges that lack explained. */
export async function explaining<T>(work: Promise<T>, kind?: FailureKind): Promise<T> {
  try {
    return await work;
  } catch (thrown) {
    throw explained(thrown, kind);
  }
}
