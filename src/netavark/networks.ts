import { Failure, type FailureKind } from "../error.ts";
import type { Undo } from "../ipvlan/undo.ts";
import { closeWorld, type World } from "../ipvlan/world.ts";
import { KernelError } from "../linux/errno.ts";
import { text, validate } from "../schema.ts";
import { attach, detach, type StatusBlock } from "./attach.ts";
import { openContainer, openContainerIfAlive } from "./container.ts";
import { loading } from "./document.ts";
import { errorText } from "./error.ts";
import { findPlugin, type Plugin, readStatusBlock, runPlugin } from "./external.ts";
import { networkSchema, objectAt, perNetworkSchema } from "./input.ts";
import { planOf } from "./plan.ts";
import { removalOf } from "./removal.ts";
import { takeBack } from "./take-back.ts";

type Fields = Record<string, unknown>;

/** One network of the container: what netavark was told of both, not looked into. */
interface Entry {
  name: string;
  /** Of the container on the network. */
  options: Fields;
  network: Fields;
}

/**
 * `netavark setup NETNS`: attaches the container to each network in order, and prints a status block for each. Leaves
 * nothing behind when it throws.
 */
export async function setUpNetworks(
  netns: string,
  pluginDirectories: string[],
  read: () => Fields,
  print: (text: string) => void,
): Promise<void> {
  const world = openContainer(netns);
  const undo: Undo = [];
  try {
    const input = read();
    // All of them are checked before anything is done for the first.
    const setups = entriesOf(input).map((entry) => setupOf(entry, input, netns, pluginDirectories));
    // Without a prototype, for a network called __proto__ is one like any other.
    const blocks: Record<string, StatusBlock> = Object.create(null);
    for (const { name, run } of setups) blocks[name] = await run(world, undo);
    print(`${JSON.stringify(blocks)}\n`);
  } catch (thrown) {
    await takeBack(undo);
    throw thrown;
  } finally {
    closeWorld(world);
  }
}

/** `netavark teardown NETNS`: detaches the container from every network, also when one of them fails. */
export async function tearDownNetworks(
  netns: string,
  pluginDirectories: string[],
  input: Fields,
): Promise<void> {
  const failures: unknown[] = [];
  const attempt = async <T>(work: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (thrown) {
      failures.push(thrown);
      return undefined;
    }
  };
  const world = await attempt(() => openContainerIfAlive(netns));
  try {
    for (const { name, options } of listed(input.networks)) {
      await attempt(() => {
        const entry = { name, options, network: infoOf(name, input) };
        return tearDown(entry, input, netns, world, pluginDirectories);
      });
    }
  } finally {
    if (world !== undefined) closeWorld(world);
  }
  if (failures.length > 1) {
    const lines = failures.map((failure) => `\n\t- ${errorText(failure)}`);
    throw new Failure(kindOf(failures), `netavark encountered multiple errors:${lines.join("")}`);
  }
  if (failures.length === 1) throw failures[0];
}

/** The first failure's kind; a mistake of ours among them is not hidden behind it. */
function kindOf(failures: unknown[]): FailureKind {
  const strange = failures.some((failure) => !(failure instanceof Failure || failure instanceof KernelError));
  const first = failures.find((failure) => failure instanceof Failure);
  return strange ? "internal" : (first?.kind ?? "interface");
}

interface Setup {
  name: string;
  run(world: World, undo: Undo): StatusBlock | Promise<StatusBlock>;
}

function setupOf(entry: Entry, input: Fields, netns: string, pluginDirectories: string[]): Setup {
  const { name } = entry;
  const plugin = pluginFor(entry, pluginDirectories);
  if (plugin === undefined) {
    const plan = planOf(connectionOf(entry, input, netns));
    return { name, run: (world, undo) => attach(world, plan, undo) };
  }
  const message = pluginMessage(entry, input);
  const run = (_world: World, undo: Undo): StatusBlock => {
    const block = readStatusBlock(plugin, runPlugin(plugin, ["setup", netns], message));
    undo.push(() => void runPlugin(plugin, ["teardown", netns], message));
    return block;
  };
  return { name, run };
}

function tearDown(
  entry: Entry,
  input: Fields,
  netns: string,
  world: World | undefined,
  pluginDirectories: string[],
): void | Promise<void> {
  const plugin = pluginFor(entry, pluginDirectories);
  if (plugin === undefined)
    return detach(world, removalOf(netns, input.container_id, entry.network, entry.options));
  runPlugin(plugin, ["teardown", netns], pluginMessage(entry, input));
}

/** Drivers of netavark itself, which no plugin can replace. */
const OTHER_BUILT_IN = ["bridge", "macvlan"];

/** The plugin that serves the network; undefined for an ipvlan network, which is served here. */
function pluginFor({ name, network }: Entry, directories: string[]): Plugin | undefined {
  const driver = validate(text, network.driver, `network_info.${name}.driver`);
  if (driver === "ipvlan") return undefined;
  if (OTHER_BUILT_IN.includes(driver)) {
    throw new Failure("unsupported", `network ${name} has the driver ${driver}, which is not served here`, {
      remedy: "this program stands in for netavark with ipvlan networks only: configure netavark itself",
    });
  }
  const plugin = findPlugin(driver, directories);
  if (plugin === undefined) throw new Failure("unsupported", `unknown network driver "${driver}"`);
  return plugin;
}

function connectionOf({ name, network, options }: Entry, input: Fields, netns: string) {
  return loading("failed to load network options", () => ({
    netns,
    containerId: validate(text, input.container_id, "container_id"),
    network: validate(networkSchema, network, `network_info.${name}`),
    options: validate(perNetworkSchema, options, `networks.${name}`),
  }));
}

/** What a plugin gets on its standard input. */
function pluginMessage({ network, options }: Entry, input: Fields): object {
  const { container_id, container_name, port_mappings } = input;
  const { name: _, ...network_options } = options;
  return { container_id, container_name, port_mappings: port_mappings ?? null, network, network_options };
}

function entriesOf(input: Fields): Entry[] {
  return listed(input.networks).map(({ name, options }) => ({
    name,
    options,
    network: infoOf(name, input),
  }));
}

/** The container's networks: by name from Podman up to 5, in order from Podman 6. */
function listed(networks: unknown): { name: string; options: Fields }[] {
  return loading("failed to load network options", () => {
    if (!Array.isArray(networks)) {
      const byName = Object.entries(objectAt(networks, "networks"));
      return byName.map(([name, options]) => ({ name, options: objectAt(options, `networks.${name}`) }));
    }
    return networks.map((entry, index) => {
      const options = objectAt(entry, `networks[${index}]`);
      return { name: validate(text, options.name, `networks[${index}].name`), options };
    });
  });
}

function infoOf(name: string, input: Fields): Fields {
  const infos = loading("failed to load network options", () => objectAt(input.network_info, "network_info"));
  if (!Object.hasOwn(infos, name)) throw new Failure("config", `network info for network ${name} not found`);
  return objectAt(infos[name], `network_info.${name}`);
}
