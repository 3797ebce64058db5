import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A request with the datagrams that answered it. */
export interface Exchange {
  request: Uint8Array;
  answers: Uint8Array[];
}

/** One command of a recording. */
export interface Recorded {
  command: string;
  printed: string;
  exchanges: Exchange[];
}

export const recordings = ["linux-6.1", "linux-7.2"] as const;

/** Reads test/golden/NAME.hex; see record.sh for the format. Process ids in commands become PID. */
export function readRecording(name: (typeof recordings)[number]): Recorded[] {
  const commands: Recorded[] = [];
  for (const line of readFileSync(join(import.meta.dir, `${name}.hex`), "utf8").split("\n")) {
    const text = line.slice(2);
    const current = commands.at(-1);
    if (line.startsWith("$ "))
      commands.push({ command: text.replace(/(netns|target) \d+/, "$1 PID"), printed: "", exchanges: [] });
    else if (line.startsWith("= ")) current!.printed = text;
    else if (line.startsWith("> ")) current!.exchanges.push({ request: message(text), answers: [] });
    else if (line.startsWith("< ")) current!.exchanges.at(-1)!.answers.push(Uint8Array.fromHex(text));
  }
  return commands;
}

/** ip sends its whole buffer with some requests; the message ends where its header says. */
function message(hex: string): Uint8Array {
  const bytes = Uint8Array.fromHex(hex);
  return bytes.subarray(0, new DataView(bytes.buffer).getUint32(0, true));
}

/** A message taken apart without the codec: for people and for toEqual. */
export interface Message {
  type: number;
  flags: number;
  /** The fixed part, in hex. */
  fixed: string;
  /** Attributes by path, `18.2.1` is attribute 1 in attribute 2 in attribute 18; the payload in hex. */
  attributes: Record<string, string>;
}

/** Paths of attributes that are nests. */
const nests = [/^link:18$/, /^link:18\.2$/, /^route:8$/];

export function dissect(bytes: Uint8Array): Message {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const type = view.getUint16(4, true);
  const family = type < 20 ? "link" : type < 24 ? "address" : "route";
  const fixedLength = { link: 16, address: 8, route: 12 }[family];
  const attributes: Record<string, string> = {};
  const walk = (start: number, end: number, path: string) => {
    for (let at = start; at < end; at += (view.getUint16(at, true) + 3) & ~3) {
      const inner = `${path}${view.getUint16(at + 2, true)}`;
      const last = at + view.getUint16(at, true);
      if (nests.some((nest) => nest.test(`${family}:${inner}`))) walk(at + 4, last, `${inner}.`);
      else attributes[inner] = bytes.subarray(at + 4, last).toHex();
    }
  };
  walk(16 + fixedLength, bytes.length, "");
  return {
    type,
    flags: view.getUint16(6, true),
    fixed: bytes.subarray(16, 16 + fixedLength).toHex(),
    attributes,
  };
}
