import { expect, test } from "bun:test";
import { join } from "node:path";
import { Glob } from "bun";
import { codes, errorDocument } from "../../src/cni/error.ts";
import { Failure, type FailureKind } from "../../src/error.ts";
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

const root = join(import.meta.dir, "../..");
const errors = await Bun.file(join(root, "docs/errors.md")).text();

test("docs/errors.md has a section for every kind of failure, under its code", () => {
  const headings = [...errors.matchAll(/^## (\d+): (\S+)$/gm)].map(([, code, kind]) => [kind, Number(code)]);
  expect(headings).toEqual(Object.entries(codes()));
});

test.each(Object.entries(codes()))(
  "a failure of kind %s makes an error document with code %d",
  (kind, code) => {
    const failure = new Failure(kind as FailureKind, "what failed", { remedy: "what to do" });
    expect(errorDocument(failure, "1.0.0")).toEqual({
      cniVersion: "1.0.0",
      code,
      msg: "what failed",
      details: "what to do",
    });
  },
);

test("every message in docs/errors.md is one that the source has", async () => {
  let source = "";
  for await (const file of new Glob("src/**/*.ts").scan(root))
    source += await Bun.file(join(root, file)).text();
  const tables = errors.split("\n").filter((line) => line.startsWith("| `"));
  const messages = tables.flatMap((line) =>
    [...line.split(" | ")[0]!.matchAll(/`([^`]+)`/g)].map(([, text]) => text!),
  );
  expect(messages.length).toBeGreaterThan(50);
  const pieces = messages.flatMap((text) =>
    text.split("…").map((piece) => piece.replace(/^[\s:,"\]]+|[\s:,"[]+$/g, "")),
  );
  expect(pieces.filter((piece) => !source.includes(piece))).toEqual([]);
});
