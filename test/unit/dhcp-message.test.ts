/** Corners of the formats that random bytes seldom find. */

import { expect, test } from "bun:test";
import { encodeDatagram, parseDatagram } from "../../src/ipam/dhcp/datagram.ts";
import { MalformedMessage } from "../../src/ipam/dhcp/malformed.ts";
import { encodeMessage, type Message, parseMessage } from "../../src/ipam/dhcp/message.ts";
import { OPTION, readMask, uint32 } from "../../src/ipam/dhcp/option.ts";
import { nextDue } from "../../src/ipam/dhcp/timers.ts";
import { assignedTo, encodeIdentity } from "../../src/ipam/dhcp/v6/message.ts";

function message(options: [number, Uint8Array][]): Uint8Array {
  const fields: Message = {
    op: 2,
    transactionId: 1,
    seconds: 0,
    broadcast: false,
    clientAddress: 0,
    yourAddress: 1,
    hardwareAddress: new Uint8Array(6),
    options: new Map(options),
  };
  return encodeMessage(fields);
}

test("a value of more than 255 bytes is split over two options, and joined again", () => {
  const value = Uint8Array.from({ length: 300 }, (_, index) => index & 255);
  const bytes = message([[12, value]]);
  expect([bytes[240], bytes[241], bytes[497], bytes[498]]).toEqual([12, 255, 12, 45]);
  expect([...parseMessage(bytes).options.get(12)!]).toEqual([...value]);
});

test.each([
  [1, [3], undefined],
  [2, undefined, [4]],
  [3, [3], [4]],
])("options overflow into file and server name as option 52 says: %d", (overload, inFile, inName) => {
  const bytes = message([[OPTION.overload, Uint8Array.of(overload)]]);
  bytes.set([100, 1, 3, 255], 108);
  bytes.set([101, 1, 4, 255], 44);
  const { options } = parseMessage(bytes);
  expect(options.get(100)).toEqual(inFile && Uint8Array.from(inFile));
  expect(options.get(101)).toEqual(inName && Uint8Array.from(inName));
});

test("an option that reaches beyond the message is an error", () => {
  const bytes = message([[12, Uint8Array.of(1, 2, 3)]]).subarray(0, 244);
  expect(() => parseMessage(bytes)).toThrow("option 12 reaches beyond its field");
  expect(() => parseMessage(bytes.subarray(0, 241))).toThrow(MalformedMessage);
});

test("a UDP length beyond the IP packet is an error", () => {
  const bytes = encodeDatagram(1, 2, new Uint8Array(10));
  bytes.set([0, 67, 0, 68], 20);
  bytes[25]! += 1;
  expect(() => parseDatagram(bytes)).toThrow("the UDP header is wrong");
});

test("a mask is ones, then zeros", () => {
  expect([0, 0x8000_0000, 0xffff_fe00, 0xffff_ffff].map((mask) => readMask(uint32(mask)))).toEqual([
    0, 1, 23, 32,
  ]);
  for (const mask of [1, 0xff00_ff00, 0x7fff_ffff]) expect(() => readMask(uint32(mask))).toThrow("has gaps");
});

test("T2 is kept, whenever the last try of T1 was", () => {
  const lease = { startedAt: 0, renewAt: 50, rebindAt: 87, expiresAt: 100 };
  expect(nextDue(lease, undefined)).toEqual({ what: "renew", at: 50 });
  expect(nextDue(lease, 50)).toEqual({ what: "renew", at: 68.5 });
  expect(nextDue(lease, 86)).toEqual({ what: "rebind", at: 87 });
  expect(nextDue(lease, 87)).toEqual({ what: "rebind", at: 93.5 });
  expect(nextDue(lease, 95)).toEqual({ what: "expire", at: 100 });
});

test("an IPv6 address that is cut off is an error", () => {
  const identity = encodeIdentity(1, 5n);
  const cut = Buffer.concat([
    identity.subarray(0, 12),
    Uint8Array.of(0, 5, 0, 20),
    identity.subarray(16, 36),
  ]);
  expect(() => assignedTo(1, [[3, cut]])).toThrow("an address is cut off");
});
