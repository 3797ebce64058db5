import { MalformedMessage } from "../malformed.ts";

// Message types, options and status codes of DHCPv6 (RFC 8415, sections 7.3 and 21; RFC 3646).
export const SOLICIT = 1;
export const ADVERTISE = 2;
export const REQUEST = 3;
export const RENEW = 5;
export const REBIND = 6;
export const REPLY = 7;
export const RELEASE = 8;

export const OPTION6 = {
  clientId: 1,
  serverId: 2,
  addresses: 3,
  address: 5,
  requests: 6,
  elapsed: 8,
  status: 13,
  nameServers: 23,
  domainSearch: 24,
} as const;

/** An option and its value; one may occur several times. */
export type Option6 = [code: number, value: Uint8Array];

export interface Message6 {
  type: number;
  /** 24 bits. */
  transactionId: number;
  options: Option6[];
}

const HEADER_BYTES = 4;

/** The message as bytes. */
export function encodeMessage6({ type, transactionId, options }: Message6): Uint8Array {
  const header = Uint8Array.of(type, transactionId >>> 16, transactionId >>> 8, transactionId);
  return Uint8Array.from(Buffer.concat([header, encodeOptions6(options)]));
}

/** Options as bytes, for a message or inside another option. */
export function encodeOptions6(options: Option6[]): Uint8Array {
  return Buffer.concat(
    options.flatMap(([code, value]) => [
      Uint8Array.of(code >>> 8, code, value.length >>> 8, value.length),
      value,
    ]),
  );
}

/** Reads a message between client and server. Throws MalformedMessage. */
export function parseMessage6(bytes: Uint8Array): Message6 {
  if (bytes.length < HEADER_BYTES) throw new MalformedMessage(`${bytes.length} bytes are too few`);
  return {
    type: bytes[0]!,
    transactionId: (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!,
    options: parseOptions6(bytes.subarray(HEADER_BYTES)),
  };
}

/** Reads options. Throws MalformedMessage. */
export function parseOptions6(bytes: Uint8Array): Option6[] {
  const options: Option6[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; ) {
    if (at + 4 > bytes.length) throw new MalformedMessage("an option is cut off");
    const code = view.getUint16(at);
    const end = at + 4 + view.getUint16(at + 2);
    if (end > bytes.length) throw new MalformedMessage(`option ${code} reaches beyond its field`);
    options.push([code, bytes.slice(at + 4, end)]);
    at = end;
  }
  return options;
}

/** The first option of that code. */
export function optionOf(options: Option6[], code: number): Uint8Array | undefined {
  return options.find(([one]) => one === code)?.[1];
}

/** An address that was given to an IA_NA, or why none was. */
export interface Assigned {
  /** The value of the address. */
  address: bigint;
  validSeconds: number;
  /** What the server says of T1 and T2; 0 leaves them to the client. */
  t1: number;
  t2: number;
}

const IA_BYTES = 12;
const IA_ADDRESS_BYTES = 24;

/** An IA_NA that asks for an address, or names the one that is held. */
export function encodeIdentity(iaid: number, address?: bigint): Uint8Array {
  const header = new Uint8Array(IA_BYTES);
  new DataView(header.buffer).setUint32(0, iaid);
  if (address === undefined) return header;
  const value = new Uint8Array(IA_ADDRESS_BYTES);
  const view = new DataView(value.buffer);
  view.setBigUint64(0, address >> 64n);
  view.setBigUint64(8, address & 0xffff_ffff_ffff_ffffn);
  return Buffer.concat([header, encodeOptions6([[OPTION6.address, value]])]);
}

/** The first address that the message gives to the IA_NA; undefined when it gives none. Throws MalformedMessage. */
export function assignedTo(iaid: number, options: Option6[]): Assigned | undefined {
  for (const [code, value] of options) {
    if (code !== OPTION6.addresses) continue;
    if (value.length < IA_BYTES) throw new MalformedMessage("an IA_NA is cut off");
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    if (view.getUint32(0) !== iaid) continue;
    const given = optionOf(parseOptions6(value.subarray(IA_BYTES)), OPTION6.address);
    if (given === undefined) continue;
    if (given.length < IA_ADDRESS_BYTES) throw new MalformedMessage("an address is cut off");
    const inner = new DataView(given.buffer, given.byteOffset, given.byteLength);
    return {
      address: (inner.getBigUint64(0) << 64n) | inner.getBigUint64(8),
      validSeconds: inner.getUint32(20),
      t1: view.getUint32(4),
      t2: view.getUint32(8),
    };
  }
  return undefined;
}

/** The server's sentence when it says no, in the message or in the IA_NA; undefined for success. Throws MalformedMessage. */
export function refusalIn(options: Option6[]): string | undefined {
  const identity = optionOf(options, OPTION6.addresses);
  const inner = identity === undefined ? [] : parseOptions6(identity.subarray(IA_BYTES));
  for (const value of [optionOf(options, OPTION6.status), optionOf(inner, OPTION6.status)]) {
    if (value === undefined) continue;
    if (value.length < 2) throw new MalformedMessage("a status is cut off");
    const code = (value[0]! << 8) | value[1]!;
    if (code !== 0) return `status ${code} ${JSON.stringify(Buffer.from(value.subarray(2)).toString())}`;
  }
  return undefined;
}
