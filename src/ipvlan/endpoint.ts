import { debug } from "../debug.ts";
import { Failure } from "../error.ts";
import type { Attachment } from "../ipam/ipam.ts";
import { indexByName, type Link } from "../linux/rtnetlink.ts";
import { namespaceMark } from "../linux/socket.ts";
import { mark } from "../profile.ts";
import type { Call, EndpointConfig } from "./call.ts";
import { collect, forget } from "./del.ts";
import { createLink, interfaceExists, type NewLink } from "./link.ts";
import { checkMtu, findMaster } from "./master.ts";
import { guardPort, portName } from "./port.ts";
import {
  dropEmptyRecord,
  dropEmptyRecords,
  type EndpointRecord,
  lockRecord,
  type RecordIdentity,
  readRecord,
  temporaryName,
  writeRecord,
} from "./record.ts";
import type { Undo } from "./undo.ts";
import type { World } from "./world.ts";

/** Whose endpoint it is, and what it shall be. */
export interface EndpointOrder {
  network: string;
  attachment: Attachment;
  endpoint: EndpointConfig;
  hostIpam?: Call["hostIpam"];
}

/**
 * Creates the endpoint's link in the container, down and without addresses, with its record. Throws a Failure; what was
 * done until then, and after it, `undo` can take back.
 */
export function createEndpoint(world: World, order: EndpointOrder, undo: Undo): NewLink | Promise<NewLink> {
  const { attachment } = order;
  const identity = identityOf(order);
  // Without the lock the file may be another ADD's that has just begun.
  let locked = false;
  undo.push(() => (locked ? dropEmptyRecord(identity) : dropEmptyRecords()));
  world.locks.push(lockRecord(identity));
  locked = true;
  if (indexByName(world.inside, attachment.ifName) !== undefined) throw interfaceExists(attachment.ifName);
  const remains = readRecord(identity);
  return remains === undefined ? create(world, order, undo) : createAnew(remains, world, order, undo);
}

/** What an ADD or DEL that was interrupted left of this very attachment would be forgotten with the old record. */
async function createAnew(
  remains: EndpointRecord,
  world: World,
  order: EndpointOrder,
  undo: Undo,
): Promise<NewLink> {
  await collect(remains, order.hostIpam);
  return create(world, order, undo);
}

function create(world: World, order: EndpointOrder, undo: Undo): NewLink {
  const { endpoint } = order;
  const master = findMaster(endpoint.linkInContainer ? world.inside : world.host, endpoint);
  debug?.step("master is chosen", { master, asked: endpoint.master ?? "the default route's" });
  if (PROFILE) mark("master is found");
  const { vlan } = endpoint.options ?? {};
  if (vlan !== undefined && endpoint.linkInContainer) {
    throw new Failure("config", `vlan ${vlan} needs a master on the host, but linkInContainer is true`, {
      remedy: "leave one of the two out",
    });
  }
  return vlan === undefined
    ? createOn(world, order, master, undo)
    : createOnVlan(world, order, master, vlan, undo);
}

/** The same on a VLAN of the master, which stays locked meanwhile: a DEL that empties it must not take it away. */
function createOnVlan(world: World, order: EndpointOrder, base: Link, id: number, undo: Undo): NewLink {
  const { holdVlan, vlanName } = require("./vlan.ts") as typeof import("./vlan.ts");
  const vlan = vlanName(portName(world.home, base), id);
  writeRecord(recordOf(world, order, base, "", vlan));
  undo.push(() => forget(identityOf(order), order.hostIpam));
  const held = holdVlan(world.host, base, vlan, id);
  try {
    return createOn(world, order, held.link, undo, vlan);
  } finally {
    held.release();
  }
}

function createOn(world: World, order: EndpointOrder, master: Link, undo: Undo, vlan?: string): NewLink {
  const { network, attachment, endpoint } = order;
  checkMtu(master, endpoint.mtu);
  const port = portName(endpoint.linkInContainer ? world.container : world.home, master);
  const record = recordOf(world, order, master, port, vlan);
  undo.push(() => forget(record, order.hostIpam));
  writeRecord(record);
  if (PROFILE) mark("record is written");

  const temporary = () => temporaryName(network, attachment);
  return guardPort(world.home, port, endpoint, master, record, () => {
    const link = createLink(world, endpoint, master, attachment.ifName, temporary, undo);
    if (PROFILE) mark("link is created");
    return link;
  });
}

function identityOf({ network, attachment }: EndpointOrder): RecordIdentity {
  return { network, containerId: attachment.containerId, ifName: attachment.ifName };
}

function recordOf(
  world: World,
  order: EndpointOrder,
  master: Link,
  port: string,
  vlan?: string,
): EndpointRecord {
  const { network, attachment, endpoint } = order;
  const record: EndpointRecord = {
    network,
    containerId: attachment.containerId,
    ifName: attachment.ifName,
    netns: attachment.netns,
    namespace: namespaceMark(world.container, world.inside),
    master: master.name,
    port,
    mode: endpoint.mode,
    flag: endpoint.flag,
  };
  if (vlan !== undefined) record.vlan = vlan;
  return record;
}
