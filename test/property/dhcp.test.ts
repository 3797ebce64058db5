/** The parsers of what a server sends take anything, and the timers of a lease any lease. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { isConflict } from "../../src/ipam/dhcp/arp.ts";
import { encodeDatagram, parseDatagram } from "../../src/ipam/dhcp/datagram.ts";
import { grantOf, moments } from "../../src/ipam/dhcp/grant.ts";
import { MalformedMessage } from "../../src/ipam/dhcp/malformed.ts";
import { encodeMessage, type Message, parseMessage } from "../../src/ipam/dhcp/message.ts";
import {
  readAddresses,
  readClasslessRoutes,
  readMask,
  readName,
  readSearchList,
  readStaticRoutes,
  readUint16,
  readUint32,
} from "../../src/ipam/dhcp/option.ts";
import { parseRequest } from "../../src/ipam/dhcp/protocol.ts";
import { givenBy } from "../../src/ipam/dhcp/result.ts";
import { nextDue } from "../../src/ipam/dhcp/timers.ts";
import {
  assignedTo,
  encodeIdentity,
  encodeMessage6,
  parseMessage6,
  refusalIn,
} from "../../src/ipam/dhcp/v6/message.ts";
import { inputs } from "../support/inputs.ts";

const RUNS = 2000;
const uint32 = fc.nat({ max: 0xffff_ffff });
const value = fc.uint8Array({ maxLength: 400 });

const message: fc.Arbitrary<Message> = fc.record({
  op: fc.constantFrom(1 as const, 2 as const),
  transactionId: uint32,
  seconds: fc.nat({ max: 0xffff }),
  broadcast: fc.boolean(),
  clientAddress: uint32,
  yourAddress: uint32,
  hardwareAddress: fc.uint8Array({ minLength: 6, maxLength: 6 }),
  // Not 52, which says that other fields hold options.
  options: fc
    .uniqueArray(fc.tuple(fc.integer({ min: 1, max: 254 }), value), {
      selector: ([code]) => code,
      maxLength: 8,
    })
    .map((options) => new Map(options.filter(([code]) => code !== 52))),
});

/** Runs `work`; only the named error may come out of it. */
function tolerant(work: () => unknown): void {
  try {
    work();
  } catch (thrown) {
    if (!(thrown instanceof MalformedMessage)) throw thrown;
  }
}

function check(arbitrary: fc.Arbitrary<Uint8Array>, work: (bytes: Uint8Array) => void): void {
  fc.assert(
    fc.property(arbitrary, (bytes) => work(bytes)),
    inputs(RUNS),
  );
}

test("a message survives packing and parsing, whatever its options hold", () => {
  fc.assert(
    fc.property(message, (sent) => {
      const read = parseMessage(encodeMessage(sent));
      expect({ ...read, options: plain(read) }).toEqual({ ...sent, options: plain(sent) });
    }),
    inputs(RUNS),
  );
});

function plain({ options }: Message): [number, number[]][] {
  return [...options].map(([code, bytes]) => [code, [...bytes]]);
}

test("a datagram survives packing, up to its ports, and a changed bit in its IP header is seen", () => {
  fc.assert(
    fc.property(uint32, uint32, value, fc.nat({ max: 159 }), (source, destination, payload, bit) => {
      const bytes = encodeDatagram(source, destination, payload);
      // From a server to the client's port.
      bytes.set([0, 67, 0, 68], 20);
      expect([...parseDatagram(bytes)]).toEqual([...payload]);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => parseDatagram(bytes)).toThrow(MalformedMessage);
    }),
    inputs(RUNS),
  );
});

test("any bytes are a message, a datagram or an option, or the named error", () => {
  const readers = [
    ...[readUint32, readUint16, readAddresses, readMask, readStaticRoutes, readClasslessRoutes],
    ...[readName, readSearchList, parseMessage, parseDatagram],
  ];
  check(fc.uint8Array({ maxLength: 600 }), (bytes) => {
    for (const reader of readers) tolerant(() => reader(bytes));
    isConflict(bytes, 1);
    parseRequest(Buffer.from(bytes).toString());
  });
});

test("a message that was damaged on its way gives a lease, or the named error", () => {
  const damage = fc.array(fc.tuple(fc.nat({ max: 700 }), fc.nat({ max: 255 })), { maxLength: 20 });
  fc.assert(
    fc.property(message, damage, fc.nat({ max: 700 }), (sent, changes, length) => {
      const bytes = encodeMessage(sent).subarray(0, Math.max(240, length));
      for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
      tolerant(() => {
        const grant = grantOf(parseMessage(bytes), new Uint8Array(6), 0, 0);
        givenBy(grant, [1, 3, 6, 15, 26, 33, 119, 121], 5, 1);
      });
    }),
    inputs(RUNS),
  );
});

test("a DHCPv6 message survives packing, and damaged or random it is read or the named error", () => {
  const option = fc.tuple(fc.integer({ min: 1, max: 25 }), value);
  const sent = fc.record({
    type: fc.nat({ max: 255 }),
    transactionId: fc.nat({ max: 0xff_ffff }),
    options: fc.array(option, { maxLength: 6 }),
  });
  fc.assert(
    fc.property(sent, fc.uint8Array({ maxLength: 300 }), (message, bytes) => {
      const read = parseMessage6(encodeMessage6(message));
      expect(read.options.map(([code, item]) => [code, [...item]])).toEqual(
        message.options.map(([code, item]) => [code, [...item]]),
      );
      expect([read.type, read.transactionId]).toEqual([message.type, message.transactionId]);
      for (const options of [() => read.options, () => parseMessage6(bytes).options]) {
        tolerant(() => assignedTo(0, options()));
        tolerant(() => refusalIn(options()));
      }
    }),
    inputs(RUNS),
  );
});

test("an address survives in an IA_NA", () => {
  fc.assert(
    fc.property(uint32, fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), (iaid, address) => {
      expect(assignedTo(iaid, [[3, encodeIdentity(iaid, address)]])?.address).toBe(address);
      expect(assignedTo(iaid ^ 1, [[3, encodeIdentity(iaid, address)]])).toBeUndefined();
    }),
    inputs(RUNS),
  );
});

test("a search list of pointers and labels ends, and its names could stand in resolv.conf", () => {
  const piece = fc.oneof(
    fc.constant([0]),
    fc.nat({ max: 30 }).map((to) => [0xc0, to]),
    fc.stringMatching(/^[a-z\n #]{1,5}$/).map((text) => [text.length, ...Buffer.from(text)]),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      tolerant(() => {
        for (const name of readSearchList(Uint8Array.from(pieces.flat()))) expect(name).toMatch(/^[\w.-]+$/);
      });
    }),
    inputs(RUNS * 5),
  );
});

test("T1 comes before T2 and T2 before the end, whatever a server says", () => {
  const some = fc.option(uint32, { nil: undefined });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 0xffff_fffe }),
      some,
      some,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (seconds, t1, t2, random) => {
        const { renewAt, rebindAt, expiresAt } = moments(0, seconds, t1, t2, random);
        expect(0 < renewAt && renewAt < rebindAt && rebindAt < expiresAt).toBe(true);
      },
    ),
    inputs(RUNS),
  );
});

test("a lease nobody prolongs is tried a bounded number of times, ever later, rebinding after renewing, and then ends", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 0xffff_fffe }),
      fc.double({ min: 0, max: 10, noNaN: true }),
      (seconds, delay) => {
        const lease = { startedAt: 0, ...moments(0, seconds, undefined, undefined, 0) };
        let triedAt: number | undefined;
        const seen: string[] = [];
        for (let due = nextDue(lease, triedAt)!; due.what !== "expire"; due = nextDue(lease, triedAt)!) {
          if (triedAt !== undefined) expect(due.at).toBeGreaterThan(triedAt);
          expect(due.at).toBeLessThan(lease.expiresAt);
          seen.push(due.what);
          // The daemon may come late.
          triedAt = due.at + delay * (seconds / 1000);
          if (seen.length > 100) throw new Error(`without end: ${seen.join(" ")}`);
        }
        expect([...seen].sort().reverse()).toEqual(seen);
        expect(nextDue(lease, triedAt)).toEqual({ what: "expire", at: seconds });
      },
    ),
    inputs(RUNS),
  );
});

test("a lease for ever is never due", () => {
  expect(nextDue({ startedAt: 0, ...moments(0, 0xffff_ffff, 1, 2, 0) }, undefined)).toBeUndefined();
});
