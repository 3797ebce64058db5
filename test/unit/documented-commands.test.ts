/** No command of a document goes untried, unless it is said why. */

import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { COMMANDS } from "../../src/cli/commands.ts";
import { repository } from "../kernel/environment.ts";
import { blocksOf, exceptionOf, exceptions, onTheDriver, withPodman } from "../support/documented.ts";

const documents = [
  ...new Bun.Glob("*.md").scanSync(repository),
  ...new Bun.Glob("docs/**/*.md").scanSync(repository),
].sort();
const read = (document: string) => Bun.file(join(repository, document)).text();

test("every block of shell is of a document whose commands are run, or each of its lines is an exception", () => {
  const untried = documents
    .filter((document) => !onTheDriver.includes(document) && !withPodman.includes(document))
    .flatMap((document) =>
      blocksOf(document)
        .flatMap(({ text }) => text.trim().split("\n"))
        .filter((line) => exceptionOf(document, line) === undefined)
        .map((line) => `${document}: ${line}`),
    );
  expect(untried).toEqual([]);
  for (const document of [...onTheDriver, ...withPodman])
    expect([document, blocksOf(document).length > 0]).toEqual([document, true]);
});

test("every exception is of a command that is there", () => {
  const idle = exceptions.filter(
    ({ document, command }) =>
      !blocksOf(document).some(({ text }) => text.split("\n").some((line) => line.startsWith(command))),
  );
  expect(idle).toEqual([]);
});

test("blocks without a language hold no commands", async () => {
  const programs =
    /^ *(sudo |\$ )?(npx|bun|ipvlan|podman|ip|ctr|kubectl|apt(-get)?|dpkg|curl|install|ln|cp|rm) /m;
  for (const document of documents) {
    const blocks = [...(await read(document)).matchAll(/^ *```(\w*)\n([\s\S]*?)^ *```$/gm)];
    const wrong = blocks.filter(([, language, text]) => language === "" && programs.test(text!));
    expect([document, ...wrong.map(([text]) => text)]).toEqual([document]);
  }
});

test("every `ipvlan …` in the running text names a command and options that there are", async () => {
  let count = 0;
  for (const document of documents) {
    for (const [, words] of (await read(document)).matchAll(/`ipvlan ([a-z][^`]*)`/g)) {
      const [name, ...rest] = words!.replaceAll(/[[\]]/g, "").split(/\s+/);
      const command = COMMANDS.find((each) => each.name === name);
      expect([document, words, command?.name]).toEqual([document, words, name]);
      const options = (command?.options ?? []).map((option) => `--${option.name}`);
      for (const option of rest.filter((word) => word.startsWith("--")))
        expect([document, words, options.includes(option)]).toEqual([document, words, true]);
      count++;
    }
  }
  expect(count).toBeGreaterThan(20);
});

test("every script that a document has Bun run is there", async () => {
  const { scripts } = await Bun.file(join(repository, "package.json")).json();
  let count = 0;
  for (const document of documents) {
    for (const [, isRun, word] of (await read(document)).matchAll(
      /\bbun(?:@[\d.]+)? (run )?([a-z][\w:./-]*)/g,
    )) {
      const isThere =
        isRun === undefined ? !/\.ts$/.test(word!) || existsSync(join(repository, word!)) : word! in scripts;
      expect([document, word, isThere]).toEqual([document, word, true]);
      count++;
    }
  }
  expect(count).toBeGreaterThan(15);
});
