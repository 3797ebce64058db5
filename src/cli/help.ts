import { type Command, type CommandInput, UsageError, usageOf } from "./command.ts";
import { COMMANDS, commandNamed } from "./commands.ts";
import { type Paint, painter, wantsColour, wrap } from "./terminal.ts";

const WIDTH = 100;

/** `ipvlan help [COMMAND]` */
export function help({ operands: [name] }: CommandInput): number {
  const paint = painter(wantsColour(process.stdout));
  if (name === undefined) {
    console.log(overview(paint));
    return 0;
  }
  const command = commandNamed(name);
  if (command === undefined) throw new UsageError(`there is no command "${name}"`);
  console.log(explain(command, paint));
  return 0;
}

/** What the program is, and its commands. */
export function overview(paint: Paint): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  return [
    `ipvlan ${PLUGIN_VERSION}: attaches containers to a network with ipvlan`,
    "",
    wrap(
      "A container runtime calls this program as a CNI plugin, with CNI_COMMAND in its environment and the " +
        "network's configuration on standard input. A person can say:",
      WIDTH,
    ),
    "",
    ...COMMANDS.map(({ name, summary }) => `  ipvlan ${paint("bold", name.padEnd(width))}  ${summary}`),
    "",
    "`ipvlan help COMMAND` explains one. IPVLAN_DEBUG=stderr (or a file) makes any call tell what it does.",
  ].join("\n");
}

/** One command's usage, description and options. */
export function explain(command: Command, paint: Paint): string {
  const options = command.options ?? [];
  const spelt = options.map(
    ({ name, short, value }) =>
      `${short === undefined ? "    " : `-${short}, `}--${name}${value === undefined ? "" : ` ${value}`}`,
  );
  const width = Math.max(0, ...spelt.map((text) => text.length));
  return [
    `${paint("bold", `ipvlan ${usageOf(command)}`)}`,
    "",
    `${command.summary}.`.replace(/^./, (letter) => letter.toUpperCase()),
    ...command.description.flatMap((paragraph) => ["", wrap(paragraph, WIDTH)]),
    ...(options.length === 0 ? [] : [""]),
    ...options.map(({ summary }, index) => `  ${spelt[index]!.padEnd(width)}  ${summary}`),
  ].join("\n");
}
