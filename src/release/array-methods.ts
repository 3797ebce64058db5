import { type CallExpression, type Node, parse } from "acorn";

/**
 * What stands in for the methods, which are JavaScript of the engine's: the first use of each has it compiled from its
 * text, at 100,000 instructions, whereas these come compiled with the chunk. They do what the methods do.
 */
const STAND_INS: Record<string, string> = {
  map: `(list, each) => {
    if (!Array.isArray(list)) return list.map(each);
    const { length } = list, made = [];
    made.length = length;
    for (let index = 0; index < length; index++) if (index in list) made[index] = each(list[index], index, list);
    return made;
  }`,
  filter: `(list, holds) => {
    if (!Array.isArray(list)) return list.filter(holds);
    const { length } = list, kept = [];
    for (let index = 0; index < length; index++) {
      if (!(index in list)) continue;
      const item = list[index];
      if (holds(item, index, list)) kept.push(item);
    }
    return kept;
  }`,
  find: `(list, holds) => {
    if (!Array.isArray(list)) return list.find(holds);
    const { length } = list;
    for (let index = 0; index < length; index++) {
      const item = list[index];
      if (holds(item, index, list)) return item;
    }
  }`,
  some: `(list, holds) => {
    if (!Array.isArray(list)) return list.some(holds);
    const { length } = list;
    for (let index = 0; index < length; index++) if (index in list && holds(list[index], index, list)) return true;
    return false;
  }`,
  every: `(list, holds) => {
    if (!Array.isArray(list)) return list.every(holds);
    const { length } = list;
    for (let index = 0; index < length; index++) if (index in list && !holds(list[index], index, list)) return false;
    return true;
  }`,
};

/** A place in the text, what of it goes, and what comes instead. */
interface Edit {
  at: number;
  removed: number;
  added: string;
}

/**
 * The text of a module in which `list.map(each)` is a call of a function that stands in for the method; so with filter,
 * find, some and every. Calls with a second argument and those of an optional chain stay.
 */
export function withStandIns(text: string): string {
  // Parentheses are nodes of their own: they belong to what is before the method.
  const program = parse(text, { ecmaVersion: "latest", sourceType: "module", preserveParens: true });
  const edits: Edit[] = [];
  const used = new Set<string>();
  visit(program, false, (call) => {
    const { callee } = call;
    const [each, ...others] = call.arguments;
    if (callee.type !== "MemberExpression" || callee.computed || callee.property.type !== "Identifier")
      return;
    const { name } = callee.property;
    if (!Object.hasOwn(STAND_INS, name) || each === undefined || others.length > 0) return;
    if (each.type === "SpreadElement" || callee.object.type === "Super") return;
    used.add(name);
    edits.push({ at: call.start, removed: 0, added: `$${name}(` });
    edits.push({ at: callee.object.end, removed: each.start - callee.object.end, added: ", " });
  });
  // Of two at one place the outer one, which was met first, comes first.
  edits.sort((a, b) => a.at - b.at);
  let changed = [...used].map((name) => `const $${name} = ${STAND_INS[name]};\n`).join("");
  let from = 0;
  for (const { at, removed, added } of edits) {
    changed += text.slice(from, at) + added;
    from = at + removed;
  }
  return changed + text.slice(from);
}

/** Shows every call but those that an optional chain may skip; `isChained`: the node is on such a chain. */
function visit(node: Node, isChained: boolean, show: (call: CallExpression) => void): void {
  const isLink = node.type === "CallExpression" || node.type === "MemberExpression";
  const isOnChain = node.type === "ChainExpression" || (isChained && isLink);
  if (node.type === "CallExpression" && !isChained) show(node as CallExpression);
  for (const [key, value] of Object.entries(node)) {
    // Arguments, and keys in brackets, are expressions of their own.
    const isSpine = key === "expression" || key === "callee" || key === "object";
    for (const child of Array.isArray(value) ? value : [value])
      if (typeof child?.type === "string") visit(child, isOnChain && isSpine, show);
  }
}
