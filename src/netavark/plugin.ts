import type { Undo } from "../ipvlan/undo.ts";
import { closeWorld } from "../ipvlan/world.ts";
import { text, validate } from "../schema.ts";
import { attach, detach } from "./attach.ts";
import { openContainer, openContainerIfAlive } from "./container.ts";
import { loading } from "./document.ts";
import { networkSchema, objectAt, perNetworkSchema } from "./input.ts";
import { planOf } from "./plan.ts";
import { removalOf } from "./removal.ts";
import { takeBack } from "./take-back.ts";

/** A plugin is told of one network, netavark of several. */
export function isForPlugin(input: Record<string, unknown>): boolean {
  return !("networks" in input);
}

/** `PLUGIN setup NETNS`: attaches the container and prints a status block. Leaves nothing behind when it throws. */
export async function setUpAsPlugin(
  netns: string,
  input: Record<string, unknown>,
  print: (text: string) => void,
): Promise<void> {
  const connection = loading("failed to load plugin input", () => ({
    netns,
    containerId: validate(text, input.container_id, "container_id"),
    network: validate(networkSchema, input.network, "network"),
    options: validate(perNetworkSchema, input.network_options, "network_options"),
  }));
  const plan = planOf(connection);
  const world = openContainer(netns);
  const undo: Undo = [];
  try {
    print(`${JSON.stringify(await attach(world, plan, undo))}\n`);
  } catch (thrown) {
    await takeBack(undo);
    throw thrown;
  } finally {
    closeWorld(world);
  }
}

/** `PLUGIN teardown NETNS`: removes what is there. */
export async function tearDownAsPlugin(netns: string, input: Record<string, unknown>): Promise<void> {
  const removal = loading("failed to load plugin input", () =>
    removalOf(
      netns,
      input.container_id,
      objectAt(input.network, "network"),
      objectAt(input.network_options, "network_options"),
    ),
  );
  const world = openContainerIfAlive(netns);
  try {
    await detach(world, removal);
  } finally {
    if (world !== undefined) closeWorld(world);
  }
}
