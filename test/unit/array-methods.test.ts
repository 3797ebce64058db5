/** The functions that stand in for array methods do what these do. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { withStandIns } from "../../src/release/array-methods.ts";

const METHODS = ["map", "filter", "find", "some", "every"] as const;

/** What the module's text exports as `found`. */
async function found(text: string): Promise<unknown> {
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  return (await import(url)).found;
}

const methods = (await found(
  withStandIns(
    `export const found = { ${METHODS.map((name) => `${name}: (list, f) => list.${name}(f)`).join(", ")} };`,
  ),
)) as Record<string, (list: unknown, each: (...words: unknown[]) => unknown) => unknown>;

test.each(METHODS)("%s of any list, with holes too, is the same and calls back the same", (name) => {
  const holed = fc.array(fc.option(fc.integer(), { nil: "hole" as const })).map((items) => {
    const list: unknown[] = [];
    list.length = items.length;
    for (const [index, item] of items.entries()) if (item !== "hole") list[index] = item;
    return list;
  });
  fc.assert(
    fc.property(holed, fc.func(fc.oneof(fc.boolean(), fc.integer())), (list, answer) => {
      const run = (work: (each: (...words: unknown[]) => unknown) => unknown) => {
        const calls: unknown[][] = [];
        const result = work((...words) => {
          calls.push(words);
          return answer(...words.slice(0, 2));
        });
        return [result, calls];
      };
      const native = run((each) => (list[name] as (f: typeof each) => unknown)(each));
      expect(run((each) => methods[name]!(list, each))).toStrictEqual(native);
    }),
  );
});

test.each(METHODS)("%s of what is no array is that object's own", (name) => {
  expect(methods[name]!({ [name]: () => "its own" }, () => true)).toBe("its own");
  expect(methods[name]!(new Uint8Array([1, 2]), (item) => item === 2)).toEqual(
    (new Uint8Array([1, 2])[name] as (f: (item: number) => unknown) => unknown)((item) => item === 2),
  );
});

test.each([
  ["nested in one another", "[3, 1, 2].filter((x) => [1, 2].some((y) => y === x)).map((x) => x * 2)", [2, 4]],
  ["after parentheses", "(false || [1, 2]).map((x) => x + 1)", [2, 3]],
  ["of what is awaited", "(await Promise.resolve([1, 2])).find((x) => x > 1)", 2],
  [
    "in an optional chain that ends early",
    "[undefined?.list.map((x) => x), null?.map((x) => x)]",
    [undefined, undefined],
  ],
  ["in the arguments of an optional chain", "((f) => f?.([1, 2].map((x) => x * 3)))((list) => list)", [3, 6]],
  ["behind a key in brackets", "({ a: [1] })['a'].every((x) => x === 1)", true],
  ["with a second argument", "[1].map(function () { return this.y; }, { y: 5 })", [5]],
])("calls %s", async (_, expression, value) => {
  expect(await found(withStandIns(`export const found = ${expression};`))).toEqual(value);
});

test("a stand-in is there for what is called, and for nothing else", () => {
  const text = withStandIns("export const found = [1].map((x) => x);");
  expect(text).toContain("const $map");
  expect(text).not.toContain("$filter");
  expect(withStandIns("list?.map(f);")).toBe("list?.map(f);");
});
