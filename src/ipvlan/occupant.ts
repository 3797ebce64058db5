import { Failure } from "../error.ts";
import { type Link, linkByIndex, links } from "../linux/rtnetlink.ts";
import type { Socket } from "../linux/socket.ts";

/** Kinds of controller that take every packet of their ports; a VRF, say, does not. */
const EXCLUSIVE_CONTROLLERS = ["bridge", "bond", "team", "openvswitch"];

/**
 * Who else takes the master's packets, as far as can be seen from its namespace: "it is a port of the bridge "br0"";
 * undefined when nobody is seen (a macvlan link on it may live in another namespace). `all` are the namespace's links, where the
 * caller has them.
 */
export function occupantOf(socket: Socket, master: Link, all?: Link[]): string | undefined {
  const controller = master.master === undefined ? undefined : linkByIndex(socket, master.master);
  if (controller?.kind !== undefined && EXCLUSIVE_CONTROLLERS.includes(controller.kind)) {
    return `it is a port of the ${controller.kind} "${controller.name}"`;
  }
  const macvlan = (all ?? links(socket, "macvlan")).find(
    (link) => link.kind === "macvlan" && link.linkIndex === master.index,
  );
  return macvlan === undefined ? undefined : `it carries the macvlan link "${macvlan.name}"`;
}

/** The refusal for a master that somebody else occupies. */
export function occupiedFailure(master: Link, occupant: string | undefined, cause?: unknown): Failure {
  const who = occupant ?? "it carries a macvlan link of another namespace, or is a port of a bridge or bond";
  return new Failure("master", `master "${master.name}" cannot carry ipvlan links: ${who}`, {
    cause,
    remedy: "use another master, or remove what occupies this one",
  });
}
