/** `ipvlan` as a person calls it on a world's host, with the world's configurations and records. */

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { binary } from "../kernel/environment.ts";
import type { Output } from "./command.ts";
import type { Network } from "./network.ts";
import { reference } from "./plugin.ts";
import type { World } from "./world.ts";

/** The environment of such a call: our own directory stands before the reference's, which has an ipvlan too. */
export function environmentOf(world: World): Record<string, string> {
  return {
    PATH: process.env.PATH ?? "",
    CNI_PATH: `${dirname(binary)}:${reference("1.9.1")}`,
    NETCONFPATH: join(world.directory, "net.d"),
    IPVLAN_RUN_DIR: join(world.directory, "records"),
  };
}

/** Runs `ipvlan WORDS`; `wrapper` is a command that is given the program and its words. */
export async function ipvlan(
  world: World,
  words: string[],
  environment: Record<string, string> = {},
  wrapper: string[] = [],
): Promise<Output> {
  return world.host.run([...wrapper, binary, ...words], {
    environment: { ...environmentOf(world), ...environment },
  });
}

/** Makes the network a file that runtimes and the commands find. */
export function configured(world: World, net: Network, more: object[] = [], file = "10-net.conflist"): void {
  const { cniVersion, name, ...plugin } = net.config;
  mkdirSync(join(world.directory, "net.d"), { recursive: true });
  const list = { cniVersion, name, plugins: [plugin, ...more] };
  writeFileSync(join(world.directory, "net.d", file), JSON.stringify(list));
}

/** What it printed, as JSON; anything on standard error is a failure. */
export function json<T>(output: Output): T {
  if (output.stderr !== "") throw new Error(output.stderr);
  return JSON.parse(output.stdout) as T;
}

interface Diagnosis {
  subject: string;
  level: string;
  message: string;
  remedy?: string;
}

/** What the doctor says: each finding as `level subject: message`, and its remedy by that. Each but "ok" must have one. */
export async function examine(world: World, environment?: Record<string, string>, wrapper?: string[]) {
  const output = await ipvlan(world, ["doctor", "--json"], environment, wrapper);
  const { healthy, findings } = json<{ healthy: boolean; findings: Diagnosis[] }>(output);
  const textOf = ({ level, subject, message }: Diagnosis) => `${level} ${subject}: ${message}`;
  const silent = findings.filter(({ level, remedy }) => level !== "ok" && !remedy);
  if (silent.length > 0) throw new Error(`findings without a remedy: ${silent.map(textOf).join("; ")}`);
  if ((output.exitCode === 0) !== healthy)
    throw new Error(`healthy is ${healthy}, exit status ${output.exitCode}`);
  const remedies = new Map(findings.map((finding) => [textOf(finding), finding.remedy ?? ""]));
  return { healthy, all: [...remedies.keys()], remedies };
}
