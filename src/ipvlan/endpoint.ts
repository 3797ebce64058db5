import { debug } from "../debug.ts";
import type { Attachment } from "../ipam/ipam.ts";
import { type Link, linkByName, linkDelete } from "../linux/rtnetlink.ts";
import { mark } from "../profile.ts";
import type { EndpointConfig } from "./call.ts";
import { createLink, interfaceExists } from "./link.ts";
import { checkMtu, findMaster } from "./master.ts";
import { removeRecord, temporaryName, writeRecord } from "./record.ts";
import type { Undo } from "./undo.ts";
import { namespaceMark, type World } from "./world.ts";

/** Whose endpoint it is, and what it shall be. */
export interface EndpointOrder {
  network: string;
  attachment: Attachment;
  endpoint: EndpointConfig;
}

/**
 * Creates the endpoint's link in the container, down and without addresses, with its record. Throws a Failure; what was
 * done until then, and after it, `undo` can take back.
 */
export function createEndpoint(
  world: World,
  { network, attachment, endpoint }: EndpointOrder,
  undo: Undo,
): Link {
  if (linkByName(world.inside, attachment.ifName) !== undefined) throw interfaceExists(attachment.ifName);
  const master = findMaster(endpoint.linkInContainer ? world.inside : world.host, endpoint);
  debug?.step("master is chosen", { master, asked: endpoint.master ?? "the default route's" });
  checkMtu(master, endpoint.mtu);
  if (PROFILE) mark("master is found");

  const identity = { network, containerId: attachment.containerId, ifName: attachment.ifName };
  undo.push(() => removeRecord(identity));
  writeRecord({
    ...identity,
    netns: attachment.netns,
    namespace: namespaceMark(world),
    master: master.name,
    mode: endpoint.mode,
    flag: endpoint.flag,
  });
  if (PROFILE) mark("record is written");

  const created = createLink(world, endpoint, master, attachment.ifName, temporaryName(network, attachment));
  if (PROFILE) mark("link is created");
  undo.push(() => linkDelete(world.inside, created.index));
  return created;
}
