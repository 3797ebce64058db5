import type { Command, CommandOption, OperandKind } from "../command.ts";
import { COMMANDS } from "../commands.ts";
import { NAMES, SHELLS } from "./words.ts";

const ACTIONS: Record<OperandKind, string> = {
  file: "_files",
  namespace: "{ if [[ -n $PREFIX ]]; then _files; else compadd -- /run/netns/*(N); fi }",
  network: `{ compadd -- \${(f)"$($program completion networks 2>/dev/null)"} }`,
  shell: `(${SHELLS.join(" ")})`,
  command: `(${NAMES.join(" ")})`,
};

/** The script for zsh: for `source`, and for a file `_ipvlan` in its fpath. */
export function zsh(): string {
  return `#compdef ipvlan
_ipvlan() {
  local program=$words[1]
  local -a commands=(
${COMMANDS.map(({ name, summary }) => `    '${name}:${quoted(summary)}'`).join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case $words[1] in
${COMMANDS.map(caseOf).join("\n")}
  esac
}
if [ "$funcstack[1]" = _ipvlan ]; then _ipvlan "$@"; else compdef _ipvlan ipvlan; fi
`;
}

function caseOf({ name, options = [], operands = [] }: Command): string {
  const specifications = [
    ...options.flatMap(optionOf),
    "'--help[explain it]'",
    ...operands.map(
      (operand) =>
        `'${operand.repeated ? "*" : ""}:${operand.optional ? ":" : ""}${operand.name}:${ACTIONS[operand.kind]}'`,
    ),
  ];
  return `    ${name}) _arguments -s ${specifications.join(" ")} ;;`;
}

function optionOf({ name, short, value, summary }: CommandOption): string[] {
  const action = value === "DIR" ? "_files -/" : value === "PATH" ? "_files" : " ";
  const tail = `[${quoted(summary)}]${value === undefined ? "" : `:${value}:${action}`}`;
  if (short === undefined) return [`'--${name}${tail}'`];
  return [`'(-${short} --${name})'{-${short},--${name}}'${tail}'`];
}

/** For single quotes and for the brackets of _arguments. */
function quoted(text: string): string {
  return text.replaceAll("'", "'\\''").replaceAll("[", "\\[").replaceAll("]", "\\]").replaceAll(":", "\\:");
}
