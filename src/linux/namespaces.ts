import { EACCES, EINVAL, ENOENT, ENOTDIR, ENOTTY, EPERM, ESRCH, isErrno } from "./errno.ts";
import { listDirectory, readText } from "./file.ts";
import { closeNamespace, type Namespace, openNamespace } from "./netns.ts";

const PASSED_OVER = [ENOENT, ENOTDIR, ENOTTY, ESRCH, EINVAL, EACCES, EPERM];
const MOUNTINFO_MAX_BYTES = 16 * 1024 * 1024;

/**
 * Visits every network namespace that a process is in or a mount keeps, each once, until `visit` returns something else
 * than undefined, and returns that. A namespace that only a descriptor or another link keeps is not found. What vanishes
 * meanwhile, or may not be opened, is passed over; what cannot be opened for another reason, such as memory or descriptors
 * that are short, is a KernelError, because nobody knows what is in there. Costs a few microseconds for each process of the
 * machine.
 */
export function findNamespace<T>(visit: (namespace: Namespace) => T | undefined): T | undefined {
  const seen = new Set<string>();
  for (const path of [...mountedNamespaces(), ...namespacesOfProcesses()]) {
    let namespace: Namespace;
    try {
      namespace = openNamespace(path);
    } catch (thrown) {
      if (isErrno(thrown, ...PASSED_OVER)) continue;
      throw thrown;
    }
    try {
      if (seen.has(namespace.identity)) continue;
      seen.add(namespace.identity);
      const found = visit(namespace);
      if (found !== undefined) return found;
    } finally {
      closeNamespace(namespace);
    }
  }
  return undefined;
}

/** Where network namespaces are mounted, as /proc/thread-self/mountinfo tells (proc(5)): root "net:[inode]", type nsfs. */
function mountedNamespaces(): string[] {
  const text = readText("/proc/thread-self/mountinfo", MOUNTINFO_MAX_BYTES) ?? "";
  return text
    .split("\n")
    .map((line) => line.split(" "))
    .filter((fields) => fields[3]?.startsWith("net:["))
    .map((fields) => unescapeMount(fields[4]!));
}

/** mountinfo writes space, tab, newline and backslash in octal. */
function unescapeMount(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function namespacesOfProcesses(): string[] {
  return (listDirectory("/proc") ?? [])
    .filter(({ name }) => /^[0-9]+$/.test(name))
    .map(({ name }) => `/proc/${name}/ns/net`);
}
