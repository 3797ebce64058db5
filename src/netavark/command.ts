/** A command line that cannot be understood. */
export class UsageError extends Error {}

/** The command line, read. */
export interface CommandLine {
  /** "" when there is none. */
  subcommand: string;
  /** What follows the subcommand. */
  operands: string[];
  /** Only netavark's callers give global options; a plugin's do not. */
  hasGlobalOptions: boolean;
  file: string | undefined;
  pluginDirectories: string[];
  wants: "help" | "version" | undefined;
}

/** netavark's options that take a value, by each spelling. Those without a name here change nothing for ipvlan. */
const OPTIONS: Record<string, "file" | "plugin-directory" | "rootless" | "ignored"> = {
  "-f": "file",
  "--file": "file",
  "--plugin-directory": "plugin-directory",
  "-r": "rootless",
  "--rootless": "rootless",
  "--firewall-driver": "ignored",
  "-c": "ignored",
  "--config": "ignored",
  "-a": "ignored",
  "--aardvark-binary": "ignored",
};

/** Reads what comes after the program's name. Throws `UsageError`. */
export function readCommandLine(words: string[]): CommandLine {
  const line: CommandLine = {
    subcommand: "",
    operands: [],
    hasGlobalOptions: false,
    file: undefined,
    pluginDirectories: [],
    wants: undefined,
  };
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === "-h" || word === "--help") line.wants ??= "help";
    else if (word === "-V" || word === "--version") line.wants ??= "version";
    else if (word.startsWith("-") && word !== "-") readOption(line, word, rest);
    else {
      line.subcommand = word;
      // `update` has an option of its own among them.
      line.operands = rest;
      break;
    }
  }
  return line;
}

function readOption(line: CommandLine, word: string, rest: string[]): void {
  const { name, attached } = splitOption(word);
  const meaning = OPTIONS[name];
  if (meaning === undefined) throw new UsageError(`unexpected argument '${word}' found`);
  const value = attached ?? rest.shift();
  if (value === undefined) throw new UsageError(`a value is required for '${name}' but none was supplied`);
  line.hasGlobalOptions = true;
  if (meaning === "file") line.file = value;
  else if (meaning === "plugin-directory") line.pluginDirectories.push(value);
  else if (meaning === "rootless" && value !== "true" && value !== "false")
    throw new UsageError(`invalid value '${value}' for '${name}': true or false`);
}

/** `--name=value`, `-nvalue`, `-n=value`; without `attached` the value is the next word. */
function splitOption(word: string): { name: string; attached: string | undefined } {
  if (word.startsWith("--")) {
    const equals = word.indexOf("=");
    return equals < 0
      ? { name: word, attached: undefined }
      : { name: word.slice(0, equals), attached: word.slice(equals + 1) };
  }
  const attached = word.length > 2 ? word.slice(2).replace(/^=/, "") : undefined;
  return { name: word.slice(0, 2), attached };
}

/** True for a command line that is meant for this face, not for the terminal's. */
export function isForNetavark(words: string[]): boolean {
  const [first = ""] = words;
  return SUBCOMMANDS.includes(first) || splitOption(first).name in OPTIONS || first === "-V";
}

const SUBCOMMANDS = [
  ...["create", "setup", "teardown", "info", "update"],
  ...["dhcp-proxy", "firewalld-reload", "firewall-reload"],
];
