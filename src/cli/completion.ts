import { type Command, type CommandInput, type OperandKind, UsageError } from "./command.ts";
import { COMMANDS } from "./commands.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;

/** `ipvlan completion SHELL` */
export function completion({ operands: [shell] }: CommandInput): number {
  const script = completionScript(shell ?? "");
  if (script === undefined) throw new UsageError(`no completion for "${shell}"; choose ${SHELLS.join(", ")}`);
  process.stdout.write(script);
  return 0;
}

/** The script for a shell; undefined when there is none for it. */
export function completionScript(shell: string): string | undefined {
  switch (shell) {
    case "bash":
      return bash();
    case "zsh":
      return zsh();
    case "fish":
      return fish();
    default:
      return undefined;
  }
}

const names = () => COMMANDS.map(({ name }) => name).join(" ");

/** What a shell says to list the networks that are configured: the names in their files. */
const LIST_NETWORKS = `sed -n 's/^ *"name" *: *"\\([^"]*\\)".*/\\1/p' "\${NETCONFPATH:-/etc/cni/net.d}"/* 2>/dev/null`;

const BASH_WORDS: Record<OperandKind, string> = {
  file: 'COMPREPLY=($(compgen -f -- "$current"))',
  path: 'COMPREPLY=($(compgen -d -- "$current"))',
  namespace: `COMPREPLY=($(compgen -f -- "\${current:-/run/netns/}"))`,
  network: `COMPREPLY=($(compgen -W "$(${LIST_NETWORKS})" -- "$current"))`,
  shell: `COMPREPLY=($(compgen -W "${SHELLS.join(" ")}" -- "$current"))`,
  command: 'COMPREPLY=($(compgen -W "$commands" -- "$current"))',
};

function bash(): string {
  const cases = COMMANDS.map((command) => {
    const operands = command.operands ?? [];
    const positions = operands.map(
      ({ kind, repeated }, index) => `        ${repeated ? "*" : index + 2}) ${BASH_WORDS[kind]} ;;`,
    );
    return [
      `    ${command.name})`,
      `      options="${optionWords(command).join(" ")}"`,
      ...(positions.length === 0
        ? []
        : [`      [[ $current = -* ]] || case $COMP_CWORD in`, ...positions, "      esac"]),
      "      ;;",
    ].join("\n");
  });
  return `# bash completion for ipvlan
_ipvlan() {
  local current=\${COMP_WORDS[COMP_CWORD]} commands="${names()}" options=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "$commands" -- "$current"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join("\n")}
  esac
  [[ $current != -* ]] || COMPREPLY=($(compgen -W "$options" -- "$current"))
}
complete -F _ipvlan ipvlan
`;
}

function optionWords({ options }: Command): string[] {
  return [...(options ?? []).map(({ name }) => `--${name}`), "--help"];
}

const ZSH_WORDS: Record<OperandKind, string> = {
  file: "_files",
  path: "_files -/",
  namespace: "_files -W /run/netns",
  network: `{_values network $(${LIST_NETWORKS.replaceAll("'", "'\\''")})}`,
  shell: `(${SHELLS.join(" ")})`,
  command: `(${COMMANDS.map(({ name }) => name).join(" ")})`,
};

function zsh(): string {
  const quote = (text: string) => text.replaceAll("'", "'\\''").replaceAll("[", "\\[").replaceAll("]", "\\]");
  const commands = COMMANDS.map(({ name, summary }) => `    '${name}:${quote(summary)}'`);
  const cases = COMMANDS.map((command) => {
    const options = (command.options ?? []).map(
      ({ name, value, summary }) =>
        `'--${name}[${quote(summary)}]${value === undefined ? "" : `:${value}:_files`}'`,
    );
    const operands = (command.operands ?? []).map(
      ({ name, kind, repeated }) => `'${repeated ? "*" : ""}:${name}:${ZSH_WORDS[kind]}'`,
    );
    return `    ${command.name}) _arguments ${[...options, ...operands].join(" ") || ":"} ;;`;
  });
  return `#compdef ipvlan
_ipvlan() {
  local -a commands=(
${commands.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case $words[1] in
${cases.join("\n")}
  esac
}
if [ "$funcstack[1]" = _ipvlan ]; then _ipvlan "$@"; else compdef _ipvlan ipvlan; fi
`;
}

const FISH_WORDS: Record<OperandKind, string> = {
  file: "-F",
  path: "-x -a '(__fish_complete_directories)'",
  namespace: "-x -a '(ls -d /run/netns/* 2>/dev/null)'",
  network: `-x -a "(cat /etc/cni/net.d/* 2>/dev/null | string match -rg '^ *\\"name\\" *: *\\"([^\\"]*)\\"')"`,
  shell: `-x -a '${SHELLS.join(" ")}'`,
  command: `-x -a '${COMMANDS.map(({ name }) => name).join(" ")}'`,
};

function fish(): string {
  const quote = (text: string) => `'${text.replaceAll("'", "\\'")}'`;
  const lines = COMMANDS.flatMap((command) => {
    const inside = `complete -c ipvlan -n '__fish_seen_subcommand_from ${command.name}'`;
    const [operand] = command.operands ?? [];
    return [
      `complete -c ipvlan -n __fish_use_subcommand -a ${command.name} -d ${quote(command.summary)}`,
      ...(operand === undefined ? [] : [`${inside} ${FISH_WORDS[operand.kind]}`]),
      ...(command.options ?? []).map(
        ({ name, short, value, summary }) =>
          `${inside} -l ${name}${short === undefined ? "" : ` -s ${short}`}${value === undefined ? "" : " -r"} -d ${quote(summary)}`,
      ),
    ];
  });
  return `# fish completion for ipvlan\ncomplete -c ipvlan -f\n${lines.join("\n")}\n`;
}
