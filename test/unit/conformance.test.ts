/** The conformance tests see what differs, and take nothing for declared that is not. */

import { expect, test } from "bun:test";
import { begins, compare, type Difference, matches, something } from "../conformance/compare.ts";

const link = { up: true, mtu: 1500 };

test("equal observations have no differences", () => {
  expect(
    compare({ ADD: { exit: 0, links: { eth0: link } } }, { ADD: { exit: 0, links: { eth0: link } } }),
  ).toEqual([]);
});

test("of what only one has, the outermost is named", () => {
  expect(compare({ after: { links: { eth0: link } } }, { after: { links: {} } })).toEqual([
    { where: "after > links > eth0", reference: link, ours: undefined },
  ]);
});

test("where only one succeeds, the answers are compared, and nothing else of them", () => {
  const [success, error] = [
    { ADD: { exit: 0, answer: "success", result: { ips: [] } } },
    { ADD: { exit: 1, answer: "error 7: no", error: { cniVersion: "1.0.0" } } },
  ];
  expect(compare(success, error)).toEqual([
    { where: "ADD > answer", reference: "success", ours: "error 7: no" },
  ]);
});

test("the layout counts only when the results are the same", () => {
  const answer = (result: object, layout: string) => ({
    ADD: { exit: 0, answer: "success", result, layout },
  });
  expect(compare(answer({ a: 1 }, "{ a }"), answer({ a: 1 }, "{a}"))).toMatchObject([
    { where: "ADD > layout" },
  ]);
  expect(compare(answer({ a: 1 }, "{ a }"), answer({ a: 2 }, "{a}"))).toMatchObject([
    { where: "ADD > result > a" },
  ]);
});

const found = { where: "ADD > answer", reference: "error 999: one", ours: "error 7: two" };
const declared: Difference = {
  cases: ["mtu"],
  where: "ADD > answer",
  reference: begins("error 999"),
  ours: "error 7: two",
};

test("a difference is as declared", () => {
  expect(matches(declared, "mtu", found)).toBe(true);
  expect(matches({ ...declared, cases: "*", where: "*answer", reference: something }, "any", found)).toBe(
    true,
  );
});

test.each([
  ["of another case", { cases: ["mode"] }],
  ["at another place", { where: "DEL > answer" }],
  ["at a place that only begins so", { where: "ADD" }],
  ["with another beginning", { reference: begins("error 7") }],
  ["with another value", { ours: "error 7" }],
  ["with nothing", { ours: undefined }],
])("one %s is not", (_, change) => {
  expect(matches({ ...declared, ...change }, "mtu", found)).toBe(false);
});
