import { Failure } from "../error.ts";
import { openWorld, openWorldIfAlive, type World } from "../ipvlan/world.ts";
import { KernelError } from "../linux/errno.ts";
import { ioErrorText } from "./error.ts";

/** Opens the container's network namespace. Throws a Failure of kind `namespace` or `own-namespace`. */
export function openContainer(netns: string): World {
  return inPodmanWords(netns, () => openWorld(netns, false));
}

/** As `openContainer`, for cleaning up: undefined when the namespace has gone. */
export function openContainerIfAlive(netns: string): World | undefined {
  return inPodmanWords(netns, () => openWorldIfAlive(netns, false));
}

function inPodmanWords<T>(netns: string, open: () => T): T {
  try {
    return open();
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    if (thrown.kind === "own-namespace") {
      throw new Failure("own-namespace", `namespace path ${netns} is the host's network namespace itself`, {
        remedy: "an ipvlan link belongs into a container's own",
      });
    }
    const { cause } = thrown;
    const why = cause instanceof KernelError ? ioErrorText(cause.errno) : thrown.message;
    throw new Failure("namespace", `invalid namespace path: ${why}`);
  }
}
