import { SUPPORTED_VERSIONS } from "../cni/version.ts";
import { Failure, messageOf } from "../error.ts";
import { readArguments } from "./arguments.ts";
import { UsageError } from "./command.ts";
import { COMMANDS, commandNamed } from "./commands.ts";
import { nearest } from "./nearest.ts";
import { painter, wantsColour } from "./terminal.ts";

/**
 * The face for people. Returns the exit status: 0, 1 when the command failed, 2 when the command line is wrong.
 */
export async function runCli(words: string[]): Promise<number> {
  const [first, ...rest] = words;
  if (first === undefined) {
    // What every CNI plugin answers when it is called without a command; nothing on stdout.
    console.error(`CNI ipvlan plugin ${PLUGIN_VERSION}`);
    console.error(`CNI protocol versions supported: ${SUPPORTED_VERSIONS.join(", ")}`);
    console.error("Say `ipvlan help` for what it offers at a terminal.");
    return 0;
  }
  const asksHelp = rest.some((word) => word === "--help" || word === "-h");
  const name = asksHelp ? "help" : (SYNONYMS[first] ?? first);
  try {
    const command = commandNamed(name);
    if (command === undefined) throw noSuchCommand(first);
    const input = readArguments(command, asksHelp ? [first] : rest);
    const run = await command.load();
    return await run(input);
  } catch (thrown) {
    return complain(name, thrown);
  }
}

const SYNONYMS: Record<string, string> = { "--help": "help", "-h": "help", "--version": "version" };

function noSuchCommand(name: string): UsageError {
  const guess = nearest(
    name,
    COMMANDS.map((command) => command.name),
  );
  return new UsageError(
    `there is no command "${name}"${guess === undefined ? "" : `; did you mean "${guess}"?`}`,
  );
}

function complain(command: string, thrown: unknown): number {
  const paint = painter(wantsColour(process.stderr));
  if (thrown instanceof UsageError) {
    console.error(`${paint("red", "ipvlan:")} ${thrown.message}`);
    console.error(commandNamed(command) ? `Say: ipvlan help ${command}` : "Say: ipvlan help");
    return 2;
  }
  console.error(`${paint("red", `ipvlan ${command}:`)} ${messageOf(thrown)}`);
  if (!(thrown instanceof Failure)) return 1;
  const reasons = [thrown.details, thrown.cause === undefined ? undefined : messageOf(thrown.cause)];
  for (const reason of reasons) if (reason) console.error(`  ${reason}`);
  if (thrown.remedy) console.error(`  ${paint("bold", "remedy:")} ${thrown.remedy}`);
  return 1;
}
