/** The list of mistakes that are none (test/mutants/equivalent.ts) is of the sources as they are. */

import { expect, test } from "bun:test";
import { equivalents, excuses } from "../mutants/equivalent.ts";
import { mutantsOf } from "../mutants/mutations.ts";
import { subjects } from "../mutants/reach.ts";
import { parse } from "../mutants/syntax.ts";

test("each excuse is for a mistake that can still be made", async () => {
  const mutants = [...(await parse(subjects()))].flatMap(([file, tree]) => mutantsOf(file, tree));
  const wrong = equivalents.filter((each) => !mutants.some((mutant) => excuses(each, mutant)));
  expect(wrong).toEqual([]);
});
