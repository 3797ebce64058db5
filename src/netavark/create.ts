import * as v from "valibot";
import { Failure } from "../error.ts";
import { validate } from "../schema.ts";
import { complete } from "./complete.ts";
import { loading } from "./document.ts";
import { findPlugin, type Plugin, runPlugin } from "./external.ts";
import { type Network, networkSchema, objectAt } from "./input.ts";
import { checkParent } from "./parent.ts";
import { checkInterfaceName, NAME } from "./rules.ts";

type Fields = Record<string, unknown>;

const WRONG_INPUT = "failed to load network create: IO error";

/** A plugin is given the network itself, netavark a request with the network in it. */
export function isForPlugin(input: Fields): boolean {
  return !("network" in input);
}

/** `PLUGIN create`: checks and completes the network, and returns it as JSON. */
export function createAsPlugin(input: Fields): string {
  return finish(input, readNetwork(input));
}

/**
 * `netavark create`: as `createAsPlugin`, after the checks that Podman makes for plugins itself. A network of another
 * driver is its plugin's to complete.
 */
export function createNetwork(input: Fields, pluginDirectories: string[]): string {
  const written = loading(WRONG_INPUT, () => objectAt(input.network, "network"));
  const network = readNetwork(written);
  checkIdentity(network, usedNames(input));
  if (network.driver === "ipvlan") return tersely(() => finish(written, network));
  const plugin = findPlugin(network.driver, pluginDirectories);
  if (plugin !== undefined && !BUILT_IN.includes(network.driver))
    return createByPlugin(plugin, written, network);
  throw new Failure("unsupported", `network driver "${network.driver}" is not served here`, {
    remedy: "this program stands in for netavark with ipvlan networks only: configure netavark itself",
  });
}

const BUILT_IN = ["bridge", "macvlan", "ipvlan"];

function readNetwork(written: Fields): Network {
  return loading(WRONG_INPUT, () => validate(networkSchema, written, "network"));
}

function usedNames(input: Fields): Fields {
  const used = input.used === undefined ? {} : objectAt(input.used, "used");
  return objectAt(used.names ?? {}, "used.names");
}

function checkIdentity({ name, id, network_interface }: Network, used: Fields): void {
  if (name === "") throw new Failure("config", "Network name must be supplied");
  if (!NAME.test(name)) {
    throw new Failure(
      "config",
      `Invalid characters in network name "${name}": must match [a-zA-Z0-9][a-zA-Z0-9_.-]*`,
    );
  }
  if (Object.hasOwn(used, name)) throw new Failure("config", `network already exists ${name}`);
  if (id === "") throw new Failure("config", "Network id must be supplied");
  if (!/^[0-9a-fA-F]{64}$/.test(id))
    throw new Failure("config", `Network id must be a hexadecimal string "${id}"`);
  if (network_interface) checkInterfaceName(network_interface);
}

/** netavark's callers compare whole sentences, so nothing is added to its own. */
function tersely<T>(work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    throw thrown instanceof Failure ? new Failure(thrown.kind, thrown.message) : thrown;
  }
}

function finish(written: Fields, network: Network): string {
  const finished = complete(written, network);
  checkParent(finished);
  return `${JSON.stringify(finished.document)}\n`;
}

const identity = v.object({ name: v.string(), id: v.string(), driver: v.string() });

function createByPlugin(plugin: Plugin, written: Fields, network: Network): string {
  const answer = runPlugin(plugin, ["create"], written);
  const read = v.safeParse(identity, answer);
  for (const [key, called] of [
    ["name", "name"],
    ["id", "ID"],
    ["driver", "driver"],
  ] as const) {
    if (!read.success || read.output[key] !== network[key])
      throw new Failure("unavailable", `${plugin.name} plugin invalid result: changed network ${called}`);
  }
  return `${JSON.stringify(answer)}\n`;
}
