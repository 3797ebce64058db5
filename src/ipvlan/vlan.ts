import { Failure } from "../error.ts";
import * as codec from "../linux/codec.ts";
import { EEXIST, EOPNOTSUPP, KernelError } from "../linux/errno.ts";
import { listDirectory, overwriteText, removeFile, statusOf } from "../linux/file.ts";
import { findNamespace } from "../linux/namespaces.ts";
import { closeNamespace, openOwnNamespace } from "../linux/netns.ts";
import { addressesOf, expect, type Link, linkByName, linkDelete, links } from "../linux/rtnetlink.ts";
import { runDirectory } from "../linux/run-directory.ts";
import { exchange, type Socket, withSocket, withSocketIn } from "../linux/socket.ts";
import { lockRunFile, readRunFile } from "./lock.ts";
import { isPortIn } from "./port.ts";
import { someLive } from "./record.ts";

/*
 * A VLAN link that this plugin makes below its endpoints has a small file in the run directory, written before the link is,
 * so that a crash leaves no link without one. Whether the link is still needed the kernel is asked, not a counter. Who makes
 * or removes it, or puts an endpoint on it, holds the lock on that file.
 */

const IFNAME_MAX = 15;
const STATE_MAX_BYTES = 4096;
// linux/rtnetlink.h
const RT_SCOPE_LINK = 253;

/** A VLAN link that nobody removes until it is released. */
export interface HeldVlan {
  link: Link;
  release(): void;
}

/** What a VLAN is called in records and files: the port of the link below it, and its number. */
export function vlanName(port: string, id: number): string {
  return `${port}.${id}`;
}

/**
 * The VLAN link with number `id` on `base`: the one that is there, or a new one, up, named like "eth0.20".
 * Throws a Failure of kind `master` when it cannot be made, `busy` when others keep it locked; `leaveVlan` then undoes
 * what was done.
 */
export function holdVlan(socket: Socket, base: Link, vlan: string, id: number): HeldVlan {
  const path = vlanPath(vlan);
  const lock = lockRunFile(path);
  try {
    const present = findVlan(socket, base.index, id);
    if (present !== undefined) {
      // Somebody else's: it will not be ours to remove.
      if (!isOurs(path)) removeFile(path);
      return { link: present, release: () => lock.release() };
    }
    overwriteText(path, JSON.stringify({ base: base.index, id }), 0o600);
    return { link: createVlan(socket, base, id, path), release: () => lock.release() };
  } catch (thrown) {
    // The file stays: nobody knows whether the link was made, or others are on it. leaveVlan finds out.
    lock.release();
    throw thrown;
  }
}

function createVlan(socket: Socket, base: Link, id: number, path: string): Link {
  const wanted = `${base.name}.${id}`;
  const name = wanted.length <= IFNAME_MAX ? wanted : `vlan${base.index}.${id}`;
  const [answer] = exchange(socket, () =>
    codec.requestLinkAdd({ kind: "vlan", name, masterIndex: base.index, vlanId: id, up: true }),
  );
  // What it is refused for may be somebody else's VLAN: not ours to remove.
  if (answer?.errno !== 0) removeFile(path);
  if (answer?.errno === EEXIST) {
    throw new Failure(
      "master",
      `VLAN ${id} on "${base.name}" cannot be made: there is another interface "${name}"`,
      {
        remedy: "rename that interface, or make the VLAN yourself under another name",
      },
    );
  }
  if (answer?.errno === EOPNOTSUPP) {
    throw new Failure("unavailable", "this kernel lacks the VLAN driver", {
      cause: new KernelError("RTM_NEWLINK", name, EOPNOTSUPP, answer.message),
      remedy: "load it (modprobe 8021q), or leave vlan out",
    });
  }
  expect(answer, "RTM_NEWLINK", name);
  const link = linkByName(socket, name);
  if (link === undefined)
    throw new Failure("master", `interface "${name}" vanished right after it was created`);
  return link;
}

/**
 * An endpoint on the VLAN is gone: removes the VLAN link if this plugin made it and nothing is on it any more.
 * The endpoint's record says so by then, or has gone.
 */
export function leaveVlan(vlan: string): void {
  const path = vlanPath(vlan);
  if (statusOf(path) === undefined) return;
  const lock = lockRunFile(path);
  try {
    withSocket((socket) => {
      const state = readState(path);
      const link = state && findVlan(socket, state.base, state.id);
      if (link !== undefined) {
        if (isInUse(socket, link, vlan)) return;
        linkDelete(socket, link.index);
      }
      removeFile(path);
    });
  } finally {
    lock.release();
  }
}

/** A link of this plugin's that nobody needs, and its file; a link that has gone has no name. */
export interface Orphan {
  link: string | undefined;
  path: string;
}

/** The VLAN links of this namespace that this plugin made, and on which there is nothing. Throws KernelError. */
export function orphanVlans(): Orphan[] {
  const home = openOwnNamespace();
  closeNamespace(home);
  return withSocket((socket) =>
    (listDirectory(vlanPath("")) ?? []).flatMap(({ name }) => {
      const path = vlanPath(name);
      const state = isPortIn(home, name) ? readState(path) : undefined;
      if (state === undefined) return [];
      const link = findVlan(socket, state.base, state.id);
      if (link !== undefined && isInUse(socket, link, name)) return [];
      if (link === undefined && isRecorded(name)) return [];
      // Somebody may have tidied up meanwhile.
      return statusOf(path) === undefined ? [] : [{ link: link?.name, path }];
    }),
  );
}

/** Other endpoints that are recorded, any link on top of it, any address that an administrator gave it. */
function isInUse(socket: Socket, link: Link, vlan: string): boolean {
  if (isRecorded(vlan) || links(socket).some((each) => each.linkIndex === link.index)) return true;
  if (addressesOf(socket, link.index).some((address) => address.scope < RT_SCOPE_LINK)) return true;
  return carriesForeignEndpoint(link);
}

function isRecorded(name: string): boolean {
  return someLive(({ vlan }) => vlan === name);
}

/** Endpoints of other programs live in namespaces that only a search finds. */
function carriesForeignEndpoint(link: Link): boolean {
  const home = openOwnNamespace();
  try {
    const found = findNamespace((namespace) =>
      withSocketIn(namespace, home, (socket) =>
        links(socket, "ipvlan").find((each) => each.linkIndex === link.index && each.mac === link.mac),
      ),
    );
    return found !== undefined;
  } finally {
    closeNamespace(home);
  }
}

/** The VLAN link with that number on the link of index `base`, whoever made it. Throws KernelError, or Failure `busy`. */
export function findVlan(socket: Socket, base: number, id: number): Link | undefined {
  return links(socket, "vlan").find((link) => link.linkIndex === base && link.vlanId === id);
}

function isOurs(path: string): boolean {
  return readState(path) !== undefined;
}

function readState(path: string): { base: number; id: number } | undefined {
  const state = readRunFile(path, STATE_MAX_BYTES) as { base?: unknown; id?: unknown } | null | undefined;
  if (typeof state?.base !== "number" || typeof state.id !== "number") return undefined;
  return { base: state.base, id: state.id };
}

function vlanPath(vlan: string): string {
  return `${runDirectory()}/vlans/${vlan}`;
}
