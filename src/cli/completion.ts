import { type CommandInput, UsageError } from "./command.ts";
import { bash } from "./completion/bash.ts";
import { fish } from "./completion/fish.ts";
import { SHELLS } from "./completion/words.ts";
import { zsh } from "./completion/zsh.ts";
import { configurationDirectory, networkFiles } from "./networks.ts";

const SCRIPTS: Record<(typeof SHELLS)[number], () => string> = { bash, zsh, fish };

/** `ipvlan completion SHELL`; `networks` is for the scripts themselves. */
export function completion({ operands: [shell = ""] }: CommandInput): number {
  if (shell === "networks") {
    for (const { name } of networkFiles(configurationDirectory())) console.log(name);
    return 0;
  }
  const script = completionScript(shell);
  if (script === undefined) throw new UsageError(`no completion for "${shell}"; choose ${SHELLS.join(", ")}`);
  process.stdout.write(script);
  return 0;
}

/** The script for a shell; undefined when there is none for it. */
export function completionScript(shell: string): string | undefined {
  return (SHELLS as readonly string[]).includes(shell)
    ? SCRIPTS[shell as (typeof SHELLS)[number]]()
    : undefined;
}
