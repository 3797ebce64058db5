import { ARPHRD_ETHER, IFF_LOOPBACK, IFF_UP } from "../../wasm/uapi.ts";
import { Failure } from "../error.ts";
import { defaultRouteLink, type Link, linkByIndex, linkByName } from "../linux/rtnetlink.ts";
import type { Socket } from "../linux/socket.ts";
import type { EndpointConfig } from "./call.ts";

/** The least an IPv4 link must carry (RFC 791), and the driver's own lower bound. */
const MTU_MIN = 68;

/**
 * Finds the master an endpoint is to be made on. Throws a Failure of kind `master` when it is absent, or of a sort that
 * can carry no ipvlan link.
 */
export function findMaster(socket: Socket, endpoint: EndpointConfig): Link {
  const selectors = endpoint.options?.masters;
  if (selectors !== undefined) {
    const { selectMaster } = require("./master-selection.ts") as typeof import("./master-selection.ts");
    return selectMaster(socket, selectors);
  }
  const master = lookUp(socket, endpoint);
  const unfit = unfitness(master);
  if (unfit !== undefined) throw unfit;
  if ((master.flags & IFF_UP) === 0 && !endpoint.options?.allowMasterDown) throw downFailure(master);
  return master;
}

/** Why a link can never carry an ipvlan link; undefined when it can. */
export function unfitness(master: Link): Failure | undefined {
  if ((master.flags & IFF_LOOPBACK) !== 0) {
    return new Failure(
      "master",
      `master "${master.name}" is the loopback interface, which can carry no ipvlan link`,
      {
        remedy: "choose an Ethernet interface as master",
      },
    );
  }
  if (master.ifType !== ARPHRD_ETHER) {
    return new Failure(
      "master",
      `master "${master.name}" is not an Ethernet interface (type ${master.ifType})`,
      {
        remedy: "choose an Ethernet interface as master",
      },
    );
  }
  return undefined;
}

function downFailure(master: Link): Failure {
  return new Failure("master", `master "${master.name}" is down`, {
    remedy: `bring it up (ip link set ${master.name} up), or set "allowMasterDown": true if that comes later`,
  });
}

function lookUp(socket: Socket, endpoint: EndpointConfig): Link {
  const where = endpoint.linkInContainer ? "the container's namespace" : "the host's namespace";
  if (endpoint.master !== undefined) {
    const link = linkByName(socket, endpoint.master);
    if (link !== undefined) return link;
    throw new Failure("master", `master "${endpoint.master}" not found in ${where}`, {
      remedy: "choose an interface that exists there (see: ip link)",
    });
  }
  const index = defaultRouteLink(socket);
  const link = index === undefined ? undefined : linkByIndex(socket, index);
  if (link !== undefined) return link;
  throw new Failure("master", `no master is set and ${where} has no default route to take it from`, {
    remedy: "set one, or give that namespace a default route",
  });
}

/** Throws a Failure of kind `config` unless the master can carry packets of that many bytes. */
export function checkMtu(master: Link, mtu: number | undefined): void {
  if (mtu === undefined || (mtu >= MTU_MIN && mtu <= master.mtu)) return;
  throw new Failure(
    "config",
    `mtu ${mtu} is outside ${MTU_MIN} to ${master.mtu}, the MTU of master "${master.name}"`,
    {
      remedy: "lower it, leave it out to take the master's, or raise the MTU of the master",
    },
  );
}
