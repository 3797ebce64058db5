import { Failure } from "../error.ts";

/** What the runtime says through CNI_* variables (spec section 2, "Parameters"); "" for what it did not say. */
export interface Environment {
  command: string;
  containerId: string;
  netns: string;
  ifName: string;
  /** CNI_ARGS as given; only IPAM looks into it. */
  args: string;
  /** CNI_PATH: directories that hold plugins, joined by ":". */
  path: string;
  /** CNI_NETNS_OVERRIDE: the container's namespace may be the plugin's own. */
  mayBeOwnNamespace: boolean;
}

type Variables = Record<string, string | undefined>;

const EVERY = "ADD CHECK DEL GC STATUS VERSION";

/** In the order in which they are checked, and in which missing ones are listed. */
const RULES: [name: string, requiredFor: string, validate?: (value: string) => void][] = [
  ["CNI_COMMAND", EVERY],
  ["CNI_CONTAINERID", "ADD CHECK DEL", checkContainerId],
  ["CNI_NETNS", "ADD CHECK"],
  ["CNI_IFNAME", "ADD CHECK DEL", checkIfName],
  // The spec demands CNI_PATH of GC alone; the reference demands it of all five, and runtimes rely on neither.
  ["CNI_PATH", "ADD CHECK DEL GC STATUS"],
];

/**
 * Reads the environment. An empty variable is a missing one; a variable that the command does not require is not
 * validated, because runtimes export all of them. Throws an `environment` Failure (code 4): the first wrong value,
 * else all missing names. A command that does not exist requires nothing and is passed on for `run.ts` to refuse.
 */
export function readEnvironment(variables: Variables): Environment {
  const command = variables.CNI_COMMAND ?? "";
  const missing: string[] = [];
  for (const [name, requiredFor, validate] of RULES) {
    if (name !== "CNI_COMMAND" && !requiredFor.split(" ").includes(command)) continue;
    const value = variables[name];
    if (!value) missing.push(name);
    else validate?.(value);
  }
  if (missing.length > 0)
    throw new Failure("environment", `required env variables [${missing.join(",")}] missing`);
  return {
    command,
    containerId: variables.CNI_CONTAINERID ?? "",
    netns: variables.CNI_NETNS ?? "",
    ifName: variables.CNI_IFNAME ?? "",
    args: variables.CNI_ARGS ?? "",
    path: variables.CNI_PATH ?? "",
    mayBeOwnNamespace: /^(1|true)$/i.test(variables.CNI_NETNS_OVERRIDE ?? ""),
  };
}

/** True for a container id or network name: they become file names in IPAM plugins. `$` without `m` is the end of text. */
export function isIdentifier(text: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(text);
}

function checkContainerId(id: string): void {
  if (!isIdentifier(id))
    throw new Failure("environment", "invalid characters in containerID", { details: id });
}

/** Unicode's White_Space (which JavaScript's \s is not quite), "/" and ":". */
const FORBIDDEN = /[/:\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

/**
 * Throws an `environment` Failure unless `name` can be an interface's name (spec section 2: CNI_IFNAME).
 * "%" is legal in the spec, but the kernel takes it for a pattern and would choose another name.
 */
export function checkIfName(name: string): void {
  const refuse = (message: string, details?: string) => {
    throw new Failure("environment", message, { details });
  };
  if (name === "") refuse("interface name is empty");
  if (Buffer.byteLength(name) > 15)
    refuse("interface name is too long", "interface name should be less than 16 characters");
  if (name === "." || name === "..") refuse("interface name is . or ..");
  if (FORBIDDEN.test(name)) refuse("interface name contains / or : or whitespace characters");
  if (name.includes("%"))
    refuse(
      "interface name contains %",
      `CNI_IFNAME is ${JSON.stringify(name)}; the kernel would replace the % with a number`,
    );
}
