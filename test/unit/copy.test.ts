import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { copyInPieces } from "../../src/cli/copy.ts";

const scratch = mkdtempSync(join(tmpdir(), "ipvlan-copy."));
afterAll(() => rmSync(scratch, { recursive: true }));

const PIECE = 2 * 2 ** 20;

test.each([0, 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE + 3])(
  "a file of %d bytes is copied whole",
  (length) => {
    const [from, to] = [join(scratch, `from-${length}`), join(scratch, `to-${length}`)];
    const content = Buffer.alloc(length, "What no two pieces have at the same place. ");
    writeFileSync(from, content);
    copyInPieces(from, to, 0o700);
    expect(Buffer.compare(readFileSync(to), content)).toBe(0);
    expect(statSync(to).mode & 0o777).toBe(0o700);
  },
);

test("a file that is there is not written to", () => {
  const [from, to] = [join(scratch, "new"), join(scratch, "there")];
  writeFileSync(from, "new");
  writeFileSync(to, "there");
  expect(() => copyInPieces(from, to, 0o700)).toThrow("EEXIST");
  expect(readFileSync(to, "utf8")).toBe("there");
});

test("what cannot be read leaves nothing", () => {
  expect(() => copyInPieces(join(scratch, "missing"), join(scratch, "none"), 0o700)).toThrow("ENOENT");
  expect(() => statSync(join(scratch, "none"))).toThrow("ENOENT");
});
