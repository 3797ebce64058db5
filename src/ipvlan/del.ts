import { debug } from "../debug.ts";
import { joinFailures } from "../error.ts";
import { linkByName, linkDelete } from "../linux/rtnetlink.ts";
import type { Call } from "./call.ts";
import { readRecord, removeRecord, temporaryName } from "./record.ts";
import { closeWorld, namespaceMark, openWorldIfAlive, type World } from "./world.ts";

/**
 * DEL: gives the addresses back and removes the link. Every step is tried; absence is success.
 * Throws what could not be done, after everything else was; refuses the plugin's own namespace before anything.
 */
export async function del(call: Call): Promise<void> {
  const { attachment, ipam, network } = call;
  const world = findWorld(call);
  try {
    const failures: unknown[] = [];
    debug?.step("namespace to clean up", { found: world?.container.identity ?? "none" });
    // Before the link goes: a DHCP release is sent over it, and the removal below blocks for milliseconds.
    await attempt(failures, () => ipam?.del());
    if (world !== undefined) {
      await attempt(failures, () => removeLink(world, attachment.ifName));
      await attempt(failures, () => removeLink(world, temporaryName(network, attachment)));
    }
    await attempt(failures, () => removeRecord({ network, ...attachment }));
    if (failures.length > 0) throw joinFailures(failures);
  } finally {
    if (world !== undefined) closeWorld(world);
  }
}

/** Runs one step of cleaning up; its failure is kept for later. */
export async function attempt(failures: unknown[], step: () => void | Promise<void>): Promise<void> {
  try {
    await step();
  } catch (thrown) {
    failures.push(thrown);
  }
}

/** The container's namespace as the runtime names it or, when it does not, as ADD recorded it. */
function findWorld({ network, attachment, mayBeOwnNamespace }: Call): World | undefined {
  if (attachment.netns !== "") return openWorldIfAlive(attachment.netns, mayBeOwnNamespace);
  return openRecordedWorld({ network, ...attachment });
}

/** The namespace an attachment was recorded in, if its path still means the very same one. */
export function openRecordedWorld(identity: {
  network: string;
  containerId: string;
  ifName: string;
}): World | undefined {
  const record = readRecord(identity);
  if (record === undefined) return undefined;
  const world = openWorldIfAlive(record.netns, true);
  if (world === undefined || namespaceMark(world) === record.namespace) return world;
  closeWorld(world);
  return undefined;
}

/** Removes the link of that name if it is an ipvlan link; any other kind is not ours to touch. */
export function removeLink(world: World, name: string): void {
  const link = linkByName(world.inside, name);
  debug?.step("link to remove", { name, found: link?.kind ?? "none" });
  if (link?.kind === LINK_KIND) linkDelete(world.inside, link.index);
}
