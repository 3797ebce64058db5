/** Calls IPAM, ours in process and the reference's as a program, with the same words. */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseResult } from "../../src/cni/result-in.ts";
import { formatResult } from "../../src/cni/result-out.ts";
import type { CniVersion } from "../../src/cni/version.ts";
import { hostLocal } from "../../src/ipam/host-local/host-local.ts";
import type { ValidAttachment } from "../../src/ipam/ipam.ts";
import type { IpamOptions } from "../../src/ipam/options.ts";
import { staticIpam } from "../../src/ipam/static.ts";
import type { Result } from "../../src/net/result.ts";
import { setUp } from "../kernel/environment.ts";
import type { Release } from "./plugin.ts";

export type IpamVerb = "ADD" | "DEL" | "CHECK" | "STATUS" | "GC";

/** One call, as a runtime would make it. */
export interface IpamCall {
  verb: IpamVerb;
  /** The whole network configuration. */
  config: NetworkConfig;
  containerId?: string;
  ifName?: string;
  cniArgs?: string;
  validAttachments?: ValidAttachment[];
}

export interface NetworkConfig {
  cniVersion: string;
  name: string;
  ipam: Record<string, unknown>;
  args?: { cni: { ips: string[] } };
  runtimeConfig?: { ips?: string[]; ipRanges?: unknown };
  prevResult?: unknown;
}

/** What came of a call: a result's JSON, or an error's sentence. */
export interface Outcome {
  result?: unknown;
  error?: string;
}

/** A directory that is removed at the end of the block. */
export function scratch(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "ipvlan-ipam-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** What the CNI face makes of such a call. */
export function optionsOf({ config, containerId, ifName, cniArgs, validAttachments }: IpamCall): IpamOptions {
  return {
    network: config.name,
    cniVersion: config.cniVersion,
    config: config.ipam,
    attachment: { containerId: containerId ?? "c1", ifName: ifName ?? "eth0", netns: "" },
    cniArgs: cniArgs ?? "",
    argsIps: config.args?.cni.ips,
    runtimeIps: config.runtimeConfig?.ips,
    runtimeIpRanges: config.runtimeConfig?.ipRanges,
    prevResult:
      config.prevResult === undefined
        ? undefined
        : parseResult(config.prevResult, { assume: "1.0.0", name: "prevResult", kind: "config" }),
    validAttachments,
  };
}

/** Ours, in process. */
export function callOurs(call: IpamCall): Outcome {
  const options = optionsOf(call);
  const ipam = call.config.ipam.type === "static" ? staticIpam(options) : hostLocal(options);
  try {
    const result = ipam[call.verb.toLowerCase() as Lowercase<IpamVerb>]() as Result | undefined;
    if (result === undefined) return {};
    return { result: comparable(JSON.parse(formatResult(result, call.config.cniVersion as CniVersion))) };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

let cache: string | undefined;

/** The directory of the reference's plugins of a release; fetched when it is not there. */
export async function referencePlugins(release: Release): Promise<string> {
  cache ??= process.env.IPVLAN_REFERENCE ?? (await setUp()) ?? undefined;
  if (cache === undefined) throw new Error("the reference plugins could not be fetched");
  return `${cache}/reference-${release}`;
}

/** The environment a runtime gives to a plugin. */
export function environmentOf({ verb, containerId, ifName, cniArgs }: IpamCall): Record<string, string> {
  return {
    CNI_COMMAND: verb,
    CNI_CONTAINERID: containerId ?? "c1",
    CNI_NETNS: "/var/run/netns/none",
    CNI_IFNAME: ifName ?? "eth0",
    CNI_PATH: "/opt/cni/bin",
    CNI_ARGS: cniArgs ?? "",
  };
}

/** A plugin that is a program. */
export function callProgram(program: string[], call: IpamCall): Outcome {
  const { exitCode, stdout, stderr } = Bun.spawnSync(program, {
    stdin: Buffer.from(JSON.stringify(call.config)),
    env: environmentOf(call),
  });
  const text = stdout.toString();
  if (exitCode === null) throw new Error(`${program[0]} was killed: ${stderr}`);
  if (exitCode !== 0) return { error: (JSON.parse(text) as { msg: string }).msg };
  return text.trim() === "" ? {} : { result: comparable(JSON.parse(text)) };
}

/** An empty `dns` is printed by some versions and not by others. */
function comparable(result: Record<string, unknown>): unknown {
  const { dns, ...rest } = result;
  return dns !== undefined && Object.keys(dns as object).length > 0 ? result : rest;
}

/** More than host-local reads one by one: it keeps an index of them. */
export const MANY = 40;

/**
 * Fills a network's store with files that count as leases and that nobody gives back: GC leaves an operator's notes. Their
 * addresses are of no range of a test. Returns content by address.
 */
export function crowd(dataDir: string, network: string, count: number): Record<string, string> {
  const leases: Record<string, string> = {};
  for (let index = 1; index <= count; index++) leases[`198.51.100.${index}`] = "a note of the operator";
  if (count > 0) mkdirSync(join(dataDir, network), { recursive: true });
  for (const [name, text] of Object.entries(leases)) writeFileSync(join(dataDir, network, name), text);
  return leases;
}

/** A file of a store: its text and permissions. */
export interface StoreFile {
  text: string;
  mode: string;
}

/** Every file of a network's store by name; {} when there is no store. */
export function filesOf(dataDir: string, network: string): Record<string, StoreFile> {
  const directory = join(dataDir, network);
  const files: Record<string, StoreFile> = {};
  for (const name of namesIn(directory).sort()) {
    const path = join(directory, name);
    const status = statSync(path);
    files[name] = {
      text: status.isFile() ? readFileSync(path, "latin1") : "(no file)",
      mode: (status.mode & 0o7777).toString(8),
    };
  }
  return files;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** The leases of a store: content by address. */
export function leasesOf(dataDir: string, network: string): Record<string, string> {
  const leases: Record<string, string> = {};
  for (const [name, { text }] of Object.entries(filesOf(dataDir, network)))
    if (/^([0-9a-f]+[.:]|::)/.test(name)) leases[name] = text;
  return leases;
}
