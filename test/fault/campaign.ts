/** The campaign of faults as lanes: where it runs, and how much of it. */

import { join } from "node:path";
import { buildExecutable } from "../../build.ts";
import { binary, type Guest, guestCommand, type Kernel, nativeCommand } from "../kernel/environment.ts";

/** How much of it is tried, as the command line says it. */
export interface Extent {
  minutes?: string | undefined;
  part?: string | undefined;
  seed?: string | undefined;
  /** A regular expression for the names of tests. */
  t?: string | undefined;
}

export interface Campaign extends Extent {
  /** Every error at every call, not one at each. */
  isWhole: boolean;
  /** With macvlan in place of ipvlan, on the running kernel, or else on this one. */
  kernel: Kernel | "stand-in";
  /** A directory for what it needs, which it may write to. */
  scratch: string;
  /** Where the reference plugins are: what test/kernel/setup prints. */
  references: string;
}

export interface FaultLane {
  name: string;
  file: string;
  /** Makes the command line that runs a command where the campaign takes place. */
  wrap(command: string[]): string[];
}

/** A campaign has the time it takes, or the time it is given. */
export const faultTimeoutSeconds = 12 * 3600;

/** What is wrong with these words; undefined when nothing is. */
export function mistakeIn({ minutes = "1", part = "1/1", seed = "1" }: Extent): string | undefined {
  if (!/^\d+(\.\d+)?$/.test(minutes)) return `--minutes ${minutes} is no number`;
  if (!/^[1-9]\d*\/[1-9]\d*$/.test(part)) return `--part ${part} is not like 2/5`;
  return /^\d+$/.test(seed) ? undefined : `--seed ${seed} is no whole number`;
}

/** A lane for each file. */
export async function faultLanes(campaign: Campaign, files: string[]): Promise<FaultLane[]> {
  const { kernel, scratch } = campaign;
  const tested = kernel === "stand-in" ? join(scratch, "stand-in") : binary;
  if (kernel === "stand-in") await buildExecutable(tested, { linkKind: "macvlan" });
  const environment = environmentOf(campaign, tested);
  const guest: Omit<Guest, "kernel"> = {
    timeoutSeconds: faultTimeoutSeconds,
    writable: scratch,
    environment,
  };
  const wrap = (command: string[]) =>
    kernel === "stand-in"
      ? nativeCommand(["env", ...assignments(environment), ...apart(command)])
      : guestCommand({ ...guest, kernel }, apart(command));
  return files.map((file) => ({ name: `fault, ${nameOf(kernel)}`, file, wrap }));
}

function nameOf(kernel: Campaign["kernel"]): string {
  return kernel === "stand-in" ? kernel : `kernel ${kernel}`;
}

function environmentOf(campaign: Campaign, tested: string): Record<string, string> {
  const { isWhole, kernel, references, minutes, part, seed, t } = campaign;
  const asked = {
    IPVLAN_BINARY: tested,
    IPVLAN_REFERENCE: references,
    IPVLAN_FAULTS: isWhole ? "all" : "each",
    IPVLAN_FAULTS_STAND_IN: kernel === "stand-in" ? "1" : undefined,
    IPVLAN_FAULTS_SECONDS: minutes === undefined ? undefined : String(Number(minutes) * 60),
    IPVLAN_FAULTS_PART: part,
    IPVLAN_FAULTS_SEED: seed,
    IPVLAN_FAULTS_ONLY: t,
  };
  const given = Object.entries(asked).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given as [string, string][]);
}

function assignments(environment: Record<string, string>): string[] {
  return Object.entries(environment).map(([name, value]) => `${name}=${value}`);
}

/**
 * Among processes of its own: the plugin looks through the namespaces of all processes, and the same calls for each of a
 * machine's many would be tried over and over. The shell stays, because somebody has to take care of orphans.
 */
function apart(command: string[]): string[] {
  const own = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
  return [...own, "sh", "-c", '"$@"; exit $?', "apart", ...command];
}
