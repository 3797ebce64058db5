/** ipvlan(8) in man(7)'s markup. */

import { usageOf } from "../cli/command.ts";
import { COMMANDS } from "../cli/commands.ts";
import { SECTIONS } from "../cli/configuration.ts";
import { VARIABLES } from "./variables.ts";

/** The manual page of that version; it bears no date, so that two builds of a version are the same. */
export function manualPage(version: string): string {
  return `${[
    `.TH IPVLAN 8 "" "ipvlan ${version}" "System Administration"`,
    ".SH NAME",
    "ipvlan \\- attach containers to a network with ipvlan",
    ".SH SYNOPSIS",
    ...COMMANDS.map((command) => `.B ipvlan ${roff(usageOf(command))}\n.br`),
    ".SH DESCRIPTION",
    "A plugin of the Container Network Interface (CNI) and of netavark. A container runtime calls it with CNI_COMMAND in",
    "its environment and the network's configuration, a JSON object, on standard input; a person with one of the commands",
    "below.",
    ".SH COMMANDS",
    ...COMMANDS.flatMap((command) => [
      ".TP",
      `.B ${roff(usageOf(command))}`,
      `${roff(sentence(command.summary))}`,
      ...command.description.map(roff),
      ...(command.options ?? []).map(
        ({ name, value, summary }) =>
          `.RS\n.TP\n.B \\-\\-${roff(name)}${value === undefined ? "" : ` ${value}`}\n${roff(sentence(summary))}\n.RE`,
      ),
    ]),
    ".SH CONFIGURATION",
    ...SECTIONS.flatMap(({ title, keys }) => [
      `.SS ${roff(title)}`,
      ...keys.map(
        ({ name, values, default: fallback, meaning }) =>
          `.TP\n.BR ${roff(name)} " (${roff(values).replaceAll('"', "'")})"\n${roff(sentence(meaning))} Default: ${roff(fallback)}.`,
      ),
    ]),
    ".SH ENVIRONMENT",
    ...VARIABLES.map(({ name, meaning }) => `.TP\n.B ${name}\n${roff(sentence(meaning))}`),
    ".SH EXIT STATUS",
    "0 when all is well, 1 when it is not, 2 for a wrong command line.",
    ".SH FILES",
    ".TP\n.I /etc/cni/net.d\nNetwork configurations.",
    ".TP\n.I /opt/cni/bin\nPlugins.",
    ".TP\n.I /var/lib/cni/networks\nLeases of host\\-local.",
    ".TP\n.I /run/ipvlan\nA record for each attachment.",
    ".SH SEE ALSO",
    ".BR ip\\-link (8),",
    ".BR network_namespaces (7)",
  ].join("\n")}\n`;
}

function sentence(text: string): string {
  return `${text.replace(/^[a-z]/, (letter) => letter.toUpperCase())}.`;
}

/** Markdown's marks go; a backslash, a hyphen and a dot at the start mean something to roff. */
function roff(text: string): string {
  return text
    .replaceAll(/[`*]/g, "")
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^[.']/, "\\&$&");
}
