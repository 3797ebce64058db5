/** One small mistake at a time: what a slip of the pen could make of a source file. */

import type { Node, SourceFile } from "typescript/unstable/ast";
import {
  isArrayLiteralExpression,
  isBigIntLiteral,
  isBinaryExpression,
  isCallExpression,
  isConditionalExpression,
  isExportDeclaration,
  isExpressionStatement,
  isForStatement,
  isIfStatement,
  isImportDeclaration,
  isInterfaceDeclaration,
  isLiteralTypeNode,
  isNumericLiteral,
  isPostfixUnaryExpression,
  isPrefixUnaryExpression,
  isReturnStatement,
  isStringLiteral,
  isThrowStatement,
  isTypeAliasDeclaration,
  isTypeNode,
  isWhileStatement,
  SyntaxKind,
} from "typescript/unstable/ast";

export interface Mutant {
  file: string;
  /** Counted from 1. */
  line: number;
  /** The whole line, for people, and for the list of equivalent ones, which outlives its number. */
  text: string;
  /** Where in the file, and what is there afterwards. */
  start: number;
  end: number;
  before: string;
  after: string;
  /** Which one of those that read the same in that line. */
  ordinal: number;
}

/** What each operator is mistaken for. */
const mistaken: Record<string, string[]> = {
  "===": ["!=="],
  "!==": ["==="],
  "==": ["!="],
  "!=": ["=="],
  "<": ["<=", ">="],
  "<=": ["<", ">"],
  ">": [">=", "<="],
  ">=": [">", "<"],
  "&&": ["||"],
  "||": ["&&"],
  "+": ["-"],
  "-": ["+"],
  "*": ["+"],
  "/": ["*"],
  "%": ["*"],
  "&": ["|"],
  "|": ["&"],
  "^": ["|"],
  "<<": [">>"],
  ">>": ["<<"],
  ">>>": ["<<"],
  "+=": ["-="],
  "-=": ["+="],
  "|=": ["&="],
  "&=": ["|="],
};

/**
 * All mutants of a file. Left out are types, imports, the debug log and the stop-watch of benchmarks, which change nothing of
 * what the program does.
 */
export function mutantsOf(file: string, tree: SourceFile): Mutant[] {
  const found: Mutant[] = [];
  const { text } = tree;
  const isAssembly = file.startsWith("wasm/");
  const lineStarts = [0, ...[...text.matchAll(/\n/g)].map((match) => match.index + 1)];

  const add = (start: number, end: number, after: string) => {
    const line = lineStarts.findLastIndex((at) => at <= start);
    const before = text.slice(start, end);
    const twins = found.filter(
      (each) => each.line === line + 1 && each.before === before && each.after === after,
    );
    found.push({
      ...{ file, line: line + 1, text: text.slice(lineStarts[line], lineStarts[line + 1]).trim() },
      ...{ start, end, before, after, ordinal: twins.length + 1 },
    });
  };
  const replace = (node: Node, after: string) => add(node.getStart(tree), node.end, after);
  const written = (node: Node) => text.slice(node.getStart(tree), node.end);

  const visit = (node: Node): void => {
    if (isOutside(node, written(node))) return;
    if (isIfStatement(node) || isWhileStatement(node)) negate(node.expression);
    else if (isForStatement(node) && node.condition) negate(node.condition);
    else if (isConditionalExpression(node)) negate(node.condition);
    else if (isBinaryExpression(node)) binary(node.left, node.operatorToken, node.right);
    else if (isPrefixUnaryExpression(node)) prefix(node, node.operator, node.operand);
    else if (isPostfixUnaryExpression(node))
      add(node.operand.end, node.end, written(node).endsWith("++") ? "--" : "++");
    else if (isExpressionStatement(node)) replace(node, isAssembly ? "" : ";");
    else if (isThrowStatement(node)) replace(node, ";");
    else if (isReturnStatement(node)) {
      if (node.expression === undefined) replace(node, ";");
      else if (!isSettled(written(node.expression))) replace(node.expression, isAssembly ? "0" : "undefined");
    } else literal(node);
    node.forEachChild((child) => {
      visit(child);
    });
  };

  const negate = (condition: Node) => {
    // The same as the mutant of its own operator.
    const isOwn =
      (isPrefixUnaryExpression(condition) && condition.operator === SyntaxKind.ExclamationToken) ||
      (isBinaryExpression(condition) && /^[!=]==?$/.test(written(condition.operatorToken)));
    if (!isOwn) replace(condition, `!(${written(condition)})`);
  };

  const binary = (left: Node, operator: Node, right: Node) => {
    const symbol = written(operator);
    for (const other of mistaken[symbol] ?? []) replace(operator, other);
    // What is left of `a ?? b` when its other half is forgotten.
    if (symbol === "??") {
      add(left.getStart(tree), right.end, written(left));
      add(left.getStart(tree), right.end, `(${written(right)})`);
    }
  };

  const prefix = (node: Node, operator: SyntaxKind, operand: Node) => {
    if (operator === SyntaxKind.ExclamationToken) replace(node, written(operand));
    else if (operator === SyntaxKind.PlusPlusToken) add(node.getStart(tree), operand.getStart(tree), "--");
    else if (operator === SyntaxKind.MinusMinusToken) add(node.getStart(tree), operand.getStart(tree), "++");
    else if (operator === SyntaxKind.MinusToken) replace(node, written(operand));
  };

  const literal = (node: Node) => {
    if (isNumericLiteral(node)) replace(node, `(${written(node)} + 1)`);
    else if (isBigIntLiteral(node)) replace(node, `(${written(node)} + 1n)`);
    else if (isStringLiteral(node)) replace(node, node.text === "" ? '"mutant"' : '""');
    else if (node.kind === SyntaxKind.TrueKeyword) replace(node, "false");
    else if (node.kind === SyntaxKind.FalseKeyword) replace(node, "true");
    else if (isArrayLiteralExpression(node) && node.elements.length > 0 && !isAssembly) replace(node, "[]");
  };

  visit(tree);
  return found;
}

/** What is no part of the program's doing. */
function isOutside(node: Node, written: string): boolean {
  return (
    isImportDeclaration(node) ||
    isExportDeclaration(node) ||
    isInterfaceDeclaration(node) ||
    isTypeAliasDeclaration(node) ||
    isLiteralTypeNode(node) ||
    isTypeNode(node) ||
    (isExpressionStatement(node) && /^debug\?\./.test(written)) ||
    (isIfStatement(node) && /^if \(PROFILE\)/.test(written)) ||
    (isCallExpression(node) && /^import\(/.test(written))
  );
}

/** Values that are what a mutant would put in their place, or mutants of their own. */
function isSettled(expression: string): boolean {
  return ["undefined", "null", "0", "true", "false"].includes(expression);
}

/** The source with the mutant in it. */
export function applied(source: string, mutant: Mutant): string {
  return source.slice(0, mutant.start) + mutant.after + source.slice(mutant.end);
}

/** As people read it, and as `equivalent.ts` names it. */
export function described({ before, after, ordinal }: Mutant): string {
  const short = (text: string) => text.replace(/\s+/g, " ");
  const change = `${short(before)} → ${after === "" || after === ";" ? "nothing" : short(after)}`;
  return ordinal === 1 ? change : `${change}, number ${ordinal}`;
}
