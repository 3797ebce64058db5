import { SUPPORTED_VERSIONS } from "../cni/version.ts";

const USAGE = `ipvlan ${PLUGIN_VERSION}: attaches containers to a network with ipvlan

A container runtime calls this program as a CNI plugin, with CNI_COMMAND in its environment and the
network's configuration on standard input. A person can say:

  ipvlan demo          attach two throw-away namespaces to one ipvlan network, and let them ping each other
  ipvlan dhcp-daemon   keep the DHCP leases of this node alive ([--socket PATH] [--host-prefix DIRECTORY])
  ipvlan version       print the version
  ipvlan help          print this text
`;

/**
 * The face for people. Returns the exit status: 0, 1 when the command failed, 2 when there is no such command.
 */
export async function runCli(words: string[]): Promise<number> {
  const [command] = words;
  switch (command) {
    case undefined:
      // What every CNI plugin answers when it is called without a command; nothing on stdout.
      console.error(`CNI ipvlan plugin ${PLUGIN_VERSION}`);
      console.error(`CNI protocol versions supported: ${SUPPORTED_VERSIONS.join(", ")}`);
      console.error("Say `ipvlan help` for what it offers at a terminal.");
      return 0;
    case "help":
    case "--help":
    case "-h":
      console.log(USAGE);
      return 0;
    case "version":
    case "--version":
      console.log(`ipvlan ${PLUGIN_VERSION}`);
      return 0;
    case "demo":
      return (await import("./demo.ts")).demo();
    case "dhcp-daemon":
      return (await import("./dhcp-daemon.ts")).dhcpDaemon(words.slice(1));
    default:
      console.error(`ipvlan: there is no command "${command}"; say: ipvlan help`);
      return 2;
  }
}
