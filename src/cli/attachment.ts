import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isObject } from "../json.ts";
import type { NetworkFile } from "./networks.ts";

/** One attachment made by hand, and what its plugins are told of it. */
export interface ByHand {
  network: NetworkFile;
  containerId: string;
  netns: string;
  ifName: string;
  /** This program serves as ipvlan whatever CNI_PATH has: only it knows its records. */
  isOurs?: boolean;
}

/** libcni's directory of results, which it reads for CHECK and DEL. */
const RESULTS = "/var/lib/cni/results";

/** What libcni keeps there, as far as it is used here. */
interface Kept {
  kind: "cniCacheV1";
  containerId: string;
  config: string;
  ifName: string;
  networkName: string;
  netns: string;
  result: unknown;
}

function pathOf({ network, containerId, ifName }: ByHand): string {
  return join(RESULTS, `${network.name}-${containerId}-${ifName}`);
}

/** Keeps the result of an ADD. */
export function keepResult(attachment: ByHand, result: unknown): void {
  const { network, containerId, ifName, netns } = attachment;
  const kept: Kept = {
    kind: "cniCacheV1",
    containerId,
    config: readFileSync(network.path).toString("base64"),
    ifName,
    networkName: network.name,
    netns,
    result,
  };
  mkdirSync(dirname(pathOf(attachment)), { recursive: true, mode: 0o700 });
  writeFileSync(pathOf(attachment), JSON.stringify(kept), { mode: 0o600 });
}

/** The result of the ADD; undefined when there is none. */
export function keptResult(attachment: ByHand): object | undefined {
  const path = pathOf(attachment);
  if (!existsSync(path)) return undefined;
  const { result } = JSON.parse(readFileSync(path, "utf8")) as Partial<Kept>;
  return isObject(result) ? result : undefined;
}

export function forgetResult(attachment: ByHand): void {
  rmSync(pathOf(attachment), { force: true });
}
