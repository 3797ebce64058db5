import { type Located, type Position, positionOf } from "./json.ts";

/** A JSON text and where it stands: a file, or a string inside of one. */
export interface Source {
  text: string;
  /** Line and column in the file of an offset in the text. */
  position(at: number): Position;
}

export function wholeFile(text: string): Source {
  return { text, position: (at) => positionOf(text, at) };
}

/**
 * The JSON text that a YAML document has as a block or a plain string. Its lines are looked for in the file one after
 * the other; a text that YAML has put together otherwise is said to be where its first line is, or at the top.
 */
export function insideYaml(file: string, text: string): Source {
  const lines = file.split("\n");
  const wanted = text.trimEnd().split("\n");
  const start = lines.findIndex((_, index) =>
    wanted.every((line, offset) => lines[index + offset]?.includes(line.trim())),
  );
  return {
    text,
    position(at) {
      const { line, column } = positionOf(text, at);
      const found = lines[start + line - 1];
      if (start < 0 || found === undefined) return { line: 1, column: 1 };
      const own = wanted[line - 1] ?? "";
      const indent = own.length - own.trimStart().length;
      return { line: start + line, column: found.indexOf(own.trim()) - indent + column };
    },
  };
}

/** A JSON text inside a JSON string: no offset survives the escapes, so all of it is where the string is. */
export function insideString(outer: Source, node: Located): Source {
  return { text: String(node.value), position: () => outer.position(node.at) };
}

/** True for what is meant to be YAML: by its name, or because it does not begin as JSON does. */
export function isYaml(path: string, text: string): boolean {
  return /\.ya?ml$/i.test(path) || !/^\s*(\{|\[|$)/.test(text);
}
