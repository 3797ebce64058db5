/** What real shells offer to complete a command line with. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mustRun } from "./command.ts";

/** Asks a shell that has read `script` to complete each line, whose last word may be empty; gives what it offers, sorted. */
export type Complete = (script: string, lines: string[], options: Surroundings) => Promise<string[][]>;

export interface Surroundings {
  directory: string;
  environment: Record<string, string>;
}

/** Stands behind the words offered for a line. */
const END = "-- end --";

/** bash calls the function with the words of the line, and reads COMPREPLY. */
const BASH = `source "$1"; shift
for line; do
  read -ra COMP_WORDS <<<"$line"
  [[ $line != *" " ]] || COMP_WORDS+=("")
  COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
  _ipvlan
  printf '%s\\n' "\${COMPREPLY[@]}" "${END}"
done`;

/** fish answers the question itself. */
const FISH = `source $argv[1]
for line in $argv[2..-1]
  complete -C $line | cut -f1
  echo "${END}"
end`;

/**
 * zsh completes only at a terminal: one is made, each line typed, and what the completion functions add is noted down.
 * Arguments: a file for the words, the script, the lines.
 */
const ZSH = `zmodload zsh/zpty
offered=$1; script=$2; shift 2
zpty shell zsh -f -i
zpty -w shell "
PROMPT= ; autoload -Uz compinit; compinit -u -D
source $script
compadd() { local -a found; builtin compadd -O found \\"\\$@\\"; print -rl -- \\$found >>$offered; builtin compadd \\"\\$@\\"; }
finish() { zle list-choices; print -r -- '${END}' >>$offered; zle kill-buffer; }
zle -N finish; bindkey '^X' finish; print -r >>$offered.ready"
until [[ -e $offered.ready ]]; do sleep 0.05; done
integer done=0
for line; do
  zpty -n -w shell "$line"$'\\x18'
  (( done++ ))
  until (( $(grep -cs '^${END}$' $offered) == done )); do sleep 0.02; zpty -r -t shell ignored; done
done
zpty -d shell
cat $offered`;

export const completions: Record<string, Complete> = {
  bash: (script, lines, options) => ask(["bash", "-c", BASH, "bash", script, ...lines], options),
  fish: (script, lines, options) => ask(["fish", "--no-config", "-c", FISH, script, ...lines], options),
  zsh: async (script, lines, options) => {
    const scratch = mkdtempSync(join(tmpdir(), "ipvlan-zsh-"));
    try {
      const words = ["zsh", "-f", "-c", ZSH, "zsh", join(scratch, "offered"), script, ...lines];
      return await ask(words, options);
    } finally {
      rmSync(scratch, { recursive: true });
    }
  },
};

async function ask(words: string[], { directory, environment }: Surroundings): Promise<string[][]> {
  const answer = await mustRun(words, { directory, environment, timeoutMs: 50_000 });
  return answer
    .split(`${END}\n`)
    .slice(0, -1)
    .map((part) => {
      const offered = part.split("\n").map((line) => line.replace(/\/$/, ""));
      return [...new Set(offered)].filter((line) => line !== "").sort();
    });
}
