import type { Position } from "./json.ts";

/** Something to say about a place in a file. */
export interface Finding extends Position {
  file: string;
  level: "error" | "warning";
  message: string;
  remedy: string | undefined;
}

/** Takes what is found in one file. */
export class Findings {
  readonly all: Finding[] = [];
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  add(level: Finding["level"], position: Position, message: string, remedy?: string): void {
    const { line, column } = position;
    this.all.push({ file: this.#file, line, column, level, message, remedy });
  }

  get hasErrors(): boolean {
    return this.all.some(({ level }) => level === "error");
  }

  /** In the order of the file. */
  sorted(): Finding[] {
    return this.all.toSorted((a, b) => a.line - b.line || a.column - b.column);
  }
}
