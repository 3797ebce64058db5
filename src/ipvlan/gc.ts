import { joinFailures } from "../error.ts";
import type { Attachment } from "../ipam/ipam.ts";
import type { Call } from "./call.ts";
import { attempt, forget, openRecordedWorld, removeLink } from "./del.ts";
import { recordsOf, temporaryName } from "./record.ts";
import { closeWorld } from "./world.ts";

/**
 * GC: lets the IPAM free what no valid attachment holds, and removes the endpoints that interrupted ADDs and DELs left.
 * A runtime that does not say what is valid gets nothing removed. Throws what failed, after everything was tried.
 */
export async function gc(call: Call): Promise<void> {
  const failures: unknown[] = [];
  await attempt(failures, () => call.ipam?.gc());
  const valid = call.validAttachments;
  if (valid !== undefined) {
    for (const record of recordsOf(call.network)) {
      const inUse = valid.some(
        (attachment) => attachment.containerId === record.containerId && attachment.ifName === record.ifName,
      );
      if (!inUse) await attempt(failures, () => collect(record, call.network));
    }
  }
  if (failures.length > 0) throw joinFailures(failures);
}

function collect(attachment: Attachment, network: string): void {
  const identity = { network, ...attachment };
  const world = openRecordedWorld(identity);
  if (world !== undefined) {
    try {
      removeLink(world, attachment.ifName);
      removeLink(world, temporaryName(network, attachment));
    } finally {
      closeWorld(world);
    }
  }
  forget(identity);
}
