/** The list of mistakes that are none (test/mutants/equivalent.ts) is of the sources as they are. */

import { expect, test } from "bun:test";
import { equivalents } from "../mutants/equivalent.ts";
import { described, mutantsOf } from "../mutants/mutations.ts";
import { subjects } from "../mutants/reach.ts";
import { parse } from "../mutants/syntax.ts";

test("each excuse is for a mistake that can still be made", async () => {
  const mutants = [...(await parse(subjects()))].flatMap(([file, tree]) => mutantsOf(file, tree));
  const keyOf = (file: string, text: string, mutation: string) => `${file}: ${text}: ${mutation}`;
  const possible = new Set(mutants.map((mutant) => keyOf(mutant.file, mutant.text, described(mutant))));
  const wrong = equivalents
    .map(({ file, text, mutation }) => keyOf(file, text, mutation))
    .filter((key) => !possible.has(key));
  expect(wrong).toEqual([]);
});
