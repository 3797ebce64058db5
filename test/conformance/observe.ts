/** Carries a case out with one plugin and writes down everything a user of that plugin could notice. */

import { chmod, mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { binary } from "../kernel/environment.ts";
import { command, mustRun } from "../support/command.ts";
import type { Namespace } from "../support/namespace.ts";
import { type Answer, plugin, type Release, reference } from "../support/plugin.ts";
import { hostWorld, type World } from "../support/world.ts";
import { type Case, master, type Step } from "./case.ts";

/** Nested plain data; two of them are compared by compare.ts. */
export type Observation = { [name: string]: unknown };

/**
 * A world that serves one case after the other with the same plugin, as long as each leaves it as it was; the one
 * after a case that did not gets a new world.
 */
export class Stage implements AsyncDisposable {
  readonly release: Release;
  private readonly program: string;
  private current: Prepared | undefined;

  constructor(release: Release, plugin: "reference" | "ours") {
    this.release = release;
    this.program = plugin === "ours" ? binary : join(reference(release), "ipvlan");
  }

  async observe(some: Case): Promise<Observation> {
    this.current ??= await prepare();
    try {
      const { observation, isClean } = await this.play(some, this.current);
      if (!isClean) await this[Symbol.asyncDispose]();
      return observation;
    } catch (thrown) {
      await this[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  private async play(
    some: Case,
    { world, container, pristine, mac }: Prepared,
  ): Promise<{ observation: Observation; isClean: boolean }> {
    await freshFiles(world);
    const words = new Words(world, container, mac, this.release);
    await change(some, world, container, words);
    const observation: Observation = {};
    let added: unknown;
    let state: Observation = {};
    for (const [index, step] of some.steps.entries()) {
      await change(step, world, container, words);
      const answer = await this.call(step, world, container, words, added);
      if (step.verb === "ADD" && answer.exitCode === 0) added = answer.json;
      const isLast = index === some.steps.length - 1;
      const label = step.label ?? step.verb;
      observation[label] = describe(answer, words);
      const isLookedAt = step.look ?? (step.verb === "ADD" || isLast);
      if (isLookedAt || isLast) state = await look(world, container, words);
      if (isLookedAt) observation[`after ${label}`] = { ...state, files: await files(world, words) };
    }
    // What a script has changed may be nowhere in the state.
    const isClean =
      Bun.deepEquals(state, pristine) && [some, ...some.steps].every(({ script }) => script === undefined);
    return { observation, isClean };
  }

  private call(
    step: Step,
    world: World,
    container: Namespace,
    words: Words,
    added: unknown,
  ): Promise<Answer> {
    let config = step.config;
    if (step.prevResult && added !== undefined) config = { ...(config as object), prevResult: added };
    const environment = Object.entries(step.environment ?? {}).map(([name, value]) => [
      name,
      value && words.put(value),
    ]);
    return plugin(
      world.host,
      step.verb,
      words.put(typeof config === "string" ? config : JSON.stringify(config)),
      {
        ...(step.verb === "VERSION" ? {} : { netns: container }),
        path: reference(this.release),
        program: this.program,
        environment: { IPVLAN_RUN_DIR: join(world.directory, "run"), ...Object.fromEntries(environment) },
        timeoutMs: 60_000,
      },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { current } = this;
    this.current = undefined;
    await current?.world[Symbol.asyncDispose]();
  }
}

interface Prepared {
  world: World;
  container: Namespace;
  /** The state before any case. */
  pristine: Observation;
  /** The master's address, and so that of every link on it. */
  mac: string;
}

async function prepare(): Promise<Prepared> {
  const world = await hostWorld();
  const container = await world.container();
  // Duplicate address detection takes a second or two, and is not what is compared here.
  await script(
    container,
    "for name in all default; do echo 0 >/proc/sys/net/ipv6/conf/$name/accept_dad; done",
  );
  const [link] = await world.host.json<[{ address: string }]>(`link show ${master}`);
  const words = new Words(world, container, link.address, "1.9.1");
  return { world, container, pristine: await look(world, container, words), mac: link.address };
}

async function freshFiles(world: World): Promise<void> {
  for (const name of await readdir(world.directory))
    await rm(join(world.directory, name), { recursive: true });
  await mkdir(world.leases);
  await chmod(world.leases, 0o755);
  await Bun.write(join(world.directory, "plain"), "");
}

async function change(
  { host, container: inside, script: text }: Case | Step,
  world: World,
  container: Namespace,
  words: Words,
): Promise<void> {
  if (host !== undefined) await world.host.ip(host);
  if (inside !== undefined) await container.ip(inside);
  if (text !== undefined) await script(container, words.put(text));
}

async function script(namespace: Namespace, lines: string): Promise<void> {
  await mustRun(["nsenter", `--net=${namespace.path}`, "sh", "-ec", lines]);
}

/** Puts the names of one world into a case's texts, and takes them out of what was observed. */
class Words {
  private readonly known: [name: string, text: string][];
  private readonly mac: string;
  private readonly path: string;

  constructor(world: World, container: Namespace, mac: string, release: Release) {
    this.mac = mac;
    this.path = reference(release);
    this.known = [
      ["@leases", world.leases],
      ["@directory", world.directory],
      ["@container", container.path],
      ["@host", world.host.path],
      ["@nowhere", "/run/netns/nowhere"],
    ];
  }

  put(text: string): string {
    return this.known.reduce((result, [name, value]) => result.replaceAll(name, value), text);
  }

  take(text: string): string {
    return this.known
      .reduce((result, [name, value]) => result.replaceAll(value, name), text)
      .replaceAll(this.path, "@plugins")
      .replaceAll(this.mac, "@mac")
      .replace(/\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, "@mac-of-another")
      .replace(/\b(veth[0-9a-f]{8}|ivl[0-9a-f]{12})\b/g, "@temporary")
      .replace(/v\d+\.\d+\.\d+(?=\n)/g, "@version");
  }
}

/** The answer of one call. Errors are told apart from results by their shape, so that neither hides the other. */
function describe({ exitCode, stdout, stderr, json }: Answer, words: Words): Observation {
  const text = words.take(stdout);
  if (stdout === "")
    return {
      exit: exitCode,
      answer: exitCode === 0 ? "success" : `silence, on stderr: ${words.take(stderr)}`,
    };
  const documents = json === undefined ? split(text) : [JSON.parse(text)];
  if (documents === undefined) return { exit: exitCode, answer: text };
  if (documents.length > 1)
    return {
      exit: exitCode,
      answer: `${documents.length} documents, the last: ${sentence(documents.at(-1))}`,
    };
  const [document] = documents as [Record<string, unknown>];
  if (exitCode === 0) return { exit: exitCode, answer: "success", result: document, layout: text };
  const { cniVersion, details } = document;
  return { exit: exitCode, answer: sentence(document), error: { cniVersion, details } };
}

function sentence(document: unknown): string {
  const { code, msg } = document as { code: unknown; msg: unknown };
  return `error ${code}: ${msg}`;
}

/** Several JSON documents one after the other; undefined when the text is something else. */
function split(text: string): unknown[] | undefined {
  const cut = text.indexOf("}{");
  try {
    if (cut >= 0) return [JSON.parse(text.slice(0, cut + 1)), JSON.parse(text.slice(cut + 1))];
  } catch {}
  return undefined;
}

interface Link {
  ifname: string;
  ifindex: number;
  link?: string;
  link_index?: number;
  flags: string[];
  mtu: number;
  address: string;
  linkinfo?: { info_kind?: string; info_data?: unknown };
  addr_info: { family: string; local: string; prefixlen: number; broadcast?: string; scope: string }[];
}

interface Route {
  dst: string;
  type?: string;
  table?: string;
  gateway?: string;
  dev?: string;
  flags?: string[];
  [more: string]: unknown;
}

/** Links, addresses, routes and settings of the container; of the host, which links it has and in which state. */
async function look(world: World, container: Namespace, words: Words): Promise<Observation> {
  const hostLinks = await ask<[Link[]]>(world.host, ["address show"]);
  const [links, routes] = await ask<[Link[], Route[]]>(container, ["address show", "route show table all"]);
  const names = new Map(hostLinks[0].map((link) => [link.ifindex, link.ifname]));
  const inside: Observation = {};
  for (const link of links) {
    if (link.ifname === "lo") continue;
    inside[words.take(link.ifname)] = {
      ...describeLink(link, words),
      master:
        link.link ??
        (link.link_index === undefined ? undefined : `${names.get(link.link_index)} of the host`),
      settings: await settings(container, link.ifname),
    };
  }
  return {
    container: { links: inside, routes: lines(routes.filter(isOfInterest).map(routeLine)) },
    host: {
      links: Object.fromEntries(
        hostLinks[0].map((link) => [words.take(link.ifname), describeLink(link, words)]),
      ),
    },
  };
}

/** Several questions to `ip` in one process; each answer is one line. */
async function ask<Answers extends unknown[]>(namespace: Namespace, questions: string[]): Promise<Answers> {
  const words = ["ip", "-n", namespace.name, "-details", "-json", "-batch", "-"];
  const text = await mustRun(words, { stdin: `${questions.join("\n")}\n` });
  const answers = text.split("\n");
  return questions.map((_, index): unknown => JSON.parse(answers[index] || "[]")) as Answers;
}

function describeLink(link: Link, words: Words): Observation {
  return {
    kind: link.linkinfo?.info_kind ?? "none",
    data: link.linkinfo?.info_kind === "ipvlan" ? link.linkinfo.info_data : undefined,
    up: link.flags.includes("UP"),
    arp: !link.flags.includes("NOARP"),
    mtu: link.mtu,
    mac: link.linkinfo?.info_kind === "ipvlan" ? words.take(link.address) : undefined,
    addresses: lines(
      link.addr_info
        // The kernel adds these in its own time.
        .filter(({ local }) => !local.startsWith("fe80:"))
        .map(({ local, prefixlen, broadcast, scope }) =>
          [`${local}/${prefixlen}`, broadcast && `broadcast ${broadcast}`, `scope ${scope}`]
            .filter(Boolean)
            .join(" "),
        ),
    ),
  };
}

function isOfInterest({ table, dst }: Route): boolean {
  return table !== "local" && !dst.startsWith("fe80:") && dst !== "multicast";
}

function routeLine({ dst, gateway, dev, flags, type, pref: _, ...more }: Route): string {
  const words = [type === "unicast" ? undefined : type, dst, gateway && `via ${gateway}`, `dev ${dev}`];
  for (const [name, value] of Object.entries(more).sort()) {
    // Of the metrics `ip` makes an array with one object.
    words.push(`${name} ${typeof value === "object" ? JSON.stringify(value) : value}`);
  }
  if (flags?.includes("onlink")) words.push("onlink");
  return words.filter(Boolean).join(" ");
}

/** A set of lines, so that one more or less is one difference. */
function lines(some: string[]): Observation {
  const counts: Record<string, number> = {};
  for (const line of some) counts[line] = (counts[line] ?? 0) + 1;
  return counts;
}

const watched = [
  "ipv4/conf/*/arp_notify",
  "ipv6/conf/*/ndisc_notify",
  "ipv6/conf/*/keep_addr_on_down",
  "ipv6/conf/*/disable_ipv6",
];

async function settings(container: Namespace, ifName: string): Promise<Observation> {
  const paths = watched.map((path) => `/proc/sys/net/${path.replace("*", ifName)}`);
  // Without IPv6 on the link some are not there.
  const { stdout } = await command(["nsenter", `--net=${container.path}`, "grep", "-Hs", ".", ...paths]);
  return Object.fromEntries(
    stdout
      .trim()
      .split("\n")
      .map((line) => [
        line.slice(line.lastIndexOf("/") + 1, line.lastIndexOf(":")),
        line.slice(line.lastIndexOf(":") + 1),
      ]),
  );
}

/** Every file of the world with its text and permissions; the lease store is among them. */
async function files(world: World, words: Words): Promise<Observation> {
  const found: Observation = {};
  for (const entry of await readdir(world.directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(world.directory.length + 1);
    const mode = ((await stat(path)).mode & 0o777).toString(8);
    if (entry.isDirectory()) found[`${name}/`] = mode;
    // A record carries numbers of its world; that it is there is enough here.
    else if (name.startsWith("run/")) found[name] = mode;
    else found[name] = { mode, text: words.take(await Bun.file(path).text()) };
  }
  return found;
}
