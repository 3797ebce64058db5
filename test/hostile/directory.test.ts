/** A working directory and a home full of traps change nothing, and nothing in them is so much as looked at. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { binary } from "../kernel/environment.ts";
import { scratch } from "../support/ipam.ts";
import {
  CONTAINER,
  hostLocalIn,
  ipamOnly,
  type RunOptions,
  release,
  unexpected,
  watched,
} from "../support/release.ts";

const directory = scratch();
const traps = join(directory.path, "traps");
const crowd = join(directory.path, "crowd");
const clean = join(directory.path, "clean");
const programs = join(directory.path, "programs");
const leases = join(directory.path, "leases");
const marker = join(directory.path, "marker");

beforeAll(() => {
  for (const made of [traps, crowd, clean, programs]) mkdirSync(made);
  hostLocalIn(programs);
  const evil = `require("node:fs").writeFileSync(${JSON.stringify(marker)}, "");`;
  const toml = `preload = ["${traps}/evil.ts"]\n[define]\nPROFILE = "true"\n[run]\npreload = ["${traps}/evil.ts"]\n`;
  const files: Record<string, string> = {
    "evil.ts": evil,
    "index.ts": evil,
    "bunfig.toml": toml,
    ".bunfig.toml": toml,
    "package.json": JSON.stringify({
      name: "evil",
      main: "evil.ts",
      imports: { "#*": "./evil.ts" },
      scripts: { start: "touch marker" },
    }),
    "tsconfig.json": JSON.stringify({
      compilerOptions: { paths: { "*": ["./evil.ts"] }, jsxImportSource: "./evil" },
    }),
    "jsconfig.json": "{",
    ".npmrc": "registry=http://192.0.2.1/",
    "bun.lock": "{",
    "libc.so.6": "no library",
    ipvlan: "#!/bin/sh\n",
    "host-local": "#!/bin/sh\n",
  };
  for (const name of [".env", ".env.local", ".env.production", ".env.development", ".env.test"])
    files[name] = "CNI_COMMAND=DEL\nCNI_CONTAINERID=evil\nIPVLAN_RUN_DIR=/evil\nBUN_OPTIONS=--version\n";
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(traps, name), content, { mode: 0o755 });
  mkdirSync(join(traps, "node_modules/valibot"), { recursive: true });
  writeFileSync(join(traps, "node_modules/valibot/index.js"), evil);
  for (let index = 0; index < 20_000; index++) writeFileSync(join(crowd, `${index}`), "");
});
afterAll(() => directory[Symbol.dispose]());

const calls: [string, () => RunOptions][] = [
  ["VERSION", () => ({ environment: { CNI_COMMAND: "VERSION" } })],
  ["a configuration that is none", () => ({ environment: { CNI_COMMAND: "ADD", ...CONTAINER }, stdin: "{" })],
  [
    "an ADD into a namespace that is none",
    () => ({
      environment: { CNI_COMMAND: "ADD", ...CONTAINER, IPVLAN_RUN_DIR: join(directory.path, "run") },
      stdin: JSON.stringify({ cniVersion: "1.1.0", name: "net", type: "ipvlan", ipam: { type: "static" } }),
    }),
  ],
  [
    "an ADD of the IPAM",
    () => {
      rmSync(leases, { recursive: true, force: true });
      return {
        program: join(programs, "host-local"),
        environment: { CNI_COMMAND: "ADD", ...CONTAINER },
        stdin: ipamOnly({ dataDir: leases }),
      };
    },
  ],
  ["netavark's info", () => ({ words: ["info"] })],
  ["the terminal", () => ({ words: [] })],
];
const homes = () => ({ HOME: traps, XDG_CONFIG_HOME: traps, TMPDIR: traps });
/** None of its own: the run directory and leases are where the call says, or not there at all. */
const own = () => [binary, programs, leases, join(directory.path, "run"), "/nonexistent", "/run/ipvlan"];

describe.each(calls)("%s", (_, options) => {
  const inClean = () => release({ ...options(), cwd: clean });
  const withHomes = (given: RunOptions) => ({ ...given, environment: { ...given.environment, ...homes() } });

  test("answers the same among traps, and opens none of them", () => {
    const before = readdirSync(traps);
    const { touches, sockets, ...run } = watched({ ...withHomes(options()), cwd: traps });
    expect(run).toEqual(inClean());
    expect(unexpected(touches, ...own())).toEqual([]);
    expect(touches.length).toBeGreaterThan(5);
    expect(sockets).toEqual([]);
    expect(readdirSync(traps)).toEqual(before);
    expect(existsSync(marker)).toBe(false);
  });

  test("answers the same beside 20,000 files, and does not list them", () => {
    const { touches, sockets: _, ...run } = watched({ ...options(), cwd: crowd });
    expect(run).toEqual(inClean());
    expect(unexpected(touches, ...own())).toEqual([]);
  });

  test("answers the same where its directory has been deleted", () => {
    const gone = join(directory.path, "gone");
    mkdirSync(gone);
    const { program = binary, words = [], environment = {}, stdin = "" } = options();
    // A shell stands there, deletes it and becomes the program.
    const script = `cd '${gone}' && rmdir '${gone}' && exec "$0" "$@"`;
    const child = Bun.spawnSync(["/bin/sh", "-c", script, program, ...words], {
      env: environment,
      cwd: "/",
      stdin: Buffer.from(stdin),
    });
    if (existsSync(gone)) rmdirSync(gone);
    const expected = inClean();
    expect<unknown>({ exitCode: child.exitCode, stdout: child.stdout.toString() }).toEqual({
      exitCode: expected.exitCode,
      stdout: expected.stdout,
    });
  });
});

test("the watch sees a file that is opened where the program stands", () => {
  writeFileSync(join(clean, "input"), "{}");
  const words = ["--file", "input", "create"];
  const { touches } = watched({ words, cwd: clean });
  expect(unexpected(touches, ...own())).toContain("openat input");
});
