import { Failure } from "../error.ts";
import { ignoreSignal } from "../linux/libc.ts";
import { writeAll } from "../linux/stdio.ts";
import { type CommandLine, readCommandLine, UsageError } from "./command.ts";
import { readDocument } from "./document.ts";
import { errorDocument } from "./error.ts";
import { setUpNetworks, tearDownNetworks } from "./networks.ts";
import { isForPlugin, setUpAsPlugin, tearDownAsPlugin } from "./plugin.ts";
import { infoDocument, USAGE, VERSION, versionDocument } from "./version.ts";

/**
 * Serves one call of Podman or of netavark: command line and standard input in, at most one JSON document out. Returns
 * the exit status: 0, 1 with an error document, 2 with a sentence on standard error for a wrong command line.
 */
export async function runNetavark(words: string[]): Promise<0 | 1 | 2> {
  const print = (text: string) => writeAll(1, text);
  try {
    await serve(readCommandLine(words), print);
    return 0;
  } catch (thrown) {
    if (thrown instanceof UsageError) {
      console.error(`error: ${thrown.message}\n\n${USAGE}`);
      return 2;
    }
    try {
      print(errorDocument(thrown));
    } catch {
      // The exit status has to do.
    }
    return 1;
  }
}

async function serve(line: CommandLine, print: (text: string) => void): Promise<void> {
  if (line.wants === "help") return print(USAGE);
  if (line.wants === "version") return print(`${VERSION}\n`);
  switch (line.subcommand) {
    case "create":
      return print(await create(line));
    case "setup":
      return setUp(line, print);
    case "teardown":
      return tearDown(line);
    case "info":
      return print(infoDocument());
    case "version":
      return print(versionDocument());
    case "help":
      return print(USAGE);
    case "":
      throw new UsageError("a subcommand is required");
    default:
      throw refusal(line.subcommand);
  }
}

async function create(line: CommandLine): Promise<string> {
  const { createAsPlugin, createNetwork, isForPlugin } = await import("./create.ts");
  const input = readDocument(line, "failed to load network create: IO error");
  if (!line.hasGlobalOptions && isForPlugin(input)) return createAsPlugin(input);
  return createNetwork(input, line.pluginDirectories);
}

async function setUp(line: CommandLine, print: (text: string) => void): Promise<void> {
  const netns = namespacePath(line);
  // netavark looks at the namespace before it reads; without its options, only the input tells who is asked.
  if (line.hasGlobalOptions)
    return setUpNetworks(netns, line.pluginDirectories, () => readDocument(line), print);
  const input = readDocument(line);
  if (isForPlugin(input)) return setUpAsPlugin(netns, input, print);
  return setUpNetworks(netns, line.pluginDirectories, () => input, print);
}

// bits/signum-generic.h
const SIGINT = 2;
const SIGTERM = 15;

async function tearDown(line: CommandLine): Promise<void> {
  // Whoever interrupts Podman interrupts its children too, and a half-done removal is done by nobody.
  for (const signal of [SIGINT, SIGTERM]) ignoreSignal(signal);
  const netns = namespacePath(line);
  const input = readDocument(line);
  if (!line.hasGlobalOptions && isForPlugin(input)) return tearDownAsPlugin(netns, input);
  return tearDownNetworks(netns, line.pluginDirectories, input);
}

function namespacePath({ operands, hasGlobalOptions, subcommand }: CommandLine): string {
  const [netns, ...more] = operands;
  if (netns === undefined) {
    if (hasGlobalOptions) throw new UsageError(`${subcommand} needs the path of a network namespace`);
    throw new Failure("environment", "netns path argument is missing");
  }
  if (more.length > 0) throw new UsageError(`unexpected argument '${more[0]}' found`);
  return netns;
}

const NOT_HERE: Record<string, string> = {
  update: "it serves no names, so there are no DNS servers to update",
  "dhcp-proxy": "ipvlan networks cannot have their addresses from DHCP",
  "firewalld-reload": "it makes no firewall rules",
  "firewall-reload": "it makes no firewall rules",
};

function refusal(subcommand: string): Error {
  const why = NOT_HERE[subcommand];
  if (why === undefined) return new UsageError(`unrecognized subcommand '${subcommand}'`);
  return new Failure("unsupported", `ipvlan does not do ${subcommand}: ${why}`);
}
