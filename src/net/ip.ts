import { isDigit, parseDecimal } from "../text.ts";

/** An IPv4 or IPv6 address as a number; an IPv4-mapped IPv6 address is the IPv4 address. */
export interface IpAddress {
  family: 4 | 6;
  value: bigint;
}

/** An address and a prefix length; host bits are kept. */
export interface IpPrefix extends IpAddress {
  length: number;
}

/** Bits of an address of that family: 32 or 128. */
export function bitsOf(family: 4 | 6): number {
  return family === 4 ? 32 : 128;
}

/**
 * Reads an address: dotted IPv4 (four decimal parts, no leading zeros) or IPv6 (RFC 4291; no zone).
 * `::ffff:a.b.c.d` gives the IPv4 address. Returns undefined for anything else.
 */
export function parseAddress(text: string): IpAddress | undefined {
  if (!text.includes(":")) {
    const value = parseIpv4(text);
    return value === undefined ? undefined : { family: 4, value };
  }
  const value = parseIpv6(text);
  if (value === undefined) return undefined;
  if (value >> 32n === 0xffffn) return { family: 4, value: value & 0xffff_ffffn };
  return { family: 6, value };
}

/**
 * Reads `address/length` and keeps the host bits. An IPv4-mapped address with a length of 96 or more becomes
 * an IPv4 prefix. Returns undefined for anything else.
 */
export function parsePrefix(text: string): IpPrefix | undefined {
  const slash = text.indexOf("/");
  if (slash < 0) return undefined;
  const before = text.slice(0, slash);
  const address = parseAddress(before);
  let length = parseDecimal(text.slice(slash + 1), 3);
  if (address === undefined || length === undefined) return undefined;
  if (address.family === 4 && before.includes(":")) length -= 96;
  if (length < 0 || length > bitsOf(address.family)) return undefined;
  return { ...address, length };
}

function parseIpv4(text: string): bigint | undefined {
  let value = 0;
  let dots = 0;
  // Of the part that is read; undefined before its first digit.
  let byte: number | undefined;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === DOT && byte !== undefined) {
      value = value * 256 + byte;
      byte = undefined;
      dots++;
      continue;
    }
    if (!isDigit(code) || byte === 0) return undefined;
    byte = (byte ?? 0) * 10 + code - ZERO;
    if (byte > 255) return undefined;
  }
  return dots === 3 && byte !== undefined ? BigInt(value * 256 + byte) : undefined;
}

const DOT = 0x2e;
const ZERO = 0x30;

function parseIpv6(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? "", halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? "", true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  // "::" stands for at least one group (RFC 5952 wants two, readers take one).
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  let value = 0n;
  for (const group of [...head, ...new Array<number>(missing).fill(0), ...tail])
    value = (value << 16n) | BigInt(group);
  return value;
}

/** The 16-bit groups of one side of "::"; a dotted IPv4 tail gives two. */
function parseGroups(text: string, mayEndDotted: boolean): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const groups: number[] = [];
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index]!;
    if (mayEndDotted && index === parts.length - 1 && part.includes(".")) {
      const ipv4 = parseIpv4(part);
      if (ipv4 === undefined) return undefined;
      groups.push(Number(ipv4 >> 16n), Number(ipv4 & 0xffffn));
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

/** The canonical text: dotted IPv4, or IPv6 as RFC 5952 writes it. */
export function formatAddress(address: IpAddress): string {
  const { value } = address;
  if (address.family === 4) {
    const number = Number(value);
    return `${number >>> 24}.${(number >>> 16) & 255}.${(number >>> 8) & 255}.${number & 255}`;
  }
  const groups: number[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(Number((value >> shift) & 0xffffn));
  const { start, length } = longestZeroRun(groups);
  const text = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(":");
  return length < 2 ? text(0, 8) : `${text(0, start)}::${text(start + length, 8)}`;
}

function longestZeroRun(groups: number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
    start += length;
  }
  return best;
}

/** `address/length` in canonical text, host bits kept. */
export function formatPrefix(prefix: IpPrefix): string {
  return `${formatAddress(prefix)}/${prefix.length}`;
}

/** The address's bytes in network order: 4 or 16 of them. */
export function addressBytes(address: IpAddress): Uint8Array {
  const bytes = new Uint8Array(bitsOf(address.family) / 8);
  let rest = address.value;
  for (let index = bytes.length - 1; index >= 0; index--) {
    bytes[index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

/** The address of 4 or 16 bytes in network order. 16 bytes are always family 6, mapped or not: the kernel's word counts. */
export function addressFromBytes(bytes: Uint8Array): IpAddress {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return { family: bytes.length === 4 ? 4 : 6, value };
}

/** The host bits of a prefix of that length, all set: 255 for an IPv4 /24. */
export function hostMask(family: 4 | 6, length: number): bigint {
  return (1n << BigInt(bitsOf(family) - length)) - 1n;
}

/** The prefix with its host bits cleared. */
export function networkOf(prefix: IpPrefix): IpPrefix {
  return { ...prefix, value: prefix.value & ~hostMask(prefix.family, prefix.length) };
}

/** The last address of the prefix: the broadcast address in IPv4. */
export function lastAddressOf(prefix: IpPrefix): IpAddress {
  return { family: prefix.family, value: prefix.value | hostMask(prefix.family, prefix.length) };
}

/** True when the address, of the same family, lies in the prefix. */
export function prefixContains(prefix: IpPrefix, address: IpAddress): boolean {
  return (
    prefix.family === address.family &&
    (prefix.value | hostMask(prefix.family, prefix.length)) ===
      (address.value | hostMask(prefix.family, prefix.length))
  );
}

/** True when both are the same address. */
export function sameAddress(a: IpAddress, b: IpAddress): boolean {
  return a.family === b.family && a.value === b.value;
}

/** The value of an address as four words of 32 bits, the highest first. */
export function wordsOf(value: bigint): [number, number, number, number] {
  // Every IPv4 address, without the price of arithmetic beyond 32 bits.
  if (value <= 0xffff_ffffn) return [0, 0, 0, Number(value)];
  const word = (shift: bigint) => Number((value >> shift) & 0xffff_ffffn);
  return [word(96n), word(64n), word(32n), word(0n)];
}
