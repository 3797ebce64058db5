/** What the build makes of the bundler's chunks: less to run, and the same when it is run. */

import { expect, test } from "bun:test";
import { join } from "node:path";
import { type Chunks, tightened } from "../../src/release/chunks.ts";
import { mustRun } from "../support/command.ts";
import { scratch } from "../support/ipam.ts";

const core = `
var EPERM = 1, AT_FDCWD = -100, NOTE = "a, LIMIT = 3,", LIMIT = NOTE.length, calls = 0;
function only(value) {
  calls++;
  return helper(value) + EPERM;
}
function helper(value) {
  let sum = 0;
  for (let index = 0; index < value; index++) sum += index;
  return sum;
}
function unused() {
  return AT_FDCWD;
}
function used() {
  return [only(4), calls, LIMIT];
}
export { EPERM, AT_FDCWD as HERE, LIMIT, used };
`;
const main = `
import { sep } from "node:path";
import {
  EPERM,
  HERE as place,
  LIMIT,
  used
} from "./core.js";
console.log(JSON.stringify([EPERM, place, LIMIT, used(), sep]));
`;

const chunks = () =>
  new Map([
    ["core.js", core],
    ["main.js", main],
  ]);

/** What main.js prints. */
async function printed(some: Chunks): Promise<unknown> {
  using directory = scratch();
  for (const [name, text] of some) await Bun.write(join(directory.path, name), text);
  return JSON.parse(await mustRun([process.execPath, join(directory.path, "main.js")]));
}

test("tightened chunks do what they did", async () => {
  const before = await printed(chunks());
  expect(before).toEqual([1, -100, 13, [7, 1, 13], "/"]);
  expect(await printed(await tightened(chunks()))).toEqual(before);
});

test("a number in capitals is a literal in every chunk, and no name any more", async () => {
  const tight = await tightened(chunks());
  for (const text of tight.values()) expect(text).not.toMatch(/EPERM|AT_FDCWD|HERE|place/);
  expect(tight.get("main.js")).toContain("-100");
});

test("what is computed stays a name that others import", async () => {
  const tight = await tightened(chunks());
  expect(tight.get("main.js")).toMatch(/import *\{[^}]*LIMIT[^}]*\} *from *"\.\/core\.js"/);
});

test("a function with a single caller is made where it is called, and one without any not at all", async () => {
  const text = (await tightened(chunks())).get("core.js")!;
  expect(text).not.toContain("unused");
  expect(text).not.toMatch(/^function (only|helper)\(/m);
});

test("a chunk is required by what the bundler can follow", async () => {
  const some = new Map([["main.js", 'console.log(import.meta.require("./other.js").answer);\n']]);
  expect((await tightened(some)).get("main.js")).toContain('require("./other.js")');
  expect((await tightened(some)).get("main.js")).not.toContain("import.meta");
});

test("an import from what is no chunk is refused", () => {
  const some = new Map([["main.js", 'import { a } from "./gone.js";\nconsole.log(a);\n']]);
  expect(tightened(some)).rejects.toThrow("main.js imports from ./gone.js, which is no chunk");
});
