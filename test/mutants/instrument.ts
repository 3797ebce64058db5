/** Counts which statements are run, by whatever runs them: a test in its own process, or the executable that it starts. */

import { appendFileSync, chmodSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import type { Node, SourceFile } from "typescript/unstable/ast";
import {
  isArrowFunction,
  isBlock,
  isCaseClause,
  isClassDeclaration,
  isDefaultClause,
  isExportDeclaration,
  isForInStatement,
  isForOfStatement,
  isForStatement,
  isFunctionDeclaration,
  isIfStatement,
  isImportDeclaration,
  isInterfaceDeclaration,
  isSourceFile,
  isStatement,
  isTypeAliasDeclaration,
  isWhileStatement,
} from "typescript/unstable/ast";

/** A statement, or the body of an arrow function. */
export interface Unit {
  file: string;
  /** Counted from 1. */
  line: number;
  start: number;
  end: number;
  /** Run when the file is loaded, not when something of it is called. */
  isTop: boolean;
}

/** The file that each process adds one record to as it ends. */
export function hitsPath(scratch: string): string {
  return join(scratch, "hits");
}

/** Puts a counter before each statement of the sources in `scratch`. Returns what each counter counts. */
export function instrument(scratch: string, trees: Map<string, SourceFile>): Unit[] {
  const units: Unit[] = [];
  for (const [file, tree] of trees) {
    const edits = editsOf(file, tree, units);
    const hits = relative(dirname(file), "src/hits.ts");
    const from = hits.startsWith(".") ? hits : `./${hits}`;
    let text = tree.text;
    for (const { at, insert } of edits.sort((a, b) => b.at - a.at || b.order - a.order))
      text = text.slice(0, at) + insert + text.slice(at);
    writeFileSync(join(scratch, file), `import { hit } from "${from}";${text}`);
  }
  writeFileSync(hitsPath(scratch), "");
  chmodSync(hitsPath(scratch), 0o666);
  writeFileSync(join(scratch, "src/hits.ts"), recorder(hitsPath(scratch), units.length));
  // No process that runs tests tells of its end.
  appendFileSync(
    join(scratch, "test/support/preload.ts"),
    'import { afterAll } from "bun:test";\nimport { tell } from "../../src/hits.ts";\nafterAll(tell);\n',
  );
  return units;
}

interface Edit {
  at: number;
  insert: string;
  /** Of several at one place, which comes first. */
  order: number;
}

function editsOf(file: string, tree: SourceFile, units: Unit[]): Edit[] {
  const edits: Edit[] = [];
  const lineOf = (at: number) => tree.text.slice(0, at).split("\n").length;
  const insert = (at: number, text: string) => edits.push({ at, insert: text, order: edits.length });
  const unit = (node: Node, isTop = false) => {
    const start = node.getStart(tree);
    units.push({ file, line: lineOf(start), start, end: node.end, isTop });
    return `hit(${units.length - 1})`;
  };
  const visit = (node: Node, parent: Node) => {
    if (isStatement(node) && !isBlock(node) && !isDeclaration(node)) {
      const at = node.getStart(tree);
      if (isList(parent)) insert(at, `${unit(node, isSourceFile(parent))};`);
      else if (isBodyOf(node, parent)) {
        insert(at, `{${unit(node)};`);
        node.forEachChild((child) => visit(child, node));
        insert(node.end, "}");
        return;
      }
    } else if (isArrowFunction(parent) && node === parent.body && !isBlock(node)) {
      insert(node.getStart(tree), `(${unit(node)}, `);
      node.forEachChild((child) => visit(child, node));
      insert(node.end, ")");
      return;
    }
    node.forEachChild((child) => visit(child, node));
  };
  tree.forEachChild((child) => visit(child, tree));
  return edits;
}

function isDeclaration(node: Node): boolean {
  return (
    isImportDeclaration(node) ||
    isExportDeclaration(node) ||
    isFunctionDeclaration(node) ||
    isClassDeclaration(node) ||
    isInterfaceDeclaration(node) ||
    isTypeAliasDeclaration(node)
  );
}

function isList(node: Node): boolean {
  return isSourceFile(node) || isBlock(node) || isCaseClause(node) || isDefaultClause(node);
}

function isBodyOf(node: Node, parent: Node): boolean {
  if (isIfStatement(parent)) return node === parent.thenStatement || node === parent.elseStatement;
  const isLoop =
    isForStatement(parent) ||
    isForOfStatement(parent) ||
    isForInStatement(parent) ||
    isWhileStatement(parent);
  return isLoop && node === parent.statement;
}

/** A process that is killed leaves no record: what only it ran counts as not run. */
function recorder(path: string, count: number): string {
  return `import { appendFileSync } from "node:fs";
const bits: Uint8Array = ((globalThis as any).ipvlanHits ??= new Uint8Array(${recordBytes(count)}));
export function hit(unit: number) { bits[unit >> 3]! |= 1 << (unit & 7); }
export function tell() { try { appendFileSync(${JSON.stringify(path)}, bits); } catch {} }
process.on("exit", tell);
`;
}

function recordBytes(count: number): number {
  return (count + 7) >> 3;
}

/** The units that were hit since this was last asked, as their numbers. */
export function takeHits(scratch: string, count: number): number[] {
  const path = hitsPath(scratch);
  const bytes = readFileSync(path);
  truncateSync(path, 0);
  const size = recordBytes(count);
  const all = new Uint8Array(size);
  for (let at = 0; at < bytes.length; at++) all[at % size]! |= bytes[at]!;
  return Array.from({ length: count }, (_, unit) => unit).filter(
    (unit) => (all[unit >> 3]! >> (unit & 7)) & 1,
  );
}
