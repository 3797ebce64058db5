import { Failure } from "../error.ts";
import { KernelError } from "../linux/errno.ts";
import { type FileLock, overwriteText, removeFile, statusOf } from "../linux/file.ts";
import { findNamespace } from "../linux/namespaces.ts";
import { closeNamespace, type Namespace, openNamespace, openOwnNamespace } from "../linux/netns.ts";
import { type Link, linkByName, links } from "../linux/rtnetlink.ts";
import { runDirectory } from "../linux/run-directory.ts";
import { namespaceMark, withSocketIn } from "../linux/socket.ts";
import { encodeUtf8 } from "../text.ts";
import type { EndpointConfig, Flag, Mode } from "./call.ts";
import { FLAGS, MODES, modeOf } from "./link.ts";
import { lockRunFile, readRunFile } from "./lock.ts";
import { findLive } from "./record.ts";

/*
 * Mode and flag belong to the *port*, that is to the master: creating one endpoint with others changes them for every
 * endpoint there is, without a word. So an ADD must know what the port carries before it asks the kernel for a link. The
 * master does not tell, but any endpoint on it does: one of them, the witness, is noted in a small file for each port, and
 * asked. When the witness has gone, or the file has, another one is looked for, among the records first and then in every
 * namespace, since other programs make ipvlan links too.
 */

/** An endpoint of a port: `namespace` is the mark of the one that `netns` led to. */
interface Witness {
  netns: string;
  namespace: string;
  ifName: string;
}

/** A port's mode and flags, as the kernel numbers them. */
interface Setting {
  mode: number;
  flags: number;
}

/** A witness with what it shows of its port. */
interface Found {
  witness: Witness;
  setting: Setting;
}

const STATE_MAX_BYTES = 64 * 1024;

/** What a port is called: its master's namespace and index there. An ipvlan link as master stands for the master below it. */
export function portName(namespace: Pick<Namespace, "identity">, master: Link): string {
  const index = master.kind === LINK_KIND ? (master.linkIndex ?? master.index) : master.index;
  return `${prefixOf(namespace)}${index}`;
}

/** Whether a port's name, or that of a VLAN on it, is of a master in that namespace. */
export function isPortIn(namespace: Pick<Namespace, "identity">, name: string): boolean {
  return name.startsWith(prefixOf(namespace));
}

function prefixOf({ identity }: Pick<Namespace, "identity">): string {
  return `${identity.replaceAll(":", "-")}-`;
}

/**
 * Runs `make`, which creates a link on the master, unless that would change the mode or flag of endpoints that are there.
 * Of two that race for a fresh port, one makes it and the other finds it made. Throws a Failure of kind `master` for
 * a port in another mode or with another flag (`allowPortChange` lets it pass), `busy` when the port stays locked.
 */
export function guardPort<Made>(
  home: Namespace,
  port: string,
  endpoint: EndpointConfig,
  master: Link,
  witness: Witness,
  make: () => Made,
): Made {
  const shared = lockPort(port, true);
  try {
    const known = readWitness(port);
    const present = known && ask(home, master, known);
    if (present !== undefined) {
      refuseChange(endpoint, master, known!, present);
      return make();
    }
  } finally {
    shared.release();
  }
  const exclusive = lockPort(port, false);
  let settled = false;
  try {
    // Whoever held the lock in between may have settled it.
    const found = findWitness(home, port, master, witness);
    if (found !== undefined) {
      refuseChange(endpoint, master, found.witness, found.setting);
      note(port, found.witness);
      settled = true;
      return make();
    }
    const link = make();
    note(port, witness);
    settled = true;
    return link;
  } finally {
    if (!settled) removeFile(portPath(port));
    exclusive.release();
  }
}

/**
 * What an ADD would be refused for, without locking anything; undefined when it would not. For STATUS.
 */
export function portConflict(
  home: Namespace,
  port: string,
  endpoint: EndpointConfig,
  master: Link,
): Failure | undefined {
  const found = findWitness(home, port, master, undefined);
  return found && changeFailure(endpoint, master, found.witness, found.setting);
}

/**
 * An endpoint is gone: if it was its port's witness another one takes its place, or the port's file goes too; so it does
 * when a crash left it without a witness. Throws a Failure of kind `busy` when the port stays locked.
 */
export function leavePort({ port, ...gone }: Witness & { port: string }): void {
  // A record from before its VLAN was there names no port yet.
  if (port === "") return;
  const path = portPath(port);
  if (statusOf(path) === undefined) return;
  if (hasOtherWitness(port, gone)) return;
  const home = openOwnNamespace();
  const lock = lockPort(port, false);
  try {
    const heir = recordedWitness(home, port, undefined, gone);
    if (heir === undefined) removeFile(path);
    else note(port, heir.witness);
  } finally {
    lock.release();
    closeNamespace(home);
  }
}

/**
 * True when the port's witness is another endpoint. Read under the lock: whoever is about to leave may have looked at this
 * endpoint while it was there still, and be about to note it.
 */
function hasOtherWitness(port: string, gone: Witness): boolean {
  const shared = lockPort(port, true);
  try {
    const noted = readWitness(port);
    return noted !== undefined && !sameWitness(noted, gone);
  } finally {
    shared.release();
  }
}

function refuseChange(endpoint: EndpointConfig, master: Link, witness: Witness, present: Setting): void {
  if (endpoint.options?.allowPortChange) return;
  const failure = changeFailure(endpoint, master, witness, present);
  if (failure !== undefined) throw failure;
}

function changeFailure(
  endpoint: EndpointConfig,
  master: Link,
  witness: Witness,
  present: Setting,
): Failure | undefined {
  if (present.mode === MODES[endpoint.mode] && present.flags === FLAGS[endpoint.flag]) return undefined;
  const mode = nameOf(MODES, present.mode) as Mode;
  const flag = nameOf(FLAGS, present.flags) as Flag;
  return new Failure(
    "master",
    `master "${master.name}" carries endpoints in mode ${mode}, flag ${flag}: mode ${endpoint.mode}, flag ${endpoint.flag} would change them all`,
    {
      details: `one of them is "${witness.ifName}" in ${witness.netns}`,
      remedy: `set mode "${mode}" and flag "${flag}", use another master, or set "allowPortChange": true to change them`,
    },
  );
}

function nameOf(table: Record<string, number>, number: number): string {
  return Object.entries(table).find(([, value]) => value === number)?.[0] ?? `${number}`;
}

/** Some endpoint on the port other than `except`: the noted one, else one that is recorded, else any in any namespace. */
function findWitness(
  home: Namespace,
  port: string,
  master: Link,
  except: Witness | undefined,
): Found | undefined {
  // An ipvlan link as master is on the port itself.
  if (master.kind === LINK_KIND) {
    const setting = { mode: modeOf(master) ?? 0, flags: master.ipvlanFlags ?? 0 };
    return { witness: { netns: home.path, namespace: "", ifName: master.name }, setting };
  }
  const noted = readWitness(port);
  const known =
    (noted && present(home, master, noted, except)) ?? recordedWitness(home, port, master, except);
  if (known !== undefined) return known;
  return findNamespace((namespace) =>
    withSocketIn(namespace, home, (socket) => {
      const link = links(socket, LINK_KIND).find((entry) => isOn(entry, master));
      if (link === undefined) return undefined;
      const witness = {
        netns: namespace.path,
        namespace: namespaceMark(namespace, socket),
        ifName: link.name,
      };
      return { witness, setting: settingOf(link) };
    }),
  );
}

/** An endpoint on the port, other than `except`, that is recorded. */
function recordedWitness(
  home: Namespace,
  port: string,
  master: Link | undefined,
  except: Witness | undefined,
): Found | undefined {
  return findLive((record) => (record.port === port ? present(home, master, record, except) : undefined));
}

/** The candidate with what it shows; undefined when it is `except`, or no more. */
function present(
  home: Namespace,
  master: Link | undefined,
  candidate: Witness,
  except: Witness | undefined,
): Found | undefined {
  if (except !== undefined && sameWitness(candidate, except)) return undefined;
  const setting = ask(home, master, candidate);
  return setting && { witness: witnessOf(candidate), setting };
}

/** The port's setting as that endpoint shows it; undefined when it is no more, or on another master. */
function ask(
  home: Namespace,
  master: Link | undefined,
  { netns, namespace, ifName }: Witness,
): Setting | undefined {
  let container: Namespace;
  try {
    container = openNamespace(netns);
  } catch (thrown) {
    if (thrown instanceof KernelError) return undefined;
    throw thrown;
  }
  try {
    return withSocketIn(container, home, (socket) => {
      if (namespaceMark(container, socket) !== namespace) return undefined;
      const link = linkByName(socket, ifName);
      if (link?.kind !== LINK_KIND || (master !== undefined && !isOn(link, master))) return undefined;
      return settingOf(link);
    });
  } finally {
    closeNamespace(container);
  }
}

/** Indexes are numbered in each namespace apart; the MAC address, which is the master's, tells two masters apart. */
function isOn(link: Link, master: Link): boolean {
  const index = master.kind === LINK_KIND ? (master.linkIndex ?? master.index) : master.index;
  return link.linkIndex === index && (LINK_KIND !== "ipvlan" || link.mac === master.mac);
}

function settingOf(link: Link): Setting {
  return { mode: modeOf(link) ?? 0, flags: link.ipvlanFlags ?? 0 };
}

function sameWitness(a: Witness, b: Witness): boolean {
  return a.namespace === b.namespace && a.ifName === b.ifName;
}

function witnessOf({ netns, namespace, ifName }: Witness): Witness {
  return { netns, namespace, ifName };
}

function portPath(port: string): string {
  return `${runDirectory()}/ports/${port}`;
}

function lockPort(port: string, shared: boolean): FileLock {
  return lockRunFile(portPath(port), shared);
}

function note(port: string, witness: Witness): void {
  overwriteText(portPath(port), JSON.stringify(witnessOf(witness)), 0o600);
}

function readWitness(port: string): Witness | undefined {
  const state = readRunFile(portPath(port), STATE_MAX_BYTES);
  return isWitness(state) ? state : undefined;
}

function isWitness(value: unknown): value is Witness {
  if (typeof value !== "object" || value === null) return false;
  const { netns, namespace, ifName } = value as Record<string, unknown>;
  return typeof netns === "string" && typeof namespace === "string" && isLinkName(ifName);
}

/** True for what the kernel can be asked for; it is asked with nobody there to catch its refusal. */
function isLinkName(value: unknown): boolean {
  return typeof value === "string" && value !== "" && encodeUtf8(value).length <= 15 && !value.includes("\0");
}
