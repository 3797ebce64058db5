import { Failure } from "../error.ts";
import { isYes } from "../text.ts";
import { checkIfName, isIdentifier } from "./name.ts";

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

/** In the order in which they are checked, and in which missing ones are listed. */
const RULES: [name: string, requiredFor: string, validate?: (value: string, command: string) => void][] = [
  ["CNI_CONTAINERID", "ADD CHECK DEL", checkContainerId],
  ["CNI_NETNS", "ADD CHECK"],
  [
    "CNI_IFNAME",
    "ADD CHECK DEL",
    (name, command) => {
      checkIfName(name);
      // A DEL follows each refused ADD and must succeed: it finds no such interface.
      if (command !== "DEL") refuseKernelName(name);
    },
  ],
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
  const missing = command === "" ? ["CNI_COMMAND"] : [];
  for (const [name, requiredFor, validate] of RULES) {
    if (!requiredFor.split(" ").includes(command)) continue;
    const value = variables[name];
    if (!value) missing.push(name);
    else validate?.(value, command);
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
    mayBeOwnNamespace: isYes(variables.CNI_NETNS_OVERRIDE),
  };
}

function checkContainerId(id: string): void {
  if (!isIdentifier(id))
    throw new Failure("environment", "invalid characters in containerID", { details: id });
}

/** Legal in the spec, but the kernel takes "%" for a pattern, and "all" and "default" for its settings of every link. */
function refuseKernelName(name: string): void {
  if (name.includes("%"))
    throw new Failure("environment", "interface name contains %", {
      details: `CNI_IFNAME is ${JSON.stringify(name)}; the kernel would replace the % with a number`,
    });
  if (name === "all" || name === "default")
    throw new Failure("environment", `interface name is "${name}", which the kernel keeps for itself`);
}
