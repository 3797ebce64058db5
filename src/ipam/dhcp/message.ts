import { MalformedMessage } from "./malformed.ts";
import { OPTION } from "./option.ts";

/** Message types (option 53). */
export const DISCOVER = 1;
export const OFFER = 2;
export const REQUEST = 3;
export const DECLINE = 4;
export const ACK = 5;
export const NAK = 6;
export const RELEASE = 7;

/** Options by their code, values of repeated ones joined (RFC 3396). */
export type Options = Map<number, Uint8Array>;

/** A DHCPv4 message (RFC 2131, section 2). Addresses are 32-bit numbers, 0 for none. */
export interface Message {
  /** 1 from a client, 2 from a server. */
  op: 1 | 2;
  transactionId: number;
  /** Since the client began. */
  seconds: number;
  broadcast: boolean;
  /** The client's address, when it has one that works. */
  clientAddress: number;
  /** The address that is given. */
  yourAddress: number;
  hardwareAddress: Uint8Array;
  options: Options;
}

const FIXED_BYTES = 236;
const MAGIC_COOKIE = 0x6382_5363;
/** What BOOTP relays insist on (RFC 1542, section 2.1). */
const LEAST_BYTES = 300;
const HTYPE_ETHERNET = 1;
const HARDWARE_ADDRESS_BYTES = 6;
const FLAG_BROADCAST = 0x8000;
const OPTION_BYTES_MAX = 255;

// Where fields lie in the fixed part.
const XID = 4;
const SECS = 8;
const FLAGS = 10;
const CIADDR = 12;
const YIADDR = 16;
const CHADDR = 28;
const SNAME = 44;
const FILE = 108;

/** The message as bytes. A value of more than 255 bytes is split over several options (RFC 3396). */
export function encodeMessage(message: Message): Uint8Array {
  const options = [...message.options].flatMap(([code, value]) => encodeOption(code, value));
  const bytes = new Uint8Array(Math.max(LEAST_BYTES, FIXED_BYTES + 4 + options.length + 1));
  const view = new DataView(bytes.buffer);
  view.setUint8(0, message.op);
  view.setUint8(1, HTYPE_ETHERNET);
  view.setUint8(2, HARDWARE_ADDRESS_BYTES);
  view.setUint32(XID, message.transactionId);
  view.setUint16(SECS, Math.min(0xffff, message.seconds));
  view.setUint16(FLAGS, message.broadcast ? FLAG_BROADCAST : 0);
  view.setUint32(CIADDR, message.clientAddress);
  view.setUint32(YIADDR, message.yourAddress);
  bytes.set(message.hardwareAddress.subarray(0, HARDWARE_ADDRESS_BYTES), CHADDR);
  view.setUint32(FIXED_BYTES, MAGIC_COOKIE);
  bytes.set(options, FIXED_BYTES + 4);
  bytes[FIXED_BYTES + 4 + options.length] = OPTION.end;
  return bytes;
}

function encodeOption(code: number, value: Uint8Array): number[] {
  const encoded: number[] = [];
  for (let at = 0; at === 0 || at < value.length; at += OPTION_BYTES_MAX) {
    const part = value.subarray(at, at + OPTION_BYTES_MAX);
    encoded.push(code, part.length, ...part);
  }
  return encoded;
}

/** Reads a message. Throws MalformedMessage. */
export function parseMessage(bytes: Uint8Array): Message {
  if (bytes.length < FIXED_BYTES + 4) throw new MalformedMessage(`${bytes.length} bytes are too few`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const op = view.getUint8(0);
  if (op !== 1 && op !== 2) throw new MalformedMessage(`op is ${op}`);
  if (view.getUint32(FIXED_BYTES) !== MAGIC_COOKIE) throw new MalformedMessage("not DHCP: no magic cookie");
  return {
    op,
    transactionId: view.getUint32(XID),
    seconds: view.getUint16(SECS),
    broadcast: (view.getUint16(FLAGS) & FLAG_BROADCAST) !== 0,
    clientAddress: view.getUint32(CIADDR),
    yourAddress: view.getUint32(YIADDR),
    hardwareAddress: bytes.slice(CHADDR, CHADDR + HARDWARE_ADDRESS_BYTES),
    options: parseAllOptions(bytes),
  };
}

/** The options of the last field, then those that overflowed into `file` and `sname` (option 52, RFC 2131 section 4.1). */
function parseAllOptions(bytes: Uint8Array): Options {
  const options: Options = new Map();
  parseOptions(bytes.subarray(FIXED_BYTES + 4), options);
  const overload = options.get(OPTION.overload)?.[0] ?? 0;
  if (overload & 1) parseOptions(bytes.subarray(FILE, FIXED_BYTES), options);
  if (overload & 2) parseOptions(bytes.subarray(SNAME, FILE), options);
  return options;
}

function parseOptions(field: Uint8Array, options: Options): void {
  for (let at = 0; at < field.length; ) {
    const code = field[at++]!;
    if (code === OPTION.pad) continue;
    if (code === OPTION.end) return;
    const length = field[at++];
    if (length === undefined || at + length > field.length)
      throw new MalformedMessage(`option ${code} reaches beyond its field`);
    const before = options.get(code);
    const value = field.slice(at, at + length);
    options.set(code, before === undefined ? value : Buffer.concat([before, value]));
    at += length;
  }
}
