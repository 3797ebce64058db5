import { Failure } from "../error.ts";
import { isYes } from "../text.ts";
import { isCommand } from "./gate.ts";
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

/**
 * Reads the environment. An empty variable is a missing one; a variable that the command does not require is not
 * validated, because runtimes export all of them. Throws an `environment` Failure (code 4): the first wrong value,
 * else all missing names. A command that does not exist requires nothing and is passed on for `run.ts` to refuse.
 */
export function readEnvironment(variables: Variables): Environment {
  const environment: Environment = {
    command: variables.CNI_COMMAND ?? "",
    containerId: variables.CNI_CONTAINERID ?? "",
    netns: variables.CNI_NETNS ?? "",
    ifName: variables.CNI_IFNAME ?? "",
    args: variables.CNI_ARGS ?? "",
    path: variables.CNI_PATH ?? "",
    mayBeOwnNamespace: isYes(variables.CNI_NETNS_OVERRIDE),
  };
  const { command, containerId, netns, ifName, path } = environment;
  const isAddOrCheck = command === "ADD" || command === "CHECK";
  const missing: string[] = [];
  if (command === "") missing.push("CNI_COMMAND");
  if (isAddOrCheck || command === "DEL") {
    if (containerId === "") missing.push("CNI_CONTAINERID");
    else checkContainerId(containerId);
    if (netns === "" && isAddOrCheck) missing.push("CNI_NETNS");
    if (ifName === "") missing.push("CNI_IFNAME");
    else checkIfName(ifName);
    // A DEL follows each refused ADD and must succeed: it finds no such interface.
    if (isAddOrCheck) refuseKernelName(ifName);
  }
  // The spec demands CNI_PATH of GC alone; the reference demands it of all five, and runtimes rely on neither.
  if (path === "" && isCommand(command)) missing.push("CNI_PATH");
  if (missing.length > 0)
    throw new Failure("environment", `required env variables [${missing.join(",")}] missing`);
  return environment;
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
