import {
  IPVLAN_F_PRIVATE,
  IPVLAN_F_VEPA,
  IPVLAN_MODE_L2,
  IPVLAN_MODE_L3,
  IPVLAN_MODE_L3S,
  MACVLAN_MODE_BRIDGE,
} from "../../wasm/uapi.ts";
import { debug } from "../debug.ts";
import { Failure } from "../error.ts";
import * as codec from "../linux/codec.ts";
import { EEXIST, KernelError } from "../linux/errno.ts";
import { expect, indexByName, type Link, linkByName, linkDelete } from "../linux/rtnetlink.ts";
import { exchange } from "../linux/socket.ts";
import type { EndpointConfig, Flag, Mode } from "./call.ts";
import type { Undo } from "./undo.ts";
import type { World } from "./world.ts";

export const MODES: Record<Mode, number> =
  LINK_KIND === "ipvlan"
    ? { l2: IPVLAN_MODE_L2, l3: IPVLAN_MODE_L3, l3s: IPVLAN_MODE_L3S }
    : { l2: MACVLAN_MODE_BRIDGE, l3: MACVLAN_MODE_BRIDGE, l3s: MACVLAN_MODE_BRIDGE };
export const FLAGS: Record<Flag, number> =
  LINK_KIND === "ipvlan"
    ? { bridge: 0, private: IPVLAN_F_PRIVATE, vepa: IPVLAN_F_VEPA }
    : { bridge: 0, private: 0, vepa: 0 };

/** A link that was made a moment ago: what is known of it without asking the kernel for more than its index. */
export type NewLink = Pick<Link, "index" | "name" | "mtu" | "mac" | "linkIndex">;

/** The part of a request for a link that says of what kind it is. */
export function kindOf({ mode, flag }: Pick<EndpointConfig, "mode" | "flag">) {
  return LINK_KIND === "ipvlan"
    ? { kind: LINK_KIND, mode: MODES[mode], flags: FLAGS[flag] }
    : { kind: LINK_KIND, mode: MODES[mode] };
}

/** The mode of an endpoint's link; undefined when the kernel does not say. */
export function modeOf(link: Link): number | undefined {
  return LINK_KIND === "ipvlan" ? link.ipvlanMode : link.macvlanMode;
}

/**
 * Creates the ipvlan link in the container, down and without addresses, and returns it.
 *
 * The final name is tried first. Kernels before 6.15 look for it in the *sender's* namespace and refuse when the host has
 * a link of that name; then the link is made under the name `temporary` gives and renamed. That name follows from the attachment, so
 * that DEL and GC recognise what a crash between the two steps leaves.
 *
 * Throws a Failure. What was done until then, and after it, `undo` can take back.
 */
export function createLink(
  world: World,
  endpoint: EndpointConfig,
  master: Link,
  ifName: string,
  temporary: () => string,
  undo: Undo,
): NewLink {
  if (requestLink(world, endpoint, master, ifName, undo))
    return created(world, endpoint, master, ifName, undo);
  const temporaryName = temporary();
  debug?.step("the name is taken in the host: made under another name first", { ifName, temporaryName });
  // What an interrupted ADD of this very attachment left may go.
  const stale = indexByName(world.inside, temporaryName);
  if (stale !== undefined) linkDelete(world.inside, stale);
  if (!requestLink(world, endpoint, master, temporaryName, undo)) throw interfaceExists(temporaryName);
  const link = created(world, endpoint, master, temporaryName, undo);
  const [answer] = exchange(world.inside, () => codec.requestLinkSet({ index: link.index, name: ifName }));
  if (answer?.errno === EEXIST) throw interfaceExists(ifName);
  expect(answer, "RTM_SETLINK", ifName);
  return { ...link, name: ifName };
}

function created(world: World, endpoint: EndpointConfig, master: Link, name: string, undo: Undo): NewLink {
  const index = indexByName(world.inside, name);
  if (index === undefined) throw vanished(name);
  // It may yet get another name.
  undo.push(() => linkDelete(world.inside, index));
  // The driver gives it its master's MAC address and MTU.
  return { index, name, mtu: endpoint.mtu ?? master.mtu, mac: master.mac, linkIndex: master.index };
}

/** Removes the link of that name if it is an ipvlan link; any other kind is not ours to touch. */
export function removeLink(world: World, name: string): void {
  const link = linkByName(world.inside, name);
  debug?.step("link to remove", { name, found: link?.kind ?? "none" });
  if (link?.kind === LINK_KIND) linkDelete(world.inside, link.index);
}

/** Asks for the link; false when the kernel says that the name is taken. */
function requestLink(
  world: World,
  endpoint: EndpointConfig,
  master: Link,
  name: string,
  undo: Undo,
): boolean {
  const socket = endpoint.linkInContainer ? world.inside : world.host;
  // Until there is an answer nobody knows whether there is a link; only a refusal says that there is none of ours.
  let mayExist = true;
  undo.push(() => {
    if (mayExist) removeLink(world, name);
  });
  const [answer] = exchange(socket, () =>
    codec.requestLinkAdd({
      ...kindOf(endpoint),
      name,
      masterIndex: master.index,
      netnsFd: endpoint.linkInContainer ? undefined : world.container.fd,
      mtu: endpoint.mtu,
      txQueueLen: endpoint.options?.txQueueLen,
    }),
  );
  if (answer === undefined || answer.errno === 0) return true;
  mayExist = false;
  if (answer.errno === EEXIST) return false;
  const cause = new KernelError("RTM_NEWLINK", name, answer.errno, answer.message);
  const { linkFailure } = require("./refusal.ts") as typeof import("./refusal.ts");
  throw linkFailure(cause, socket, endpoint, master);
}

/** The failure when a link that was made is no longer there. */
export function vanished(name: string): Failure {
  return new Failure("interface", `interface "${name}" vanished right after it was created`, {
    remedy: "look for another program that manages links in the container",
  });
}

/** The refusal when the container has an interface of that name. */
export function interfaceExists(ifName: string): Failure {
  return new Failure("interface", `the container already has an interface "${ifName}"`, {
    remedy: "remove it first, or choose another name",
  });
}
