import { parseArgs } from "node:util";
import { type Command, type CommandInput, UsageError } from "./command.ts";

/** Reads the words after the command's name. Throws UsageError for what the command does not take. */
export function readArguments(command: Command, words: string[]): CommandInput {
  const { values, positionals } = parse(command, words);
  const operands = command.operands ?? [];
  const required = operands.filter(({ optional }) => !optional);
  const missing = required[positionals.length];
  if (missing !== undefined) throw new UsageError(`${missing.name} is missing`);
  const surplus = positionals[operands.length];
  if (surplus !== undefined && !operands.at(-1)?.repeated) throw new UsageError(`what is "${surplus}" for?`);
  return {
    operands: positionals,
    text: (name) => values[name] as string | undefined,
    has: (name) => values[name] === true,
  };
}

function parse(command: Command, words: string[]) {
  const options = Object.fromEntries(
    (command.options ?? []).map(({ name, short, value }) => [
      name,
      {
        type: value === undefined ? ("boolean" as const) : ("string" as const),
        ...(short === undefined ? {} : { short }),
      },
    ]),
  );
  try {
    return parseArgs({ args: words, options, allowPositionals: true });
  } catch (thrown) {
    // Its first sentence names the option; the others are advice for programmers.
    throw new UsageError((thrown as Error).message.split(". ")[0] ?? "wrong option");
  }
}
