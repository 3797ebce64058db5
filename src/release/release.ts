/**
 * Everything that is given to users, in one directory: `bun run release`. For each machine an archive, for Debian's a
 * package, a bill of materials for each, and checksums of all. Nothing depends on when or where it is built: who builds
 * the same sources with the same Bun gets the same bytes.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildExecutable, repository, version } from "../../build.ts";
import { SHELLS } from "../cli/completion/words.ts";
import { completionScript } from "../cli/completion.ts";
import { manualPage } from "../documents/man.ts";
import { gzip } from "./deb.ts";
import { debianPackage } from "./debian.ts";
import { billOfMaterials } from "./sbom.ts";
import { type Entry, tar } from "./tar.ts";

export interface Target {
  /** In file names. */
  name: string;
  bun: Bun.Build.CompileTarget;
  /** Debian's name of the architecture, where the target has a package. */
  debian?: string;
}

/** The baseline build starts as fast as the other and runs on every x86-64 processor: it is the one for packages. */
export const TARGETS: Target[] = [
  { name: "linux-x64", bun: "bun-linux-x64" },
  { name: "linux-x64-baseline", bun: "bun-linux-x64-baseline", debian: "amd64" },
  { name: "linux-x64-musl", bun: "bun-linux-x64-musl" },
  { name: "linux-arm64", bun: "bun-linux-arm64", debian: "arm64" },
  { name: "linux-arm64-musl", bun: "bun-linux-arm64-musl" },
];

/** Makes the files of those targets in `directory`, which is emptied first. Returns their names. */
export async function release(directory: string, targets = TARGETS): Promise<string[]> {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const files: Record<string, Uint8Array | string> = {};
  for (const target of targets) Object.assign(files, await filesFor(target, join(directory, "build")));
  rmSync(join(directory, "build"), { recursive: true });
  for (const algorithm of ["sha256", "sha512"] as const)
    files[`${algorithm.toUpperCase()}SUMS`] = sums(files, algorithm);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
  return Object.keys(files);
}

async function filesFor(target: Target, scratch: string): Promise<Record<string, Uint8Array | string>> {
  // The executable's own name is inside of it: it is the same for all.
  const outfile = join(scratch, target.name, "ipvlan");
  const inputs = await buildExecutable(outfile, { target: target.bun });
  const executable = readFileSync(outfile);
  const base = `ipvlan-${version()}-${target.name}`;
  const bill = billOfMaterials(repository, version(), inputs, executable);
  return {
    [`${base}.tar.gz`]: gzip(tar(archiveEntries(executable, bill))),
    [`${base}.cdx.json`]: bill,
    ...(target.debian === undefined
      ? {}
      : { [`ipvlan-cni_${version()}_${target.debian}.deb`]: debianPackage(target.debian, executable, bill) }),
  };
}

function archiveEntries(executable: Uint8Array, bill: string): Entry[] {
  return [
    { path: "./", mode: 0o755 },
    { path: "./ipvlan", mode: 0o755, content: executable },
    { path: "./LICENSE", content: text("LICENSE") },
    { path: "./README.md", content: text("README.md") },
    { path: "./ipvlan.8", content: manualPage(version()) },
    { path: "./ipvlan.schema.json", content: text("docs/ipvlan.schema.json") },
    { path: "./ipvlan.cdx.json", content: bill },
    ...SHELLS.map((shell) => ({ path: `./ipvlan.${shell}`, content: completionScript(shell)! })),
  ];
}

function text(path: string): string {
  return readFileSync(join(repository, path), "utf8");
}

/** In the format of sha256sum(1). */
function sums(files: Record<string, Uint8Array | string>, algorithm: "sha256" | "sha512"): string {
  return Object.entries(files)
    .filter(([name]) => !name.endsWith("SUMS"))
    .map(([name, content]) => `${new Bun.CryptoHasher(algorithm).update(content).digest("hex")}  ${name}\n`)
    .join("");
}

if (import.meta.main) {
  const directory = join(repository, "dist/release");
  const only = process.argv.slice(2);
  const targets = only.length === 0 ? TARGETS : TARGETS.filter(({ name }) => only.includes(name));
  for (const name of await release(directory, targets)) console.log(join(directory, name));
}
