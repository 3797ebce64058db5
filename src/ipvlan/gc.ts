import { joinFailures } from "../error.ts";
import { HOST_CONTAINER_ID, type ValidAttachment } from "../ipam/ipam.ts";
import type { Call } from "./call.ts";
import { attempt, forget, openRecordedWorld, removeLink } from "./del.ts";
import { type EndpointRecord, recordsOf, temporaryName } from "./record.ts";
import { closeWorld } from "./world.ts";

/**
 * GC: removes the endpoints that interrupted ADDs and DELs left, and lets the IPAM free what no valid attachment holds.
 * A runtime that does not say what is valid gets nothing removed. Throws what failed, after everything was tried.
 */
export async function gc(call: Call): Promise<void> {
  const failures: unknown[] = [];
  const valid = call.validAttachments;
  if (valid !== undefined) {
    for (const record of recordsOf(call.network)) {
      const inUse = valid.some(
        (attachment) => attachment.containerId === record.containerId && attachment.ifName === record.ifName,
      );
      if (!inUse) await attempt(failures, () => collect(record, call));
    }
  }
  await attempt(failures, () => call.ipam?.gc(hostAttachments(call.network)));
  if (failures.length > 0) throw joinFailures(failures);
}

/** What the IPAM must keep besides: the runtime knows nothing of the host's own endpoints. */
function hostAttachments(network: string): ValidAttachment[] {
  const names = recordsOf(network).flatMap(({ host }) => (host === undefined ? [] : [host.name]));
  return [...new Set(names)].map((ifName) => ({ containerId: HOST_CONTAINER_ID, ifName }));
}

async function collect(record: EndpointRecord, { network, hostIpam }: Call): Promise<void> {
  const world = openRecordedWorld(record);
  if (world !== undefined) {
    try {
      removeLink(world, record.ifName);
      removeLink(world, temporaryName(network, record));
    } finally {
      closeWorld(world);
    }
  }
  await forget(record, hostIpam);
}
