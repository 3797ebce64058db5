/** What the fuzzers begin with: recorded answers of real kernels, questions about them, and one call of each kind. */

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readRecording, recordings } from "../golden/recording.ts";

export const targets = ["walk", "seek", "request"] as const;
export type Target = (typeof targets)[number];

export function isTarget(word: string): word is Target {
  return (targets as readonly string[]).includes(word);
}

/** Writes the target's seeds into `directory`, which is emptied first. */
export function writeSeeds(target: Target, directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const [index, seed] of seedsOf(target).entries()) writeFileSync(join(directory, `${index}`), seed);
}

function seedsOf(target: Target): Uint8Array[] {
  if (target === "request") return Array.from({ length: 10 }, (_, which) => request(which));
  const answers = recordings
    .flatMap(readRecording)
    .flatMap(({ exchanges }) => exchanges.flatMap((exchange) => exchange.answers))
    .flatMap((answer) => [answer, ...messagesOf(answer)])
    .filter(({ length }) => length <= 1200);
  if (target === "walk") return answers;
  return answers.flatMap((answer, index) => [question(index % 5, index % 3, 254, "ipvlan", answer)]);
}

/** Each message of a datagram by itself. */
function messagesOf(datagram: Uint8Array): Uint8Array[] {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.length);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < datagram.length; at += (view.getUint32(at, true) + 3) & ~3)
    parts.push(datagram.slice(at, at + view.getUint32(at, true)));
  return parts;
}

function question(which: number, a: number, b: number, text: string, datagram: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from([which, a, b, text.length]), Buffer.from(text), datagram]);
}

function request(which: number): Uint8Array {
  const text = Buffer.from("eth0");
  const numbers = [1, 4, 2, 24, 2, 1, 0, 5, 9, 3, 1, 1, 0, 200, 100];
  return Buffer.concat([Buffer.from([which, text.length]), text, Buffer.alloc(48, 10), Buffer.from(numbers)]);
}
