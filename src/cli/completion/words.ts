/** What completion in every shell is made of. */

import type { Command, CommandOption } from "../command.ts";
import { COMMANDS } from "../commands.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;

/** The names of all commands. */
export const NAMES = COMMANDS.map(({ name }) => name);

/** The words that stand for an option: `--json`, `-n`. */
export function spellings({ name, short }: CommandOption): string[] {
  return short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`];
}

/** Options of any command whose value is the word that follows, in all spellings; of those values that are of this sort. */
export function valuedOptions(value?: string): string[] {
  return COMMANDS.flatMap(({ options = [] }: Command) => options)
    .filter((option) => option.value !== undefined && (value === undefined || option.value === value))
    .flatMap(spellings);
}
