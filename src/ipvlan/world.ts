import { debug } from "../debug.ts";
import { Failure } from "../error.ts";
import { EINVAL, ENOENT, ENOTDIR, ENOTTY, EPERM, ESRCH, isErrno } from "../linux/errno.ts";
import type { FileLock } from "../linux/file.ts";
import {
  closeNamespace,
  inNamespace,
  type Namespace,
  namespaceFailure,
  openNamespace,
  openOwnNamespace,
} from "../linux/netns.ts";
import { closeSocket, openSocket, type Socket } from "../linux/socket.ts";

/** The two namespaces of a call, with a netlink socket in each: nothing needs to live inside the container. */
export interface World {
  home: Namespace;
  container: Namespace;
  host: Socket;
  inside: Socket;
  /** The attachments that are being made: of two ADDs of one at once the second waits for the first. */
  locks: FileLock[];
}

/**
 * Opens the container's namespace and both sockets. Throws a Failure of kind `namespace` when the path is no network
 * namespace, `own-namespace` when it is the one this process runs in and that is not allowed.
 */
export function openWorld(netns: string, mayBeOwnNamespace: boolean | undefined): World {
  const container = openContainer(netns);
  let home: Namespace | undefined;
  let host: Socket | undefined;
  try {
    home = openOwnNamespace();
    if (container.identity === home.identity && !mayBeOwnNamespace) throw ownNamespaceFailure(netns);
    debug?.step("namespaces are open", { container: container.identity, own: home.identity });
    host = openSocket();
    return { home, container, host, inside: openInside(container, home), locks: [] };
  } catch (thrown) {
    if (host !== undefined) closeSocket(host);
    if (home !== undefined) closeNamespace(home);
    closeNamespace(container);
    throw thrown;
  }
}

function openInside(container: Namespace, home: Namespace): Socket {
  try {
    return inNamespace(container, home, openSocket);
  } catch (cause) {
    if (!isErrno(cause, EPERM)) throw cause;
    throw new Failure(
      "namespace",
      `the plugin may not enter CNI_NETNS "${container.path}": it lacks CAP_SYS_ADMIN`,
      {
        cause,
        remedy:
          "run the runtime as root, or with CAP_SYS_ADMIN in the user namespace of the container's network",
      },
    );
  }
}

function openContainer(netns: string): Namespace {
  try {
    return openNamespace(netns);
  } catch (thrown) {
    throw namespaceFailure(netns, thrown);
  }
}

/** As `openWorld`, for cleaning up: undefined when the namespace has gone, or is something else by now. */
export function openWorldIfAlive(netns: string, mayBeOwnNamespace: boolean | undefined): World | undefined {
  try {
    return openWorld(netns, mayBeOwnNamespace);
  } catch (thrown) {
    if (thrown instanceof Failure && isErrno(thrown.cause, ENOENT, ENOTDIR, ENOTTY, EINVAL, ESRCH))
      return undefined;
    throw thrown;
  }
}

function ownNamespaceFailure(netns: string): Failure {
  return new Failure(
    "own-namespace",
    `CNI_NETNS "${netns}" is the network namespace the plugin itself runs in`,
    {
      remedy: "give the container's namespace, or set CNI_NETNS_OVERRIDE=1 if this is meant",
    },
  );
}

/** Closes everything `openWorld` opened. */
export function closeWorld(world: World): void {
  for (const lock of world.locks) lock.release();
  closeSocket(world.inside);
  closeSocket(world.host);
  closeNamespace(world.container);
  closeNamespace(world.home);
}
