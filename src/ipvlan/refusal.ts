import { Failure } from "../error.ts";
import { EADDRNOTAVAIL, EBUSY, EINVAL, ENODEV, EOPNOTSUPP, EPERM, type KernelError } from "../linux/errno.ts";
import type { Link } from "../linux/rtnetlink.ts";
import type { Socket } from "../linux/socket.ts";
import type { EndpointConfig, Mode } from "./call.ts";
import { occupantOf, occupiedFailure } from "./occupant.ts";

/** The refusal of a link on the master; `socket` is in the master's namespace. */
export function linkFailure(
  cause: KernelError,
  socket: Socket,
  endpoint: EndpointConfig,
  master: Link,
): Failure {
  const refused = `the kernel refused an ipvlan link on master "${master.name}"`;
  switch (cause.errno) {
    case EBUSY:
      return occupiedFailure(master, occupantOf(socket, master), cause);
    case EOPNOTSUPP:
      return driverFailure(cause, endpoint.mode);
    case EPERM:
      return new Failure("interface", `${refused}: the plugin lacks CAP_NET_ADMIN`, {
        cause,
        remedy:
          "run the runtime as root, or with CAP_NET_ADMIN and CAP_SYS_ADMIN in the namespaces' user namespace",
      });
    case ENODEV:
      return new Failure("master", `master "${master.name}" has just gone`, {
        cause,
        remedy: "see what removed it",
      });
    case EADDRNOTAVAIL:
      return new Failure("master", `${refused}: it has no link address`, { cause });
    case EINVAL:
      return new Failure("master", `${refused}: it, or mode "${endpoint.mode}", does not suit ipvlan`, {
        cause,
        remedy: "choose another master or mode",
      });
    default:
      return new Failure("interface", refused, { cause });
  }
}

/** The refusal when the kernel has no ipvlan driver, or one without the mode. */
export function driverFailure(cause: unknown, mode: Mode): Failure {
  const what = mode === "l3s" ? "the ipvlan driver, or its l3s mode" : "the ipvlan driver";
  return new Failure("unavailable", `this kernel lacks ${what}`, {
    cause,
    remedy: `load it (modprobe ipvlan), or use a kernel with CONFIG_IPVLAN${mode === "l3s" ? " and CONFIG_IPVLAN_L3S" : ""}`,
  });
}
