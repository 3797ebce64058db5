import { debug } from "../debug.ts";
import { Failure } from "../error.ts";
import type { Call, Verbs } from "../ipvlan/call.ts";
import { readAll, writeAll } from "../linux/stdio.ts";
import type { Result } from "../net/result.ts";
import { mark } from "../profile.ts";
import { decodeConfig, decodeVersion, type NetworkConfig, networkConfig, type RawConfig } from "./config.ts";
import { type Environment, readEnvironment } from "./environment.ts";
import { errorDocument } from "./error.ts";
import { gate, isCommand } from "./gate.ts";
import { hostIpamFor, ipamFor } from "./ipam.ts";
import { formatJson } from "./json.ts";
import { firstDns } from "./result.ts";
import { formatResult } from "./result-out.ts";

import { type CniVersion, isSupported, NEWEST_VERSION } from "./version.ts";

/** The one document for standard output; `undo` when nobody could read that an ADD has succeeded. */
export interface Answer {
  document: string;
  status: 0 | 1;
  undo?: () => Promise<void>;
}

/**
 * Serves one call of a container runtime: environment and standard input in, at most one JSON document out. Returns
 * the exit status.
 */
export async function runCni(verbs: Verbs): Promise<0 | 1> {
  return respond(await answer(process.env, () => readAll(0), verbs));
}

/** Prints the answer's document. Returns the exit status. */
export function respond({ document, status, undo }: Answer): Promise<0 | 1> | 0 | 1 {
  debug?.step("answer", { status, document });
  if (document === "") return status;
  try {
    writeAll(1, document);
    if (PROFILE) mark("result is written");
    return status;
  } catch {
    // The runtime sees a failed ADD, and a failed ADD leaves nothing behind.
    return failed(undo);
  }
}

async function failed(undo: Answer["undo"]): Promise<1> {
  await undo?.();
  return 1;
}

/** As `runCni`, with its input as arguments and its output as the result. Never throws. */
export async function answer(
  variables: Record<string, string | undefined>,
  readInput: () => Uint8Array,
  verbs: Verbs,
): Promise<Answer> {
  let version: CniVersion = NEWEST_VERSION;
  try {
    const environment = readEnvironment(variables);
    const raw = decodeConfig(readInput());
    if (PROFILE) mark("environment and input");
    if (raw.fields.debug) await startConfiguredLog(raw, variables);
    debug?.step("call", { ...environment });
    const { command } = environment;
    if (!isCommand(command)) throw new Failure("environment", `unknown CNI_COMMAND: ${command}`);
    const written = decodeVersion(raw);
    if (isSupported(written)) version = written;
    const config = networkConfig(raw, gate(command, written), command);
    debug?.step("configuration", { network: config.name, cniVersion: config.cniVersion, ...config.endpoint });
    const call = callOf(config, environment, variables);
    if (PROFILE) mark("configuration is valid");
    switch (command) {
      case "ADD": {
        const result = await verbs.add(call);
        const undo = () => takeBack(verbs, call);
        try {
          return { document: documentOf(result, config), status: 0, undo };
        } catch (thrown) {
          await undo();
          throw thrown;
        }
      }
      case "DEL":
        await verbs.del(call);
        break;
      case "CHECK":
        await verbs.check(call);
        break;
      case "STATUS":
        await verbs.status(call);
        break;
      case "GC":
        await verbs.gc(call);
        break;
    }
    return { document: "", status: 0 };
  } catch (thrown) {
    return { document: formatJson(errorDocument(thrown, version)), status: 1 };
  }
}

/** The network's own "debug", where the environment has not asked for a log already. A wrong value is none. */
async function startConfiguredLog(
  { fields }: RawConfig,
  variables: Record<string, string | undefined>,
): Promise<void> {
  if (debug !== undefined || typeof fields.debug !== "string") return;
  const { startNetworkLog } = await import("../debug/log.ts");
  startNetworkLog(fields.debug, variables);
}

function callOf(
  config: NetworkConfig,
  environment: Environment,
  variables: Record<string, string | undefined>,
): Call {
  const { containerId, netns, ifName, mayBeOwnNamespace } = environment;
  return {
    network: config.name,
    attachment: { containerId, netns, ifName },
    endpoint:
      config.masterSandbox === netns ? { ...config.endpoint, linkInContainer: true } : config.endpoint,
    ipam: ipamFor(config, environment, variables),
    hostIpam: (name) => hostIpamFor(config, environment, variables, name),
    prevResult: config.prevResult,
    validAttachments: config.validAttachments,
    mayBeOwnNamespace,
  };
}

function documentOf(result: Result, config: NetworkConfig): string {
  const dns = firstDns(config.dns, result.dns, config.prevResult?.dns);
  return formatResult({ ...result, dns }, config.cniVersion);
}

/** Removes what an ADD has made whose success nobody hears of. */
async function takeBack(verbs: Verbs, call: Call): Promise<void> {
  try {
    await verbs.del(call);
  } catch {
    // The first error is the one to report.
  }
}
