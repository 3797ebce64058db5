import { Failure } from "../error.ts";
import * as codec from "../linux/codec.ts";
import { EOPNOTSUPP, EPERM, KernelError } from "../linux/errno.ts";
import { closeNamespace, openOwnNamespace } from "../linux/netns.ts";
import type { Link } from "../linux/rtnetlink.ts";
import { closeSocket, exchange, openSocket, type Socket } from "../linux/socket.ts";
import type { Call } from "./call.ts";
import { MODES } from "./link.ts";
import { checkMtu, findMaster } from "./master.ts";
import { occupantOf, occupiedFailure } from "./occupant.ts";
import { portConflict, portName } from "./port.ts";
import { driverFailure } from "./refusal.ts";
import { findVlan } from "./vlan.ts";

/**
 * STATUS: the driver is there, the master is there and can carry ipvlan links, the IPAM is ready.
 * Throws a Failure of kind `unavailable` (code 50) otherwise.
 */
export async function status(call: Call): Promise<void> {
  const socket = openSocket();
  try {
    probeDriver(socket, call);
    // A master inside containers can only be judged when there is one.
    if (!call.endpoint.linkInContainer) probeMaster(socket, call);
  } finally {
    closeSocket(socket);
  }
  await call.ipam?.status();
}

/**
 * A link without a master can never be made: a kernel with the driver answers ENODEV, one without it EOPNOTSUPP.
 * Asking also loads the module, as an ADD would.
 */
function probeDriver(socket: Socket, call: Call): void {
  const { mode } = call.endpoint;
  const [answer] = exchange(socket, () =>
    codec.requestLinkAdd({ kind: "ipvlan", name: "ivlprobe", masterIndex: 0, mode: MODES[mode], flags: 0 }),
  );
  const cause = new KernelError("RTM_NEWLINK", "ipvlan", answer?.errno ?? 0, answer?.message);
  if (answer?.errno === EOPNOTSUPP) throw driverFailure(cause, mode);
  if (answer?.errno === EPERM) {
    throw new Failure("unavailable", "the plugin lacks CAP_NET_ADMIN", {
      cause,
      remedy: "run the runtime as root",
    });
  }
}

function probeMaster(socket: Socket, call: Call): void {
  try {
    const master = findMaster(socket, call.endpoint);
    checkMtu(master, call.endpoint.mtu);
    const occupant = occupantOf(socket, master);
    if (occupant !== undefined) throw occupiedFailure(master, occupant);
    const { vlan } = call.endpoint.options ?? {};
    const carrier = vlan === undefined ? master : findVlan(socket, master.index, vlan);
    // A VLAN that is yet to be made carries nobody.
    if (carrier !== undefined) probePort(call, carrier);
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    throw new Failure("unavailable", thrown.message, {
      details: thrown.details,
      remedy: thrown.remedy,
      cause: thrown.cause,
    });
  }
}

function probePort(call: Call, master: Link): void {
  if (call.endpoint.options?.allowPortChange) return;
  const home = openOwnNamespace();
  try {
    const conflict = portConflict(home, portName(home, master), call.endpoint, master);
    if (conflict !== undefined) throw conflict;
  } finally {
    closeNamespace(home);
  }
}
