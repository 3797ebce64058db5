import { expect, setDefaultTimeout, test } from "bun:test";
import { instantiate } from "codec:script";
import fc from "fast-check";
import { buildCodec } from "../../build.ts";
import * as layout from "../../wasm/layout.ts";
import { readRecording, recordings } from "../golden/recording.ts";
import { torn } from "../support/hostile.ts";
import { propertyTimeoutMs } from "../support/inputs.ts";

// The codec runs as a script first and as WebAssembly in long dumps: both must do the same to the last byte of their memory.

setDefaultTimeout(propertyTimeoutMs);

type Form = Record<string, (...args: number[]) => number | undefined> & { memory: { buffer: ArrayBuffer } };

const wasm = new WebAssembly.Instance(new WebAssembly.Module(buildCodec().slice()))
  .exports as unknown as Form;
const script = instantiate() as unknown as Form;
const forms = [wasm, script] as const;
const memories = forms.map(({ memory }) => new Uint8Array(memory.buffer));
const names = Object.keys(wasm)
  .filter((name) => name !== "memory")
  .sort();

/** Calls both; they must agree. Returns what they say. */
function both(name: string, ...args: number[]): number | undefined {
  const [ofWasm, ofScript] = forms.map((form) => form[name]!(...args));
  expect([name, args, ofScript]).toEqual([name, args, ofWasm]);
  return ofWasm;
}

function expectSameMemory(): void {
  expect(Buffer.compare(memories[0]!, memories[1]!)).toBe(0);
}

function fill(at: number, bytes: Uint8Array): void {
  for (const memory of memories) memory.set(bytes, at);
}

const small = fc.integer({ min: -1, max: 140 });
const anyNumber = fc.oneof({ weight: 4, arbitrary: small }, { weight: 1, arbitrary: fc.integer() });
const requests = names.filter((name) => /Add|Set|Delete|Get|Dump|Change|Fail/.test(name));
const aRequest = fc
  .constantFrom(...requests)
  .chain((name) =>
    fc.tuple(
      fc.constant(name),
      fc.array(anyNumber, { minLength: wasm[name]!.length, maxLength: wasm[name]!.length }),
    ),
  );

test("both forms have the same functions", () => {
  expect(Object.keys(script).sort()).toEqual(Object.keys(wasm).sort());
  for (const name of names) expect([name, script[name]!.length]).toEqual([name, wasm[name]!.length]);
  expect(script.memory.buffer.byteLength).toBe(wasm.memory.buffer.byteLength);
});

test("both forms pack the same requests", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: layout.TEXT_BYTES_MAX, maxLength: layout.TEXT_BYTES_MAX }),
      fc.uint8Array({ minLength: 48, maxLength: 48 }),
      fc.nat(),
      fc.array(aRequest, { minLength: 1, maxLength: 12 }),
      (text, addresses, sequence, calls) => {
        fill(layout.TEXT, text);
        fill(layout.ADDRESS_IN, addresses);
        both("requestBegin", sequence);
        for (const [name, args] of calls) both(name, ...args);
        both("requestFinish");
        both("requestCount");
        expectSameMemory();
      },
    ),
    { numRuns: 2000 },
  );
});

const datagrams = recordings
  .flatMap(readRecording)
  .flatMap(({ exchanges }) => exchanges.flatMap(({ answers }) => answers));

const steps: [name: string, args: number[]][] = [
  ["responseNext", []],
  ["seekLinkByName", [2]],
  ["seekLinkByKind", [6, 10]],
  ["seekLinkByIndex", [12]],
  ["seekAddress", [11]],
  ["seekRoute", [11, 1000]],
];

test("both forms walk the same answers, torn ones too", () => {
  const aDatagram = fc
    .constantFrom(...datagrams)
    .chain((datagram) => fc.oneof(fc.constant(datagram), torn(datagram)));
  fc.assert(
    fc.property(aDatagram, fc.constantFrom(...steps), (datagram, [step, args]) => {
      fill(layout.TEXT, new TextEncoder().encode(step === "seekLinkByName" ? "c2" : "ipvlan"));
      fill(layout.RESPONSE, datagram);
      both("responseBegin", datagram.length);
      for (let steps = 0; (both(step, ...args) ?? 0) > 0; steps++)
        expect(steps).toBeLessThan(datagram.length);
      expectSameMemory();
    }),
    { numRuns: 2000 },
  );
});

test("a datagram that is too long is refused by both", () => {
  expect(both("responseBegin", layout.RESPONSE_BYTES + 1)).toBeLessThan(0);
});

test("the codec goes on as WebAssembly when it is told to", async () => {
  // One of its own: in the others' some earlier test may have done so.
  const path = "../../src/linux/codec-form.ts?apart";
  const { codec, quicken }: typeof import("../../src/linux/codec-form.ts") = await import(path);
  const packed = () => {
    const { calls, request } = codec();
    calls.requestBegin(7);
    calls.linkDelete(12);
    return request.slice(0, calls.requestFinish());
  };
  const before = codec();
  const asBefore = packed();
  quicken();
  const after = codec();
  quicken();
  expect(codec()).toBe(after);
  expect([before === after, after.bytes.buffer.byteLength]).toEqual([false, before.bytes.buffer.byteLength]);
  expect(packed()).toEqual(asBefore);
});
