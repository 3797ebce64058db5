import type { Attachment } from "../ipam/ipam.ts";
import { type Link, linkByName, linkDelete } from "../linux/rtnetlink.ts";
import { namespaceMark } from "../linux/socket.ts";
import { mark } from "../profile.ts";
import type { EndpointConfig } from "./call.ts";
import { createLink, interfaceExists } from "./link.ts";
import { checkMtu, findMaster } from "./master.ts";
import { guardPort, leavePort, portName } from "./port.ts";
import { removeRecord, temporaryName, writeRecord } from "./record.ts";
import type { Undo } from "./undo.ts";
import type { World } from "./world.ts";

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
  checkMtu(master, endpoint.mtu);
  if (PROFILE) mark("master is found");

  const port = portName(endpoint.linkInContainer ? world.container : world.home, master);
  const namespace = namespaceMark(world.container, world.inside);
  const witness = { netns: attachment.netns, namespace, ifName: attachment.ifName };
  const identity = { network, containerId: attachment.containerId, ifName: attachment.ifName };
  undo.push(() => removeRecord(identity));
  writeRecord({
    ...identity,
    netns: attachment.netns,
    namespace,
    master: master.name,
    port,
    mode: endpoint.mode,
    flag: endpoint.flag,
  });
  if (PROFILE) mark("record is written");

  undo.push(() => leavePort({ ...witness, port }));
  const temporary = temporaryName(network, attachment);
  return guardPort(world.home, port, endpoint, master, witness, () => {
    const link = createLink(world, endpoint, master, attachment.ifName, temporary);
    if (PROFILE) mark("link is created");
    undo.push(() => linkDelete(world.inside, link.index));
    return link;
  });
}
