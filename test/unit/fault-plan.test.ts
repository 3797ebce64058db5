import { expect, test } from "bun:test";
import { partOf, shuffled } from "../support/fault-plan.ts";

const list = Array.from({ length: 100 }, (_, index) => index);

test("the parts of a campaign are the whole, each fault in one of them", () => {
  const parts = ["1/3", "2/3", "3/3"].flatMap((part) => partOf(list, part));
  expect(parts).toHaveLength(100);
  expect(parts.sort((a, b) => a - b)).toEqual(list);
});

test("the order of a campaign follows from its seed, and leaves nothing out", () => {
  expect(shuffled(list, 1)).toEqual(shuffled(list, 1));
  expect(shuffled(list, 1)).not.toEqual(shuffled(list, 2));
  expect(shuffled(list, 1)).not.toEqual(list);
  expect(shuffled(list, 1).sort((a, b) => a - b)).toEqual(list);
});
