import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { Failure } from "../error.ts";
import { type ByHand, forgetResult, keepResult, keptResult } from "./attachment.ts";
import { addChain, checkChain, delChain } from "./chain.ts";
import type { CommandInput } from "./command.ts";
import { nearest } from "./nearest.ts";
import { configurationDirectory, findNetwork, networkFiles } from "./networks.ts";

/** `ipvlan add NETWORK NAMESPACE` */
export function add(input: CommandInput): number {
  const attachment = attachmentOf(input);
  const result = addChain(attachment);
  keepResult(attachment, result);
  console.log(JSON.stringify(result, null, 4));
  return 0;
}

/** `ipvlan check NETWORK NAMESPACE` */
export function check(input: CommandInput): number {
  const attachment = attachmentOf(input);
  const result = keptResult(attachment);
  if (result === undefined)
    throw new Failure("check", `nothing is known of an ADD to ${attachment.network.name} by hand`, {
      details: `container ${attachment.containerId}, interface ${attachment.ifName}`,
      remedy: "say the same namespace and interface as with `ipvlan add`",
    });
  if (attachment.network.disableCheck) {
    console.error(`ipvlan check: ${attachment.network.path} has disableCheck: there is nothing to do`);
    return 0;
  }
  checkChain(attachment, result);
  return 0;
}

/** `ipvlan del NETWORK NAMESPACE` */
export function del(input: CommandInput): number {
  const attachment = attachmentOf(input);
  delChain(attachment, keptResult(attachment));
  forgetResult(attachment);
  return 0;
}

function attachmentOf({ operands, text }: CommandInput): ByHand {
  const [name = "", namespace = ""] = operands;
  const netns = resolve(namespace);
  return {
    network: networkNamed(name),
    netns,
    containerId: text("container") ?? madeUpId(netns),
    ifName: text("interface") ?? (process.env.CNI_IFNAME || "eth0"),
  };
}

function networkNamed(name: string) {
  const directory = configurationDirectory();
  const network = findNetwork(name, directory);
  if (network !== undefined) return network;
  const names = networkFiles(directory).map((file) => file.name);
  const guess = nearest(name, names);
  throw new Failure("config", `there is no network "${name}" in ${directory}`, {
    details: names.length === 0 ? "it holds no configuration" : `it has ${names.join(", ")}`,
    remedy: guess === undefined ? "NETCONFPATH names another directory" : `did you mean "${guess}"?`,
  });
}

/** As cnitool does, so that one of the two can remove what the other has made. */
function madeUpId(netns: string): string {
  return `cnitool-${createHash("sha512").update(netns).digest("hex").slice(0, 20)}`;
}
