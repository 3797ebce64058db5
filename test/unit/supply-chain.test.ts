/** What the binary is made of is named exactly, and whoever builds it gets the same bytes. */

import { expect, test } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { buildExecutable } from "../../build.ts";
import { repository } from "../kernel/environment.ts";
import { scratch } from "../support/ipam.ts";

const manifest = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
const lock = readFileSync(join(repository, "bun.lock"), "utf8");
/** The lock file is JSON but for commas at the end of lists. */
const locked = JSON.parse(lock.replace(/,(\s*[}\]])/g, "$1")) as {
  packages: Record<string, [name: string, source: string, about: object, integrity: string]>;
};
const direct: Record<string, string> = { ...manifest.dependencies, ...manifest.devDependencies };

test("every dependency has one exact version", () => {
  for (const [name, version] of Object.entries(direct))
    expect(`${name}@${version}`).toMatch(/^\S+@\d+\.\d+\.\d+(-[\w.]+)?$/);
});

test("the binary has one dependency, and nothing may run when it is installed", () => {
  expect(Object.keys(manifest.dependencies)).toEqual(["valibot"]);
  expect(manifest.trustedDependencies).toBeUndefined();
  for (const script of ["preinstall", "install", "postinstall", "prepare"])
    expect(manifest.scripts[script]).toBeUndefined();
});

test("the lock file has each of them at that version, and of every package the hash", () => {
  for (const [name, version] of Object.entries(direct))
    expect(locked.packages[name]?.[0]).toBe(`${name}@${version}`);
  for (const [name, [what, source, , integrity]] of Object.entries(locked.packages)) {
    expect(what).toMatch(/@\d+\.\d+\.\d+/);
    // "": the registry's own; anything else would be an address.
    expect([name, source]).toEqual([name, ""]);
    expect(integrity).toMatch(/^sha512-[A-Za-z0-9+/]{86}==$/);
  }
});

test("what is installed is what the lock file says", () => {
  const { version } = JSON.parse(readFileSync(join(repository, "node_modules/valibot/package.json"), "utf8"));
  expect(version).toBe(manifest.dependencies.valibot);
  expect(Bun.version).toBe(manifest.devDependencies["@types/bun"]);
});

test("two builds are the same, byte for byte", async () => {
  using directory = scratch();
  const hashes: string[] = [];
  for (const folder of ["one", "another/place"]) {
    mkdirSync(join(directory.path, folder), { recursive: true });
    const outfile = join(directory.path, folder, "ipvlan");
    await buildExecutable(outfile);
    hashes.push(new Bun.CryptoHasher("sha256").update(readFileSync(outfile)).digest("hex"));
  }
  expect(hashes[0]).toBe(hashes[1]!);
  expect(hashes[0]).toHaveLength(64);
});
