/** Ways to mark a text; each is a "Select Graphic Rendition" number of ECMA-48. */
const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const;

export type Style = keyof typeof STYLES;

/** Marks a text, or leaves it as it is where marks would only be in the way. */
export type Paint = (style: Style, text: string) => string;

/** True for a terminal whose user has not said NO_COLOR (no-color.org). */
export function wantsColour(
  stream: { isTTY?: boolean | undefined },
  environment: Record<string, string | undefined> = process.env,
): boolean {
  return stream.isTTY === true && !environment.NO_COLOR && environment.TERM !== "dumb";
}

/** How to mark what goes to that stream. */
export function painter(colour: boolean): Paint {
  return (style, text) => (colour ? `\x1b[${STYLES[style]}m${text}\x1b[0m` : text);
}

/** Rows under their headings, columns two spaces apart, nothing at the ends of lines. */
export function table(headings: string[], rows: string[][], paint: Paint): string {
  const widths = headings.map((heading, column) =>
    Math.max(...[heading, ...rows.map((row) => row[column] ?? "")].map((cell) => Bun.stringWidth(cell))),
  );
  const line = (cells: string[]) =>
    cells
      .map((cell, column) => cell + " ".repeat(Math.max(0, (widths[column] ?? 0) - Bun.stringWidth(cell))))
      .join("  ")
      .trimEnd();
  return [paint("bold", line(headings)), ...rows.map(line)].join("\n");
}

/** A text in lines of at most `width` columns, each behind `indent`. */
export function wrap(text: string, width: number, indent = ""): string {
  const lines: string[] = [];
  let current = "";
  for (const word of text.split(" ")) {
    if (current !== "" && Bun.stringWidth(`${indent}${current} ${word}`) > width) {
      lines.push(indent + current);
      current = word;
    } else {
      current = current === "" ? word : `${current} ${word}`;
    }
  }
  return [...lines, indent + current].join("\n");
}
