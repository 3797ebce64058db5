/** One option of a command, as help, completion and the man page show it. */
export interface CommandOption {
  /** Without the dashes. */
  name: string;
  short?: string;
  /** What stands for its value, "DIR"; an option without one is a switch. */
  value?: string;
  summary: string;
}

/** What a command takes from the command line; its words decide how a shell completes it. */
export interface CommandInput {
  operands: string[];
  /** The value given, or undefined. */
  text(option: string): string | undefined;
  /** Whether the switch was given. */
  has(option: string): boolean;
}

/** Returns the exit status: 0 well, 1 not, 2 for a wrong command line. */
export type RunCommand = (input: CommandInput) => Promise<number> | number;

/** What a word of the command line names. */
export type OperandKind = "file" | "network" | "namespace" | "shell" | "command";

export interface Operand {
  /** "FILE" */
  name: string;
  kind: OperandKind;
  optional?: boolean;
  repeated?: boolean;
}

/** A command for people. `load` imports what runs it, so that no command pays for another. */
export interface Command {
  name: string;
  /** One line, without a full stop. */
  summary: string;
  /** Whole sentences for `help COMMAND` and the man page, a paragraph each. */
  description: string[];
  operands?: Operand[];
  options?: CommandOption[];
  load(): Promise<RunCommand>;
}

/** The command line is wrong; the remedy is always the command's help. */
export class UsageError extends Error {}

/** `validate [--json] FILE...` */
export function usageOf(command: Command): string {
  const options = (command.options ?? []).map(
    ({ name, value }) => `[--${name}${value === undefined ? "" : ` ${value}`}]`,
  );
  const operands = (command.operands ?? []).map(({ name, optional, repeated }) => {
    const word = `${name}${repeated ? "..." : ""}`;
    return optional ? `[${word}]` : word;
  });
  return [command.name, ...options, ...operands].join(" ");
}
