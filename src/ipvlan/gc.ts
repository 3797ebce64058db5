import { joinFailures } from "../error.ts";
import { HOST_CONTAINER_ID, type ValidAttachment } from "../ipam/ipam.ts";
import { runDirectory } from "../linux/run-directory.ts";
import type { Call } from "./call.ts";
import { attempt, collect } from "./del.ts";
import { sweepEmptyFiles } from "./lock.ts";
import { dropEmptyRecords, recordsOf } from "./record.ts";

/**
 * GC: lets the IPAM free what no valid attachment holds, and removes the endpoints that interrupted ADDs and DELs left.
 * A runtime that does not say what is valid gets nothing removed. Throws what failed, after everything was tried.
 */
export async function gc(call: Call): Promise<void> {
  const failures: unknown[] = [];
  // Before links go, as in DEL: a DHCP release is sent over them. A host's endpoint that goes gives its lease back itself.
  await attempt(failures, () => call.ipam?.gc(hostAttachments(call.network)));
  const valid = call.validAttachments;
  if (valid !== undefined) {
    for (const record of recordsOf(call.network)) {
      const inUse = valid.some(
        (attachment) => attachment.containerId === record.containerId && attachment.ifName === record.ifName,
      );
      if (!inUse) await attempt(failures, () => collect(record, call.hostIpam));
    }
    await attempt(failures, dropEmptyRecords);
  }
  await attempt(failures, sweep);
  if (failures.length > 0) throw joinFailures(failures);
}

/** Files that were locked but never written, because their writer was killed. */
function sweep(): void {
  for (const folder of ["ports", "vlans", "hosts"]) sweepEmptyFiles(`${runDirectory()}/${folder}`);
}

/** What the IPAM must keep besides: the runtime knows nothing of the host's own endpoints. */
function hostAttachments(network: string): ValidAttachment[] {
  const names = recordsOf(network).flatMap(({ host }) => (host === undefined ? [] : [host.name]));
  return [...new Set(names)].map((ifName) => ({ containerId: HOST_CONTAINER_ID, ifName }));
}
