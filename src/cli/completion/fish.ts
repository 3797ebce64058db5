import type { Command, CommandOption, Operand, OperandKind } from "../command.ts";
import { COMMANDS } from "../commands.ts";
import { NAMES, SHELLS, valuedOptions } from "./words.ts";

const ACTIONS: Record<OperandKind, string> = {
  file: "-F",
  namespace: "-F -a '(for each in /run/netns/*; echo $each; end)'",
  network: "-x -a '(set -l words (commandline -opc); $words[1] completion networks 2>/dev/null)'",
  shell: `-x -a '${SHELLS.join(" ")}'`,
  command: `-x -a '${NAMES.join(" ")}'`,
};

/** The script for fish. */
export function fish(): string {
  return `# fish completion for ipvlan
# __ipvlan_at COMMAND NUMBER [more]: whether that operand of the command is next, or one after it; options and their values are none.
function __ipvlan_at
  set -l words (commandline -opc)
  test (count $words) -ge 2; and test "$words[2]" = "$argv[1]"; or return 1
  set -l position 0
  set -l valued no
  for word in $words[3..-1]
    if test $valued = yes
      set valued no
    else if contains -- $word ${valuedOptions().join(" ")}
      set valued yes
    else if not string match -q -- '-*' $word
      set position (math $position + 1)
    end
  end
  test $position -eq $argv[2]; or test (count $argv) -eq 3 -a $position -gt $argv[2]
end
complete -c ipvlan -f
${COMMANDS.flatMap(linesOf).join("\n")}
`;
}

function linesOf({ name, summary, options = [], operands = [] }: Command): string[] {
  return [
    `complete -c ipvlan -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
    ...operands.map((operand, index) => operandLine(name, operand, index)),
    ...options.map((option) => optionLine(name, option)),
  ];
}

function operandLine(command: string, { kind, repeated }: Operand, index: number): string {
  return `complete -c ipvlan -n '__ipvlan_at ${command} ${index}${repeated ? " more" : ""}' ${ACTIONS[kind]}`;
}

function optionLine(command: string, { name, short, value, summary }: CommandOption): string {
  const letter = short === undefined ? "" : ` -s ${short}`;
  const action =
    value === undefined
      ? ""
      : value === "DIR"
        ? " -x -a '(__fish_complete_directories)'"
        : value === "PATH"
          ? " -r -F"
          : " -x";
  return `complete -c ipvlan -n '__fish_seen_subcommand_from ${command}' -l ${name}${letter}${action} -d ${quoted(summary)}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "\\'")}'`;
}
