import type { Command, CommandOption } from "./command.ts";

const JSON_SWITCH: CommandOption = { name: "json", summary: "print JSON" };
const BY_HAND: CommandOption[] = [
  {
    name: "interface",
    short: "i",
    value: "NAME",
    summary: "the interface in the container (CNI_IFNAME, or eth0)",
  },
  { name: "container", value: "ID", summary: "the container's id (cnitool's way of making one up)" },
];
const BY_HAND_TEXT = [
  "NETWORK is the name of a configuration in NETCONFPATH (/etc/cni/net.d), NAMESPACE a path such as /run/netns/NAME. " +
    "All plugins of the configuration are called as a runtime would, found in CNI_PATH (/opt/cni/bin, /usr/lib/cni, /usr/libexec/cni); " +
    "this program serves as ipvlan where there is none. CNI_ARGS and CAP_ARGS (JSON) are passed on.",
  "The result is kept in /var/lib/cni/results, where libcni and cnitool look for it too.",
];
const OPERANDS_BY_HAND = [
  { name: "NETWORK", kind: "network" as const },
  { name: "NAMESPACE", kind: "namespace" as const },
];

/** Every command for people, in the order in which help shows them: the one source of help, completion and man page. */
export const COMMANDS: Command[] = [
  {
    name: "doctor",
    summary: "look for what is wrong, and say what to do about it",
    description: [
      "Looks at the driver and its modes, the capabilities, the interfaces that can be masters and what each carries, in " +
        "whatever namespace, the plugin directories and the programs that networks need, the configurations, one by one and beside " +
        "each other, the stores of leases, the DHCP daemon, and what earlier containers left. Every finding says what to do.",
      "Without FILE it looks at every configuration in NETCONFPATH (/etc/cni/net.d). " +
        "The exit status is 1 when there is an error, so that a probe can ask; warnings alone give 0.",
    ],
    operands: [{ name: "FILE", kind: "file", optional: true, repeated: true }],
    options: [JSON_SWITCH],
    load: async () => (await import("./doctor.ts")).doctor,
  },
  {
    name: "validate",
    summary: "check configurations before a runtime reads them",
    description: [
      "Takes CNI configurations (.conf, .conflist), network files of Podman, and Multus NetworkAttachmentDefinitions " +
        "in JSON or YAML; - is standard input. Each error comes with its line, its column and what to do. " +
        "Keys that the plugin does not know are warnings: it ignores them, and they are often misspelt.",
    ],
    operands: [{ name: "FILE", kind: "file", repeated: true }],
    options: [JSON_SWITCH],
    load: async () => (await import("./validate.ts")).validateFiles,
  },
  {
    name: "list",
    summary: "show every ipvlan endpoint of this host, in all namespaces",
    description: [
      "Shows container, network, interface, master, mode, flag, addresses and whether host-local holds a lease for them. " +
        "An endpoint that another program made has no container; one whose namespace has gone is marked as gone.",
    ],
    options: [
      JSON_SWITCH,
      { name: "leases", value: "DIR", summary: "the store of host-local (/var/lib/cni/networks)" },
    ],
    load: async () => (await import("./list.ts")).list,
  },
  {
    name: "demo",
    summary: "attach two throw-away namespaces to one ipvlan network, and let them ping each other",
    description: ["Nothing of the machine's own network is touched, and nothing is left. Needs root."],
    load: async () => (await import("./demo.ts")).demo,
  },
  {
    name: "add",
    summary: "attach a namespace to a network by hand, and print the result",
    description: BY_HAND_TEXT,
    operands: OPERANDS_BY_HAND,
    options: BY_HAND,
    load: async () => (await import("./by-hand.ts")).add,
  },
  {
    name: "check",
    summary: "see whether an attachment made by hand is as it was",
    description: BY_HAND_TEXT,
    operands: OPERANDS_BY_HAND,
    options: BY_HAND,
    load: async () => (await import("./by-hand.ts")).check,
  },
  {
    name: "del",
    summary: "detach a namespace from a network by hand",
    description: BY_HAND_TEXT,
    operands: OPERANDS_BY_HAND,
    options: BY_HAND,
    load: async () => (await import("./by-hand.ts")).del,
  },
  {
    name: "gc",
    summary: "remove what containers that are gone have left",
    description: [
      "An attachment counts as gone when its network namespace has ended. Its link, lease and record are removed with a " +
        "DEL of its network's configuration. Leases that no record explains are shown and kept: " +
        "another plugin may have given them.",
    ],
    operands: [{ name: "NETWORK", kind: "network", optional: true }],
    options: [{ name: "dry-run", short: "n", summary: "only show what would be removed" }, JSON_SWITCH],
    load: async () => (await import("./gc.ts")).gc,
  },
  {
    name: "dhcp-daemon",
    summary: "keep the DHCP leases of this node alive",
    description: [
      "Serves networks whose ipam is of type dhcp; see docs/dhcp.md for the units of systemd that start it.",
    ],
    options: [
      { name: "socket", value: "PATH", summary: "where the plugin reaches it" },
      {
        name: "host-prefix",
        value: "DIR",
        summary: "what to put before paths of namespaces, in a container",
      },
    ],
    load: async () => {
      const { dhcpDaemon } = await import("./dhcp-daemon.ts");
      return ({ text }) =>
        dhcpDaemon(
          ["socket", "host-prefix"].flatMap((name) => {
            const value = text(name);
            return value === undefined ? [] : [`--${name}`, value];
          }),
        );
    },
  },
  {
    name: "install",
    summary: "put this program into a plugin directory",
    description: [
      "The file is written beside the old one, synced, tried, and only then renamed, so that a runtime finds the old " +
        "program or the new one and never half of it.",
    ],
    options: [
      { name: "dest", value: "DIR", summary: "the plugin directory (/opt/cni/bin, made if need be)" },
      { name: "name", value: "NAME", summary: "the file's name there (ipvlan)" },
      { name: "ipam", summary: "also link host-local and static to it, where there are none" },
      { name: "force", summary: "replace a program that is not this one" },
    ],
    load: async () => (await import("./install.ts")).install,
  },
  {
    name: "uninstall",
    summary: "remove this program, and links to it, from a plugin directory",
    description: [
      "Refuses while endpoints are recorded on this host, because without the plugin nobody can remove them.",
    ],
    options: [
      { name: "dest", value: "DIR", summary: "the plugin directory (/opt/cni/bin)" },
      { name: "name", value: "NAME", summary: "the file's name there (ipvlan)" },
      { name: "force", summary: "even while there are endpoints" },
    ],
    load: async () => (await import("./uninstall.ts")).uninstall,
  },
  {
    name: "completion",
    summary: "print a completion script for a shell",
    description: [
      "For example: source <(ipvlan completion bash). With networks instead of a shell it prints the names of the " +
        "configured networks, one a line, for these scripts to offer.",
    ],
    operands: [{ name: "SHELL", kind: "shell" }],
    load: async () => (await import("./completion.ts")).completion,
  },
  {
    name: "version",
    summary: "print the version",
    description: ["Prints this program's version and the versions of the CNI specification that it speaks."],
    load: async () => (await import("./version.ts")).version,
  },
  {
    name: "help",
    summary: "explain a command",
    description: ["Without COMMAND, lists all of them."],
    operands: [{ name: "COMMAND", kind: "command", optional: true }],
    load: async () => (await import("./help.ts")).help,
  },
];

export function commandNamed(name: string): Command | undefined {
  return COMMANDS.find((command) => command.name === name);
}
