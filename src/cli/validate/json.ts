import { DEPTH_LIMIT } from "../../json.ts";

/** A JSON value that knows where it stands in its text. */
export interface Located {
  value: unknown;
  /** Offset of its first character. */
  at: number;
  /** The members of an object, in the order of the text; of two with one name both are there. */
  members?: { key: string; keyAt: number; node: Located }[];
  items?: Located[];
}

/** The text is no JSON; `at` is where it stops being some. */
export class JsonError extends Error {
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

/** Reads JSON (RFC 8259) and remembers where everything is. Throws JsonError. */
export function locate(text: string): Located {
  const reader = new Reader(text);
  const node = reader.value(0);
  reader.end();
  return node;
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/y;
const STRING = /"(?:[^"\\\n]|\\.)*"/y;
const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const SPACE = /[ \t\r\n]*/y;
const WORDS: Record<string, unknown> = { true: true, false: false, null: null };

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): Located {
    if (depth > DEPTH_LIMIT) throw new JsonError(`nested deeper than ${DEPTH_LIMIT} levels`, this.#at);
    this.#take(SPACE);
    const at = this.#at;
    switch (this.#text[at]) {
      case "{":
        return this.#object(depth);
      case "[":
        return this.#array(depth);
      case '"':
        return { value: this.#string(), at };
    }
    const number = this.#take(NUMBER);
    if (number !== undefined) return { value: Number(number), at };
    const word = this.#take(WORD);
    if (word !== undefined && Object.hasOwn(WORDS, word)) return { value: WORDS[word], at };
    throw new JsonError(`a value is expected here, not ${this.#seen(at)}`, at);
  }

  end(): void {
    this.#take(SPACE);
    if (this.#at < this.#text.length)
      throw new JsonError(`the document should end here, not go on with ${this.#seen(this.#at)}`, this.#at);
  }

  #object(depth: number): Located {
    const at = this.#at++;
    const members: NonNullable<Located["members"]> = [];
    while (this.#separated("}", members.length)) {
      const keyAt = this.#at;
      if (this.#text[keyAt] !== '"')
        throw new JsonError(`a key in double quotes is expected here, not ${this.#seen(keyAt)}`, keyAt);
      const key = this.#string();
      this.#take(SPACE);
      if (this.#text[this.#at] !== ":")
        throw new JsonError(`":" is expected after the key, not ${this.#seen(this.#at)}`, this.#at);
      this.#at++;
      members.push({ key, keyAt, node: this.value(depth + 1) });
    }
    // Built as JSON.parse does: "__proto__" is a key like any other, and of two spellings the later one counts.
    const value = Object.fromEntries(members.map(({ key, node }) => [key, node.value]));
    return { value, at, members };
  }

  #array(depth: number): Located {
    const at = this.#at++;
    const items: Located[] = [];
    while (this.#separated("]", items.length)) items.push(this.value(depth + 1));
    return { value: items.map((item) => item.value), at, items };
  }

  /** Stands before the next element, or behind the closing bracket. */
  #separated(closing: string, count: number): boolean {
    this.#take(SPACE);
    if (this.#text[this.#at] === closing) {
      this.#at++;
      return false;
    }
    if (count === 0) return true;
    const comma = this.#at;
    if (this.#text[comma] !== ",")
      throw new JsonError(`"," or "${closing}" is expected here, not ${this.#seen(comma)}`, comma);
    this.#at++;
    this.#take(SPACE);
    if (this.#text[this.#at] === closing)
      throw new JsonError(`there is a comma before "${closing}", which JSON does not allow`, comma);
    return true;
  }

  #string(): string {
    const at = this.#at;
    try {
      const text: unknown = JSON.parse(this.#take(STRING) ?? "");
      return text as string;
    } catch {
      throw new JsonError("this string does not end on its line, or has a wrong escape", at);
    }
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #seen(at: number): string {
    const character = this.#text[at];
    return character === undefined ? "the end of the text" : JSON.stringify(character);
  }
}

/** Where a path such as `ipam.ranges[0][0].subnet` leads; keys in any case. As far as it goes when it leads nowhere. */
export function follow(root: Located, path: string): Located {
  let node = root;
  for (const [, key, index] of path.matchAll(/([^.[\]]+)|\[(\d+)\]/g)) {
    const next =
      index !== undefined
        ? node.items?.[Number(index)]
        : node.members?.findLast((member) => member.key.toLowerCase() === key!.toLowerCase())?.node;
    if (next === undefined) return node;
    node = next;
  }
  return node;
}

/** Line and column, both from 1. */
export interface Position {
  line: number;
  column: number;
}

export function positionOf(text: string, at: number): Position {
  const before = text.slice(0, at).split("\n");
  return { line: before.length, column: [...before.at(-1)!].length + 1 };
}
