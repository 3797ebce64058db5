import {
  type ExportNamedDeclaration,
  type Expression,
  type Identifier,
  type ImportDeclaration,
  type ImportSpecifier,
  type Program,
  parse,
} from "acorn";
import { minify } from "terser";
import { withStandIns } from "./array-methods.ts";

/** Text of a chunk by its name. */
export type Chunks = Map<string, string>;

/** What the sources name in capitals is never assigned again: kernel constants, limits. */
const CONSTANT = /^[A-Z][A-Z0-9_]*$/;

/**
 * Does in the chunks that Bun's bundler makes of ES modules, unminified, what it leaves undone: numbers that are constants
 * become literals wherever they are used, in other chunks too; functions with a single caller move to it, so that those
 * whose caller does not run are never made; what then has no user is left out; methods of arrays that the engine would
 * have to compile first have stand-ins. A process that runs every function once pays for each of them. Throws a TypeError for an import from what is no chunk.
 */
export async function tightened(chunks: Chunks): Promise<Chunks> {
  const tight: Chunks = new Map();
  for (const [name, text] of withLiterals(chunks)) {
    // Bun itself shortens names.
    const options = { module: true, compress: { passes: 3 }, mangle: false, format: { beautify: true } };
    const { code = "" } = await minify(withStandIns(text), options);
    // In this form the bundler finds the chunk that is meant.
    tight.set(name, code.replaceAll('import.meta.require("./', 'require("./'));
  }
  return tight;
}

/** The chunks, each with the constants that it imports as its own. */
function withLiterals(chunks: Chunks): Chunks {
  const programs = [...chunks].map(([name, text]) => {
    const program = parse(text, { ecmaVersion: "latest", sourceType: "module" });
    return { name, text, program, constants: exportedConstants(program) };
  });
  const constantsOf = new Map(programs.map(({ name, constants }) => [name, constants]));
  const changed: Chunks = new Map();
  for (const { name, text, program, constants } of programs) {
    let rest = text;
    // From the end on, so that what comes before stays in its place.
    for (const node of program.body.toReversed()) {
      if (node.type === "ImportDeclaration") {
        const from = String(node.source.value);
        if (!from.startsWith("./")) continue;
        const known = constantsOf.get(from.slice(2));
        if (known === undefined) throw new TypeError(`${name} imports from ${from}, which is no chunk`);
        rest = replaced(rest, node, importWith(node, known));
      } else if (node.type === "ExportNamedDeclaration") {
        const kept = node.specifiers.filter(({ exported }) => !constants.has(nameOf(exported)));
        const list = kept.map(({ local, exported }) => `${nameOf(local)} as ${nameOf(exported)}`);
        rest = replaced(rest, node, `export { ${list.join(", ")} };`);
      }
    }
    changed.set(name, rest);
  }
  return changed;
}

/** The import without the names that are constants, and these. */
function importWith(node: ImportDeclaration, known: Map<string, string>): string {
  const own: string[] = [];
  const kept: string[] = [];
  for (const { imported, local } of node.specifiers as ImportSpecifier[]) {
    const value = known.get(nameOf(imported));
    if (value === undefined) kept.push(`${nameOf(imported)} as ${local.name}`);
    else own.push(`const ${local.name} = ${value};`);
  }
  return `import { ${kept.join(", ")} } from ${node.source.raw};\n${own.join("\n")}`;
}

/** The numbers that a chunk exports as constants, by the name that others import. */
function exportedConstants(program: Program): Map<string, string> {
  const numbers = new Map<string, string>();
  for (const node of program.body) {
    if (node.type !== "VariableDeclaration") continue;
    for (const { id, init } of node.declarations) {
      if (id.type !== "Identifier" || !CONSTANT.test(id.name)) continue;
      const value = init ? numberIn(init) : undefined;
      if (value !== undefined) numbers.set(id.name, value);
    }
  }
  const constants = new Map<string, string>();
  for (const node of program.body) {
    if (node.type !== "ExportNamedDeclaration") continue;
    for (const { local, exported } of node.specifiers) {
      const value = numbers.get(nameOf(local));
      if (value !== undefined) constants.set(nameOf(exported), value);
    }
  }
  return constants;
}

/** The text of a number, perhaps a negative one. */
function numberIn(expression: Expression): string | undefined {
  if (expression.type === "Literal" && typeof expression.value === "number") return expression.raw;
  if (expression.type !== "UnaryExpression" || expression.operator !== "-") return undefined;
  const value = numberIn(expression.argument);
  return value === undefined ? undefined : `-${value}`;
}

function nameOf(node: ExportNamedDeclaration["specifiers"][0]["local"]): string {
  return (node as Identifier).name;
}

function replaced(text: string, { start, end }: { start: number; end: number }, by: string): string {
  return text.slice(0, start) + by + text.slice(end);
}
