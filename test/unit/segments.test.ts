/** Executables whose segments stand in the file as in memory, by huge pages. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { alignSegments, HUGE_PAGE_BYTES } from "../../src/release/segments.ts";
import { command } from "../support/command.ts";

interface Segment {
  type: number;
  offset: number;
  address: number;
  bytes: Uint8Array;
}

/** elf(5), read apart from the code that is tested. */
function segmentsOf(image: Uint8Array): Segment[] {
  const view = new DataView(image.buffer, image.byteOffset);
  return Array.from({ length: view.getUint16(56, true) }, (_, index) => {
    const at = Number(view.getBigUint64(32, true)) + 56 * index;
    const [offset, address, length] = [8, 16, 32].map((field) => Number(view.getBigUint64(at + field, true)));
    const bytes = image.subarray(offset!, offset! + length!);
    return { type: view.getUint32(at, true), offset: offset!, address: address!, bytes };
  });
}

/** What is in the file of each section. */
function sectionsOf(image: Uint8Array): { address: number; bytes: Uint8Array }[] {
  const NOBITS = 8;
  const view = new DataView(image.buffer, image.byteOffset);
  return Array.from({ length: view.getUint16(60, true) }, (_, index) => {
    const at = Number(view.getBigUint64(40, true)) + 64 * index;
    const [address, offset, length] = [16, 24, 32].map((field) =>
      Number(view.getBigUint64(at + field, true)),
    );
    const isInFile = view.getUint32(at + 4, true) !== NOBITS;
    return { address: address!, bytes: image.subarray(offset!, offset! + (isInFile ? length! : 0)) };
  });
}

const PT_LOAD = 1;
const PT_GNU_STACK = 0x6474e551;
const scratch = mkdtempSync(join(tmpdir(), "ipvlan-segments."));
// Bun is the executable that the plugin is made of.
const image = new Uint8Array(readFileSync(process.execPath));
let aligned: Uint8Array<ArrayBuffer>;

beforeAll(() => {
  aligned = alignSegments(image);
});

afterAll(() => rmSync(scratch, { recursive: true }));

test("each segment stands at its place within a huge page, its content and its address as they were", () => {
  const [before, after] = [segmentsOf(image), segmentsOf(aligned)];
  const isAligned = ({ offset, address }: Segment) => (address - offset) % HUGE_PAGE_BYTES === 0;
  const loads = (segments: Segment[]) => segments.filter(({ type }) => type === PT_LOAD);
  expect(loads(before).every(isAligned)).toBeFalse();
  expect(loads(after).every(isAligned)).toBeTrue();
  expect(after.map(({ type, address }) => [type, address])).toEqual(
    before.map(({ type, address }) => [type, address]),
  );
  for (const [index, { type, bytes }] of after.entries()) {
    // The first holds the headers, which tell of the new places.
    const skipped = index === 0 || bytes.byteOffset === 0 ? 4096 : 0;
    if (type !== PT_GNU_STACK)
      expect(Buffer.compare(bytes.subarray(skipped), before[index]!.bytes.subarray(skipped))).toBe(0);
  }
});

test("sections are where their addresses say", () => {
  const [before, after] = [sectionsOf(image), sectionsOf(aligned)];
  expect(after.length).toBeGreaterThan(20);
  expect(after.map(({ address }) => address)).toEqual(before.map(({ address }) => address));
  for (const [index, { bytes }] of after.entries())
    expect(Buffer.compare(bytes, before[index]!.bytes)).toBe(0);
});

test("it runs", async () => {
  const path = join(scratch, "aligned");
  writeFileSync(path, aligned);
  chmodSync(path, 0o755);
  const { stdout, exitCode } = await command([path, "--version"]);
  expect(stdout).toBe(`${Bun.version}\n`);
  expect(exitCode).toBe(0);
});

test("what is aligned stays as it is", () => {
  expect(Buffer.compare(alignSegments(aligned), aligned)).toBe(0);
});

test("anything else is refused", () => {
  expect(() => alignSegments(new Uint8Array(0))).toThrow(TypeError);
  expect(() => alignSegments(new TextEncoder().encode("#!/bin/sh\n".repeat(10)))).toThrow("no 64-bit");
  expect(() => alignSegments(image.slice(0, 4))).toThrow("no 64-bit");
  const of32Bits = image.slice();
  of32Bits[4] = 1;
  expect(() => alignSegments(of32Bits)).toThrow("no 64-bit");
});
