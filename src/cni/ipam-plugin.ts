import { Failure } from "../error.ts";
import type { Ipam } from "../ipam/ipam.ts";
import { readAll } from "../linux/stdio.ts";
import { decodeConfig, decodeVersion, ipamConfig } from "./config.ts";
import { readEnvironment } from "./environment.ts";
import { errorDocument } from "./error.ts";
import { type Command, gate, isCommand } from "./gate.ts";
import { type BuiltIn, builtIn, optionsOf } from "./ipam.ts";
import { formatJson } from "./json.ts";
import { formatResult } from "./result-out.ts";
import { type Answer, respond } from "./run.ts";
import { type CniVersion, isSupported, NEWEST_VERSION } from "./version.ts";

/**
 * Serves one call of another main plugin (bridge, macvlan) as the IPAM plugin of that name: for when this program is
 * installed under the name `host-local` or `static`. Returns the exit status.
 */
export async function runIpamPlugin(type: BuiltIn): Promise<0 | 1> {
  return respond(await answerAsIpam(type, process.env, () => readAll(0)));
}

/** As `runIpamPlugin`, with its input as arguments and its output as the result. Never throws. */
export async function answerAsIpam(
  type: BuiltIn,
  variables: Record<string, string | undefined>,
  readInput: () => Uint8Array,
): Promise<Answer> {
  let version: CniVersion = NEWEST_VERSION;
  try {
    const environment = readEnvironment(variables);
    const raw = decodeConfig(readInput());
    const { command } = environment;
    if (!isCommand(command)) throw new Failure("environment", `unknown CNI_COMMAND: ${command}`);
    const written = decodeVersion(raw);
    if (isSupported(written)) version = written;
    const config = ipamConfig(raw, gate(command, written), command);
    return await perform(command, builtIn(type, optionsOf(config, environment)), version);
  } catch (thrown) {
    return { document: formatJson(errorDocument(thrown, version)), status: 1 };
  }
}

async function perform(command: Command, ipam: Ipam, version: CniVersion): Promise<Answer> {
  switch (command) {
    case "ADD":
      return add(ipam, version);
    case "DEL":
      await ipam.del();
      break;
    case "CHECK":
      await ipam.check();
      break;
    case "STATUS":
      await ipam.status();
      break;
    case "GC":
      await ipam.gc();
      break;
  }
  return { document: "", status: 0 };
}

async function add(ipam: Ipam, version: CniVersion): Promise<Answer> {
  const result = await ipam.add();
  const undo = async () => {
    try {
      await ipam.del();
    } catch {
      // The first error is the one to report.
    }
  };
  try {
    return { document: formatResult(result, version), status: 0, undo };
  } catch (thrown) {
    await undo();
    throw thrown;
  }
}
