/** Every command of the documents does what they say: each document's blocks of shell are run in turn, on a host of its own. */

import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binary, repository } from "../kernel/environment.ts";
import { stateOf } from "../support/network.ts";
import { hostWorld } from "../support/world.ts";

const documents = ["README.md", "docs/by-hand.md", "docs/debugging.md", "docs/kubernetes.md"];

/** The blocks of shell of a document. What installs from the network is tried by building, not here. */
function blocksOf(path: string): string[] {
  const text = readFileSync(join(repository, path), "utf8");
  const blocks = [...text.matchAll(/^( *)```sh\n([\s\S]*?)^ *```$/gm)].map(([, indent, block]) =>
    block!.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
  );
  return blocks.filter((block) => !/^(npx|curl|apt|dpkg|sha256sum) /m.test(block));
}

test.each(documents)("the commands in %s work, and clean up behind themselves", async (path) => {
  await using world = await hostWorld();
  const directory = mkdtempSync(join(tmpdir(), "ipvlan-commands-"));
  try {
    symlinkSync(binary, join(directory, "ipvlan"));
    const before = await stateOf(world);
    const blocks = blocksOf(path);
    expect(blocks.length).toBeGreaterThan(0);
    const { exitCode, stderr } = await world.host.run(["sh", "-euc", blocks.join("\n")], {
      environment: { PATH: `${directory}:${process.env.PATH}` },
      directory: repository,
    });
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(await stateOf(world)).toEqual(before);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("what the README has npm run is there", async () => {
  const { scripts } = await Bun.file(join(repository, "package.json")).json();
  const text =
    readFileSync(join(repository, "README.md"), "utf8") +
    readFileSync(join(repository, "CONTRIBUTING.md"), "utf8");
  const named = [...text.matchAll(/bun(?:@[\d.]+)? run ([a-z:]+)/g)].map(([, name]) => name!);
  expect(named.length).toBeGreaterThan(4);
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});
