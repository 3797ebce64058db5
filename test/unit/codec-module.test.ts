import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildCodec } from "../../build.ts";
import { MEMORY_PAGES } from "../../wasm/layout.ts";

const bytes = buildCodec();
const module = new WebAssembly.Module(bytes.slice());

/** The numbers of the module's sections, in order. */
function sections(): number[] {
  const found: number[] = [];
  for (let at = 8; at < bytes.length; ) {
    found.push(bytes[at++]!);
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    at += length;
  }
  return found;
}

test("the module is small: every kilobyte costs an ADD 22 microseconds", () => {
  expect(bytes.length).toBeLessThan(6 * 1024);
});

test("the module imports nothing", () => {
  expect(WebAssembly.Module.imports(module)).toEqual([]);
});

test("the module has no start function and no data", () => {
  expect(sections()).not.toContain(8);
  expect(sections()).not.toContain(11);
});

test("the module's memory cannot grow", () => {
  const { memory } = new WebAssembly.Instance(module).exports as { memory: WebAssembly.Memory };
  expect(memory.buffer.byteLength).toBe(MEMORY_PAGES * 65536);
  expect(() => memory.grow(1)).toThrow();
});

test("the module exports what src/linux/codec-….ts use, and nothing else", () => {
  const source = ["memory", "request", "response"]
    .map((part) => readFileSync(join(import.meta.dir, `../../src/linux/codec-${part}.ts`), "utf8"))
    .join();
  const used = new Set(source.matchAll(/\bcalls\.(\w+)/g).map(([, name]) => name!));
  const exported = WebAssembly.Module.exports(module).map(({ name }) => name);
  expect(["memory", ...used].sort()).toEqual(exported.sort());
});
