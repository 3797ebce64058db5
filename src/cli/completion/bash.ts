import type { Command, OperandKind } from "../command.ts";
import { COMMANDS } from "../commands.ts";
import { NAMES, SHELLS, valuedOptions } from "./words.ts";

const words = (list: string) => `COMPREPLY=($(compgen -W "${list}" -- "$current"))`;

const ACTIONS: Record<OperandKind, string> = {
  file: 'COMPREPLY=($(compgen -f -- "$current"))',
  namespace: `COMPREPLY=($(compgen -f -- "\${current:-/run/netns/}"))`,
  network: words(`$("\${COMP_WORDS[0]}" completion networks 2>/dev/null)`),
  shell: words(SHELLS.join(" ")),
  command: words("$commands"),
};

/** The script for bash. */
export function bash(): string {
  return `# bash completion for ipvlan
_ipvlan() {
  local current=\${COMP_WORDS[COMP_CWORD]} commands="${NAMES.join(" ")}" options="--help" position=0 index valued=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    ${words("$commands")}
    return
  fi
  # Which operand it is: options and their values are none.
  for ((index = 2; index < COMP_CWORD; index++)); do
    if [ -n "$valued" ]; then valued=""
    else
      case \${COMP_WORDS[index]} in
        ${valuedOptions().join(" | ")}) valued=\${COMP_WORDS[index]} ;;
        -*) ;;
        *) position=$((position + 1)) ;;
      esac
    fi
  done
  case $valued in
    "") ;;
    ${valuedOptions("DIR").join(" | ")}) COMPREPLY=($(compgen -d -- "$current")); return ;;
    ${valuedOptions("PATH").join(" | ")}) COMPREPLY=($(compgen -f -- "$current")); return ;;
    *) return ;;
  esac
  case \${COMP_WORDS[1]} in
${COMMANDS.map(caseOf).join("\n")}
  esac
  [[ $current != -* ]] || ${words("$options")}
}
complete -F _ipvlan ipvlan
`;
}

function caseOf({ name, options = [], operands = [] }: Command): string {
  const optionWords = [...options.map((option) => `--${option.name}`), "--help"].join(" ");
  const actions = operands.map(
    ({ kind, repeated }, index) => `        ${repeated ? "*" : index}) ${ACTIONS[kind]} ;;`,
  );
  return [
    `    ${name})`,
    `      options="${optionWords}"`,
    ...(actions.length === 0
      ? []
      : ["      [[ $current = -* ]] || case $position in", ...actions, "      esac"]),
    "      ;;",
  ].join("\n");
}
