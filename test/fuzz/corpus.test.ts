/** The corpora, replayed against the codec that ships, in Bun, where the fuzzers' compiler is not needed. */

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { buildCodec } from "../../build.ts";
import * as at from "../../wasm/layout.ts";
import { planted } from "./planted.ts";
import { targets } from "./seeds.ts";

type Call = (...words: number[]) => number;
const { memory, ...wasm } = new WebAssembly.Instance(new WebAssembly.Module(buildCodec().slice()))
  .exports as unknown as { memory: WebAssembly.Memory } & Record<string, Call>;
const bytes = new Uint8Array(memory.buffer);
const record = new Int32Array(memory.buffer, at.RECORD, at.MESSAGE_SLOT + 1);

function corpus(target: string): [string, Uint8Array][] {
  const directory = join(import.meta.dir, "corpus", target);
  return readdirSync(directory).map((name) => [name, readFileSync(join(directory, name))]);
}

/** Every step's type and what it found, with this behind the datagram. */
function said(step: Call, datagram: Uint8Array, poison: number): unknown[] {
  bytes.fill(poison, at.RESPONSE);
  bytes.set(datagram, at.RESPONSE);
  record.fill(0);
  expect(wasm.responseBegin!(datagram.length)).toBe(0);
  const steps: unknown[] = [];
  for (let type = 1; type > 0; steps.push(type, [...record])) {
    if (steps.length > datagram.length + 2) throw new Error("it does not come to an end");
    type = step();
  }
  return steps;
}

describe("walk", () => {
  test.each(corpus("walk"))("%s", (_, input) => {
    const first = said(wasm.responseNext!, input, 0);
    for (const poison of [1, 4, 8, 0xff]) expect(said(wasm.responseNext!, input, poison)).toEqual(first);
  });
});

describe("seek", () => {
  test.each(corpus("seek"))("%s", (_, input) => {
    const [which = 0, a = 0, b = 0, length = 0] = input;
    const ask: Call[] = [
      () => wasm.seekLinkByKind!(length, a),
      () => wasm.seekLinkByName!(length),
      () => wasm.seekLinkByIndex!(a),
      () => wasm.seekAddress!(a),
      () => wasm.seekRoute!(a, b),
    ];
    bytes.set(input.subarray(4, 4 + length), at.TEXT);
    const step = ask[which % ask.length]!;
    const datagram = input.subarray(4 + length);
    const first = said(step, datagram, 0);
    for (const poison of [1, 4, 8, 0xff]) expect(said(step, datagram, poison)).toEqual(first);
  });
});

test("every target has inputs with names that say what they are", () => {
  for (const target of targets) {
    const names = corpus(target).map(([name]) => name);
    expect(names.length).toBeGreaterThan(5);
    for (const name of names) expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)+$/);
  }
});

test("each planted defect has one place in the sources as they are", () => {
  for (const { file, right } of Object.values(planted)) {
    const source = readFileSync(join(import.meta.dir, "../../wasm", file), "utf8");
    expect([file, right, source.split(right).length - 1]).toEqual([file, right, 1]);
  }
});
