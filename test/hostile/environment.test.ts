/** What SECURITY.md says of each hostile variable is so. */

import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repository } from "../kernel/environment.ts";
import { scratch } from "../support/ipam.ts";
import { CONTAINER, release } from "../support/release.ts";

const directory = scratch();
const cwd = join(directory.path, "cwd");
const marker = join(directory.path, "marker");
const evil = join(directory.path, "evil.ts");
const toml = join(directory.path, "evil.toml");
writeFileSync(evil, `require("node:fs").writeFileSync(${JSON.stringify(marker)}, "");`);
writeFileSync(toml, `preload = ["${evil}"]\n`);
writeFileSync(join(directory.path, "evil.env"), "CNI_COMMAND=ADD\n");

beforeEach(() => {
  rmSync(cwd, { recursive: true, force: true });
  mkdirSync(cwd);
});
afterAll(() => directory[Symbol.dispose]());

const version = { CNI_COMMAND: "VERSION" };
const right = release({ environment: version });
const withVariable = (variable: Record<string, string>, timeoutMs = 30_000) =>
  release({ environment: { ...version, ...variable }, cwd, timeoutMs });

const refused: Record<string, string>[] = [
  { BUN_OPTIONS: `--preload ${evil}` },
  { BUN_OPTIONS: `--preload=${evil}` },
  { BUN_OPTIONS: `-r ${evil}` },
  { BUN_OPTIONS: `--require ${evil}` },
  { BUN_OPTIONS: `--import ${evil}` },
  { BUN_OPTIONS: `--config=${toml}` },
  // Nor can the refusal itself be taken back.
  { BUN_OPTIONS: `--disallow-code-generation-from-strings --preload ${evil}` },
  { BUN_OPTIONS: `--preload ${evil} --disallow-code-generation-from-strings` },
  { BUN_OPTIONS: `--disallow-code-generation-from-strings=false --preload ${evil}` },
  { BUN_INSPECT_PRELOAD: evil },
  { BUN_INSPECT: "ws://127.0.0.1:1/" },
];

describe("refused, with exit status 1 and no output", () => {
  test.each(refused)("%p", (variable) => {
    expect(withVariable(variable)).toMatchObject({ exitCode: 1, stdout: "" });
    expect(existsSync(marker)).toBe(false);
    expect(readdirSync(cwd)).toEqual([]);
  });
});

const ignored: Record<string, string>[] = [
  { NODE_OPTIONS: `--require ${evil}` },
  { NODE_PATH: "." },
  { BUN_OPTIONS: `--env-file=${directory.path}/evil.env` },
  { BUN_OPTIONS: `run ${evil}` },
  { BUN_OPTIONS: `-- ${evil}` },
  { BUN_OPTIONS: "-e 1" },
  { BUN_INSPECT_CONNECT_TO: "/nonexistent" },
  { BUN_RUNTIME_TRANSPILER_CACHE_PATH: "cache" },
  { BUN_INSTALL: "." },
  { LD_LIBRARY_PATH: "/nonexistent" },
];

describe("ignored", () => {
  test.each(ignored)("%p", (variable) => {
    const { exitCode, stdout } = withVariable(variable);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: right.stdout });
    expect(existsSync(marker)).toBe(false);
    expect(readdirSync(cwd)).toEqual([]);
  });
});

describe("what only whoever controls the runtime can do, and SECURITY.md warns of", () => {
  const page = readFileSync(join(repository, "SECURITY.md"), "utf8");
  const warned = (name: string) => expect(page).toContain(`\`${name}\``);

  test("BUN_BE_BUN makes it the bun command, whose help no runtime takes for a result", () => {
    warned("BUN_BE_BUN=1");
    const { exitCode, stdout } = withVariable({ BUN_BE_BUN: "1" });
    expect(exitCode).toBe(0);
    expect(stdout).toContain("Bun is a fast JavaScript runtime");
  });

  test("--version prints Bun's version, which no runtime takes for a result either", () => {
    warned("BUN_OPTIONS=--version");
    expect(withVariable({ BUN_OPTIONS: "--version" })).toMatchObject({ exitCode: 0, stdout: "1.4.5\n" });
  });

  test("--cwd takes it to another directory, where nothing is read either", () => {
    warned("BUN_OPTIONS=--cwd");
    expect(withVariable({ BUN_OPTIONS: `--cwd=${directory.path}` })).toEqual(right);
    expect(withVariable({ BUN_OPTIONS: "--cwd=/nonexistent" })).toMatchObject({ exitCode: 1, stdout: "" });
  });

  test.each([
    ["BUN_OPTIONS=--cpu-prof", { BUN_OPTIONS: "--cpu-prof" }],
    ["BUN_OPTIONS=--heap-prof", { BUN_OPTIONS: "--heap-prof" }],
    ["BUN_BYTECODE_ORDER_OUT", { BUN_BYTECODE_ORDER_OUT: "order" }],
  ])("%s writes a file", (name, variable) => {
    warned(name);
    expect(withVariable(variable as Record<string, string>)).toEqual(right);
    expect(readdirSync(cwd)).toHaveLength(1);
  });

  test("--watch keeps it from ending; no thread for WebAssembly only where a dump is long enough to need it", () => {
    warned("BUN_JSC_*");
    warned("BUN_OPTIONS=--watch");
    const network = { name: "net", id: "0".repeat(64), driver: "ipvlan", network_interface: "lo" };
    const create = (variable: Record<string, string>) =>
      release({
        words: ["create"],
        stdin: JSON.stringify({ ...network, subnets: [{ subnet: "10.0.0.0/24" }] }),
        environment: variable,
        timeoutMs: 3000,
      });
    expect(create({}).exitCode).toBe(1);
    expect(create({ BUN_JSC_numberOfWasmCompilerThreads: "0" }).exitCode).toBe(1);
    expect(withVariable({ BUN_OPTIONS: "--watch" }, 3000).exitCode).toBeNull();
  });

  test("LD_PRELOAD and LD_LIBRARY_PATH are the loader's", () => {
    warned("LD_PRELOAD");
    warned("LD_LIBRARY_PATH");
    const { stderr } = withVariable({ LD_PRELOAD: "/nonexistent.so" });
    expect(stderr).toContain("/nonexistent.so");
  });
});

test("an IPAM plugin gets none of BUN_*, and everything else", () => {
  const seen = join(directory.path, "seen");
  const plugin = join(directory.path, "teller");
  writeFileSync(plugin, `#!/bin/sh\nread -r config\nexport -p >'${seen}'\n`, { mode: 0o755 });
  const environment = {
    ...CONTAINER,
    CNI_COMMAND: "DEL",
    CNI_PATH: directory.path,
    IPVLAN_RUN_DIR: join(directory.path, "run"),
    NODE_OPTIONS: "kept",
    // Those of Bun's that change nothing of ours.
    BUN_INSTALL: "/x",
    BUN_CONFIG_REGISTRY: "http://192.0.2.1",
    BUN_WHATEVER: "x",
  };
  const stdin = JSON.stringify({
    cniVersion: "1.1.0",
    name: "net",
    type: "ipvlan",
    ipam: { type: "teller" },
  });
  expect(release({ environment, stdin })).toMatchObject({ exitCode: 0, stdout: "" });
  const variables = readFileSync(seen, "utf8");
  expect(variables).toContain("NODE_OPTIONS='kept'");
  expect(variables).toContain("CNI_COMMAND='DEL'");
  expect(variables).not.toContain("BUN_");
});
