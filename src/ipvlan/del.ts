import { debug } from "../debug.ts";
import { joinFailures } from "../error.ts";
import { namespaceMark } from "../linux/socket.ts";
import type { Call } from "./call.ts";
import { removeLink } from "./link.ts";
import { leavePort } from "./port.ts";
import { explained } from "./privilege.ts";
import {
  type EndpointRecord,
  type RecordIdentity,
  readRecord,
  removeRecord,
  temporaryName,
  writeRecord,
} from "./record.ts";
import { closeWorld, openWorldIfAlive, type World } from "./world.ts";

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
    const failuresBefore = failures.length;
    if (world !== undefined) {
      await attempt(failures, () => removeLink(world, attachment.ifName));
      await attempt(failures, () => removeLink(world, temporaryName(network, attachment)));
    }
    // The record of a link that could not be removed is what GC will find it by.
    if (failures.length === failuresBefore)
      await attempt(failures, () => forget({ network, ...attachment }, call.hostIpam));
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
    failures.push(explained(thrown));
  }
}

/**
 * Removes whatever an attachment, whose link has gone, was the last to need, and its record at the very end: a crash on the
 * way leaves what a further DEL or GC goes on from. Of several that go at once, the last one sees that it is.
 */
export async function forget(identity: RecordIdentity, hostIpam: Call["hostIpam"]): Promise<void> {
  const record = readRecord(identity);
  if (record !== undefined) {
    writeRecord({ ...record, gone: true });
    leavePort(record);
    if (record.host !== undefined) {
      const { leaveHost } = await import("./host-access.ts");
      await leaveHost(record, hostIpam?.(record.host.name));
    }
    if (record.vlan !== undefined) (await import("./vlan.ts")).leaveVlan(record.vlan);
  }
  removeRecord(identity);
}

/** Removes an endpoint that nobody uses any more, as far as its record leads to it. Throws what could not be removed. */
export async function collect(record: EndpointRecord, hostIpam: Call["hostIpam"]): Promise<void> {
  const world = openRecordedWorld(record);
  if (world !== undefined) {
    try {
      removeLink(world, record.ifName);
      removeLink(world, temporaryName(record.network, record));
    } finally {
      closeWorld(world);
    }
  }
  await forget(record, hostIpam);
}

/** The container's namespace as the runtime names it or, when it does not, as ADD recorded it. */
function findWorld({ network, attachment, mayBeOwnNamespace }: Call): World | undefined {
  if (attachment.netns !== "") return openWorldIfAlive(attachment.netns, mayBeOwnNamespace);
  return openRecordedWorld({ network, ...attachment });
}

/** The namespace an attachment was recorded in, if its path still means the very same one. */
export function openRecordedWorld(identity: RecordIdentity): World | undefined {
  const record = readRecord(identity);
  if (record === undefined) return undefined;
  const world = openWorldIfAlive(record.netns, true);
  if (world === undefined) return undefined;
  let isTheSame = false;
  try {
    isTheSame = namespaceMark(world.container, world.inside) === record.namespace;
    return isTheSame ? world : undefined;
  } finally {
    if (!isTheSame) closeWorld(world);
  }
}
