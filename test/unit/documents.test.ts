import { expect, test } from "bun:test";
import { attachments } from "../conformance/cases/attach.ts";
import { upkeep } from "../conformance/cases/keep.ts";
import { refusals } from "../conformance/cases/refuse.ts";
import { kinds } from "../conformance/differences.ts";
import { conformanceDocument, path } from "../conformance/document.ts";

test("docs/conformance.md is what its table makes it (bun test/conformance/document.ts)", async () => {
  expect(await Bun.file(path).text()).toBe(conformanceDocument());
});

test("conformance cases have names of their own, and differences name such cases only", () => {
  const names = [...attachments, ...refusals, ...upkeep].map(({ name }) => name);
  expect(names.length).toBe(new Set(names).size);
  const named = kinds.flatMap(({ differences }) =>
    differences.flatMap(({ cases }) => (cases === "*" ? [] : cases)),
  );
  expect(named.filter((name) => !names.includes(name))).toEqual([]);
});
