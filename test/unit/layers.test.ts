import { expect, test } from "bun:test";
import { dirname, join, relative } from "node:path";
import { Glob } from "bun";

const root = join(import.meta.dir, "../..");

interface Import {
  file: string;
  room: string;
  target: string;
  isDynamic: boolean;
}

/** Every import of src/, type-only ones too, with paths relative to the root; a package or a built-in keeps its name. */
async function importsOfSource(): Promise<Import[]> {
  const found: Import[] = [];
  for await (const file of new Glob("src/**/*.ts").scan({ cwd: root })) {
    const text = await Bun.file(join(root, file)).text();
    const imports = /^(?:import|export)\b[^;"]*?\bfrom\s*"([^"]+)"|\bimport\("([^"]+)"\)/gm;
    for (const [, named, dynamic] of text.matchAll(imports)) {
      const path = (named ?? dynamic)!;
      const target = path.startsWith(".") ? relative(root, join(root, dirname(file), path)) : path;
      found.push({ file, room: roomOf(file), target, isDynamic: dynamic !== undefined });
    }
  }
  return found;
}

function roomOf(path: string): string {
  const parts = path.split("/");
  return parts[0] === "src" && parts.length > 2 ? parts[1]! : path;
}

/** What belongs to no room and may be used from every one. */
const COMMON = [
  ...["src/debug.ts", "src/error.ts", "src/json.ts", "src/profile.ts", "src/schema.ts", "src/text.ts"],
];

/** Which rooms a room may use, besides itself and what is common. */
const ALLOWED: Record<string, string[]> = {
  "src/main.ts": ["debug", "cni", "netavark", "cli", "ipvlan"],
  "src/debug.ts": [],
  "src/error.ts": [],
  debug: ["linux", "net"],
  "src/json.ts": [],
  "src/profile.ts": [],
  "src/schema.ts": [],
  "src/text.ts": [],
  cni: ["debug", "ipvlan", "ipam", "linux", "net"],
  netavark: ["ipvlan", "ipam", "linux", "net"],
  cli: ["ipvlan", "ipam", "linux", "net", "cni", "netavark"],
  ipvlan: ["ipam", "linux", "net"],
  ipam: ["linux", "net"],
  linux: ["net"],
  net: [],
  // No parts of the plugin: what makes its documents and packages out of it.
  documents: ["cli", "cni", "ipam", "net"],
  release: ["documents", "cli"],
};
const TOOLS = ["documents", "release"];

test("each room imports only the rooms below it", async () => {
  const offenders = (await importsOfSource()).filter(({ file, room, target }) => {
    if (!target.startsWith("src/") || COMMON.includes(target)) return false;
    const used = roomOf(target);
    if (used === room) return false;
    const allowed = ALLOWED[room];
    if (allowed === undefined) throw new Error(`${file} is in a room this test does not know`);
    return !allowed.includes(used);
  });
  expect(offenders).toEqual([]);
});

test("the faces and the debug log are loaded only when they are asked for", async () => {
  const onDemand = ["cli", "debug"];
  const eager = (await importsOfSource()).filter(
    ({ room, target, isDynamic }) =>
      onDemand.includes(roomOf(target)) && room !== roomOf(target) && !isDynamic && !TOOLS.includes(room),
  );
  expect(eager).toEqual([]);
});

test("only linux/libc.ts uses bun:ffi", async () => {
  const users = (await importsOfSource()).filter(({ target }) => target === "bun:ffi");
  expect(users.map(({ file }) => file)).toEqual(["src/linux/libc.ts"]);
});

test("only cli/ uses node's modules, whose loading costs milliseconds", async () => {
  const users = (await importsOfSource()).filter(
    ({ target, room }) => target.startsWith("node:") && room !== "cli" && !TOOLS.includes(room),
  );
  expect(users).toEqual([]);
});

test("the only package at run time is valibot", async () => {
  const packages = (await importsOfSource())
    .filter(({ room }) => !TOOLS.includes(room))
    .map(({ target }) => target)
    .filter((target) => !/^(src|wasm)\//.test(target) && !/^(node:|bun|codec:)/.test(target));
  expect([...new Set(packages)]).toEqual(["valibot"]);
});

test("only linux/codec-form.ts touches WebAssembly", async () => {
  const users: string[] = [];
  for await (const file of new Glob("src/**/*.ts").scan({ cwd: root })) {
    if ((await Bun.file(join(root, file)).text()).match(/\bWebAssembly\./)) users.push(file);
  }
  expect(users).toEqual(["src/linux/codec-form.ts"]);
});

test("standard output is written in one place per face", async () => {
  const writers: string[] = [];
  for await (const file of new Glob("src/**/*.ts").scan({ cwd: root })) {
    if (roomOf(file) === "cli" || TOOLS.includes(roomOf(file))) continue;
    const text = await Bun.file(join(root, file)).text();
    if (/console\.log|process\.stdout|Bun\.stdout|writeFrom\(1\b|writeFrom\(STDOUT/.test(text))
      writers.push(file);
  }
  expect(writers.length).toBeLessThanOrEqual(3);
  expect(writers.filter((file) => !/^src\/(main|cni\/run|netavark\/run)\.ts$/.test(file))).toEqual([]);
});
