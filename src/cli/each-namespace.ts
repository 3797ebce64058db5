import { KernelError } from "../linux/errno.ts";
import { findNamespace } from "../linux/namespaces.ts";
import { closeNamespace, inNamespace, type Namespace, openOwnNamespace } from "../linux/netns.ts";

/** Runs `visit` inside each network namespace of this host; those that may not be entered are passed over. */
export function eachNamespace(visit: (namespace: Namespace) => void): void {
  const home = openOwnNamespace();
  try {
    findNamespace((namespace) => {
      try {
        inNamespace(namespace, home, () => visit(namespace));
      } catch (thrown) {
        // It has ended meanwhile, or belongs to a user namespace that is not ours.
        if (!(thrown instanceof KernelError)) throw thrown;
      }
      return undefined;
    });
  } finally {
    closeNamespace(home);
  }
}
