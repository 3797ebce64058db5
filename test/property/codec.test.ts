import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import * as codec from "../../src/linux/codec.ts";
import { KernelError } from "../../src/linux/errno.ts";
import { bitsOf, type IpAddress, type IpPrefix } from "../../src/net/ip.ts";
import * as layout from "../../wasm/layout.ts";
import * as k from "../../wasm/uapi.ts";
import { readRecording, recordings } from "../golden/recording.ts";
import { inputs, propertyTimeoutMs } from "../support/inputs.ts";

// Thousands of runs, on a machine that may be busy.
setDefaultTimeout(propertyTimeoutMs);

const runs = inputs(1000);

// What the walker says of a datagram.

type Said = unknown[];

function read(type: number): unknown {
  switch (type) {
    case k.RTM_NEWLINK:
    case k.RTM_DELLINK:
      return codec.responseLink();
    case k.RTM_NEWADDR:
    case k.RTM_DELADDR:
      return orRefused(codec.responseAddress);
    case k.RTM_NEWROUTE:
    case k.RTM_DELROUTE:
      return orRefused(codec.responseRoute);
    case k.NLMSG_ERROR:
    case k.NLMSG_DONE:
      return codec.responseError();
    default:
      return undefined;
  }
}

/** An address family that is neither IPv4 nor IPv6 is refused, and that is fine. */
function orRefused(work: () => unknown): unknown {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof KernelError && thrown.errno === k.EAFNOSUPPORT) return "refused";
    throw thrown;
  }
}

/** Walks a datagram whose end is followed by `poison`; anything but an end or EBADMSG is thrown on. */
function walk(datagram: Uint8Array, poison: number, step = codec.responseNext): Said {
  const memory = codec.responseMemory();
  memory.fill(poison);
  memory.set(datagram);
  codec.responseBegin(datagram.length);
  const said: Said = [];
  // No message is shorter than its header: more steps than this would be a loop.
  for (let steps = 0; steps <= datagram.length / k.NLMSG_HDRLEN; steps++) {
    try {
      const type = step();
      if (type === 0) return said;
      said.push(codec.responseHeader(), read(type));
    } catch (thrown) {
      if (!(thrown instanceof KernelError) || thrown.errno !== k.EBADMSG) throw thrown;
      expect(step).toThrow("malformed netlink message");
      return [...said, "malformed"];
    }
  }
  throw new Error("the walker does not come to an end");
}

const seeks = [
  () => codec.responseSeekLink({ name: "c2" }),
  () => codec.responseSeekLink({ kind: "ipvlan", linkIndex: 10 }),
  () => codec.responseSeekLink({ index: 12 }),
  () => codec.responseSeekAddress({ index: 11 }),
  () => codec.responseSeekRoute({ oif: 11, table: 1000 }),
];

/** The same datagram must say the same whatever follows it in memory and whatever was read before. */
function expectSame(datagram: Uint8Array, before: Uint8Array): Said {
  walk(datagram, 0);
  const said = walk(datagram, 0);
  for (const poison of [0xff, 0x08, 0x01]) {
    walk(before, 0);
    expect(walk(datagram, poison)).toEqual(said);
  }
  for (const seek of seeks) {
    const sought = walk(datagram, 0, seek);
    walk(before, 0);
    expect(walk(datagram, 0xff, seek)).toEqual(sought);
  }
  return said;
}

const captured = recordings
  .flatMap(readRecording)
  .flatMap(({ exchanges }) => exchanges.flatMap(({ answers }) => answers));
/** Each recorded message by itself. */
const messages = captured.flatMap((datagram) => {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.length);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < datagram.length; at += (view.getUint32(at, true) + 3) & ~3)
    parts.push(datagram.slice(at, at + view.getUint32(at, true)));
  return parts;
});
/** One of each type and length, the smaller ones; 200 or so. */
const samples = [
  ...new Map(messages.map((message) => [`${message[4]} ${message.length}`, message] as const)).values(),
];
const aSample = fc.constantFrom(...samples);

// Messages made up, attribute by attribute, right or slightly wrong.

const wrongLength = fc.oneof(
  { weight: 12, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: -9, max: 9 }) },
);
const payload = fc.oneof(
  fc
    .constantFrom(0, 1, 2, 4, 6, 8, 16, 18)
    .chain((length) => fc.uint8Array({ minLength: length, maxLength: length })),
  fc
    .constantFrom("ipvlan\0", "ipvlan", "macvlan\0", "vlan\0", "eth0\0", "")
    .map((text) => new TextEncoder().encode(text)),
  fc.uint8Array({ maxLength: 40 }),
);
const attributeType = fc.oneof(
  fc.constantFrom(...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 15, 16, 18, 33, 37, 46, 52, 53, 63, 64, 65, 127]),
  fc.nat({ max: 0xffff }),
);
const { attributes } = fc.letrec<{ attributes: Uint8Array; attribute: Uint8Array; nexthop: Uint8Array }>(
  (tie) => ({
    attributes: fc
      .array(fc.oneof({ weight: 6, arbitrary: tie("attribute") }, { weight: 1, arbitrary: tie("nexthop") }), {
        maxLength: 6,
      })
      .map(joined),
    // struct rtnexthop; among attributes it is one of type 0 with four bytes more.
    nexthop: fc.tuple(tie("attributes"), wrongLength).map(([inside, wrong]) => {
      const bytes = joined([new Uint8Array(8), inside]);
      const view = new DataView(bytes.buffer);
      view.setUint16(0, Math.max(0, bytes.length + wrong), true);
      view.setInt32(4, 4711, true);
      return bytes;
    }),
    attribute: fc
      .tuple(attributeType, fc.oneof({ maxDepth: 3 }, payload, tie("attributes")), wrongLength, fc.boolean())
      .map(([type, inside, wrong, isPadded]) => {
        const bytes = new Uint8Array(4 + (isPadded ? (inside.length + 3) & ~3 : inside.length));
        const view = new DataView(bytes.buffer);
        view.setUint16(0, Math.max(0, 4 + inside.length + wrong), true);
        view.setUint16(2, type, true);
        bytes.set(inside, 4);
        return bytes;
      }),
  }),
);
const madeUp = fc
  .tuple(
    fc.constantFrom(0, 1, 2, 3, 16, 17, 20, 21, 24, 25, 28, 88),
    fc.constantFrom(0, k.NLM_F_MULTI, k.NLM_F_CAPPED, k.NLM_F_ACK_TLVS, k.NLM_F_CAPPED | k.NLM_F_ACK_TLVS),
    fc.constantFrom(k.AF_INET, k.AF_INET6, k.AF_UNSPEC, 7),
    fc.uint8Array({ minLength: 20, maxLength: 20 }),
    attributes,
    wrongLength,
  )
  .map(([type, flags, family, fixed, rest, wrong]) => {
    fixed[0] = family;
    fixed[1]! %= 40;
    if (type <= 3) fixed.fill(0, 0, 8).fill(16, 4, 5);
    const fixedLength = type <= 2 ? 20 : type === 3 ? 4 : type < 20 ? 16 : type < 24 ? 8 : 12;
    const bytes = joined([new Uint8Array(16), fixed.subarray(0, fixedLength), rest]);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, Math.max(0, bytes.length + wrong), true);
    view.setUint16(4, type, true);
    view.setUint16(6, flags, true);
    return bytes;
  });

function joined(parts: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

describe("hostile answers", () => {
  test("arbitrary bytes never trap, loop, or depend on what is outside of them", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), aSample, (bytes, before) => {
        expectSame(bytes, before);
      }),
      runs,
    );
  });

  test("made-up messages never trap, loop, or depend on what is outside of them", () => {
    let all = 0;
    let wellFormed = 0;
    fc.assert(
      fc.property(fc.array(madeUp, { minLength: 1, maxLength: 3 }), aSample, (parts, before) => {
        const said = expectSame(joined(parts), before);
        all++;
        if (said.at(-1) !== "malformed") wellFormed++;
      }),
      inputs(2000),
    );
    // Neither all nor none: the generator is near the border.
    expect(wellFormed).toBeGreaterThan(all / 10);
    expect(wellFormed).toBeLessThan(all * 0.9);
  });

  test("recorded messages with bytes changed never trap, loop, or depend on what is outside of them", () => {
    const changes = fc.array(
      fc.tuple(fc.nat(), fc.oneof(fc.constantFrom(0, 1, 3, 4, 5, 8, 0x7f, 0x80, 0xff), fc.nat({ max: 255 }))),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(aSample, changes, aSample, (message, edits, before) => {
        const bytes = message.slice();
        for (const [where, value] of edits) bytes[where % bytes.length] = value;
        expectSame(bytes, before);
      }),
      inputs(2000),
    );
  });

  test("a recorded message cut anywhere is malformed", () => {
    for (const message of samples)
      for (let length = 1; length < message.length; length += message.length > 400 ? 7 : 1)
        expect(walk(message.subarray(0, length), 0xff)).toEqual(["malformed"]);
  });

  test("a recorded message cut anywhere, its header agreeing, is malformed or lacks attributes", () => {
    for (const message of samples) {
      const whole = walk(message, 0)[1];
      for (let length = 17; length < message.length; length += message.length > 400 ? 7 : 1) {
        const bytes = message.slice(0, length);
        new DataView(bytes.buffer).setUint32(0, length, true);
        const said = expectSame(bytes, message);
        if (said.at(-1) !== "malformed")
          expect(Object.keys(said[1] as object)).toEqual(Object.keys(whole as object));
      }
    }
  });

  test("attribute 0, which no message has, is not mistaken for anything", () => {
    // A message of its own inside attribute 0: whoever noted it as the current message would read that.
    const inner = samples.find((message) => message[4] === k.RTM_NEWLINK)!.subarray(0, 64);
    const bytes = joined([new Uint8Array(36), inner]);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, bytes.length, true);
    view.setUint16(4, k.RTM_NEWLINK, true);
    view.setInt32(20, 4711, true);
    view.setUint16(32, 4 + inner.length, true);
    expect(walk(bytes, 0)[1]).toMatchObject({ index: 4711, name: "" });
  });

  test("a datagram longer than the memory for it is refused", () => {
    const { length } = codec.responseMemory();
    expect(() => codec.responseBegin(length + 1)).toThrow("EMSGSIZE");
    expect(() => codec.responseBegin(-1)).toThrow("EMSGSIZE");
    expect(codec.responseNext()).toBe(0);
    codec.responseMemory().fill(0);
    codec.responseBegin(length);
    expect(() => codec.responseNext()).toThrow("EBADMSG");
  });

  test("a message of 128 KiB is walked to its very last byte", () => {
    const bytes = new Uint8Array(codec.responseMemory().length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, bytes.length, true);
    view.setUint16(4, k.RTM_NEWLINK, true);
    let at = 32;
    for (; at < bytes.length - 8; at += 4) view.setUint16(at, 4, true);
    view.setUint32(at, 8 | (k.IFLA_MTU << 16), true);
    view.setUint32(at + 4, 1234, true);
    expect(walk(bytes, 0)[1]).toMatchObject({ mtu: 1234 });
    view.setUint16(at, 9, true);
    expect(walk(bytes, 0)).toEqual(["malformed"]);
  });

  test("reading a message as what it is not throws", () => {
    walk(samples.find((message) => message[4] === k.RTM_NEWROUTE)!, 0);
    expect(codec.responseLink).toThrow(TypeError);
    expect(codec.responseError).toThrow(TypeError);
  });
});

// Requests that are read back: RTM_NEW… messages are answers too.

const u32 = fc.integer({ min: 1, max: 0xffff_ffff });
const index = fc.integer({ min: 1, max: 0x7fff_ffff });
const interfaceName = fc
  .string({ unit: fc.constantFrom(..."abcXYZ019.-_é漢\ufeff"), minLength: 1, maxLength: 15 })
  .filter((name) => new TextEncoder().encode(name).length <= 15);
const family = fc.constantFrom<4 | 6>(4, 6);
const addressOf = (of: 4 | 6) =>
  fc
    .bigInt({ min: 0n, max: (1n << BigInt(bitsOf(of))) - 1n })
    .map((value): IpAddress => ({ family: of, value }));
const prefixOf = (of: 4 | 6) =>
  fc
    .tuple(addressOf(of), fc.integer({ min: 0, max: bitsOf(of) }))
    .map(([address, length]): IpPrefix => ({ ...address, length }));
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

/** Writes requests, then reads them back as one datagram. */
function readBack(write: () => void): Said {
  codec.requestBegin(0xffff_fffe);
  write();
  const { lengthBytes } = codec.requestFinish();
  return walk(codec.requestMemory().slice(0, lengthBytes), 0xff);
}

describe("requests read back", () => {
  test("links", () => {
    const kind = fc.oneof(
      fc.record({
        kind: fc.constant("ipvlan" as const),
        mode: fc.nat({ max: 2 }),
        flags: fc.nat({ max: 3 }),
      }),
      fc.record({ kind: fc.constant("macvlan" as const), mode: fc.constantFrom(1, 2, 4, 8) }),
      fc.record({ kind: fc.constant("vlan" as const), vlanId: fc.nat({ max: 4095 }) }),
      fc.record({ kind: fc.constant("dummy" as const) }),
    );
    const link = fc.record({
      name: interfaceName,
      masterIndex: index,
      index: maybe(index),
      linkNetnsid: maybe(fc.nat()),
      mtu: maybe(fc.nat()),
      txQueueLen: maybe(fc.nat()),
      up: maybe(fc.boolean()),
    });
    fc.assert(
      fc.property(link, kind, (asked, data) => {
        const [header, said] = readBack(() => codec.requestLinkAdd({ ...asked, ...data }));
        expect(header).toEqual({
          type: k.RTM_NEWLINK,
          flags: k.NLM_F_REQUEST | k.NLM_F_ACK | k.NLM_F_CREATE | k.NLM_F_EXCL,
          sequence: 0xffff_fffe,
        });
        expect(said).toMatchObject({
          name: asked.name,
          linkIndex: asked.masterIndex,
          index: asked.index ?? 0,
          linkNetnsid: asked.linkNetnsid,
          mtu: asked.mtu ?? 0,
          txQueueLen: asked.txQueueLen ?? 0,
          flags: asked.up ? k.IFF_UP : 0,
          kind: data.kind,
          ipvlanMode: data.kind === "ipvlan" ? data.mode : undefined,
          ipvlanFlags: data.kind === "ipvlan" ? data.flags : undefined,
          macvlanMode: data.kind === "macvlan" ? data.mode : undefined,
          vlanId: data.kind === "vlan" ? data.vlanId : undefined,
        });
      }),
      runs,
    );
  });

  test("a link's name may be of one letter, and 0 is a value and not an absence", () => {
    const lengthOf = (change: Omit<codec.LinkSet, "index">) => {
      codec.requestBegin(1);
      codec.requestLinkSet({ index: 7, ...change });
      return codec.requestFinish().lengthBytes;
    };
    for (const change of [{ mtu: 0 }, { netnsFd: 0 }, { txQueueLen: 0 }])
      expect(lengthOf(change) - lengthOf({})).toBe(8);
    const [, said] = readBack(() => codec.requestLinkSet({ index: 7, name: "a" }));
    expect(said).toMatchObject({ index: 7, name: "a" });
  });

  test("a name that is too long for a link is asked for as an alternative one", () => {
    for (const [length, type] of [
      [1, k.IFLA_IFNAME],
      [15, k.IFLA_IFNAME],
      [16, k.IFLA_ALT_IFNAME],
      [127, k.IFLA_ALT_IFNAME],
    ] as const) {
      codec.requestBegin(1);
      codec.requestLinkGet({ name: "n".repeat(length) });
      codec.requestFinish();
      const { buffer, byteOffset } = codec.requestMemory();
      // Behind the header, struct ifinfomsg and IFLA_EXT_MASK.
      expect(new DataView(buffer, byteOffset).getUint16(16 + 16 + 8 + 2, true)).toBe(type);
    }
  });

  test("addresses", () => {
    const address = family.chain((of) =>
      fc.record({
        index,
        address: prefixOf(of),
        broadcast: fc.boolean(),
        flags: fc.nat({ max: 0xfff }),
        scope: fc.nat({ max: 255 }),
        validLifetime: maybe(fc.nat({ max: 0xffff_fffe })),
        preferredLifetime: maybe(fc.nat({ max: 0xffff_fffe })),
      }),
    );
    fc.assert(
      fc.property(address, (asked) => {
        const [, said] = readBack(() => codec.requestAddressAdd(asked));
        const { length, ...own } = asked.address;
        const hasBroadcast = asked.broadcast && own.family === 4 && length < 31;
        expect(said).toEqual({
          index: asked.index,
          family: own.family,
          address: own,
          prefixLength: length,
          peer: undefined,
          broadcast: hasBroadcast
            ? { family: 4, value: own.value | ((1n << BigInt(32 - length)) - 1n) }
            : undefined,
          label: undefined,
          flags: asked.flags,
          scope: asked.scope,
          validLifetime: asked.validLifetime ?? Number.POSITIVE_INFINITY,
          preferredLifetime: asked.preferredLifetime ?? Number.POSITIVE_INFINITY,
        });
      }),
      runs,
    );
  });

  test("routes", () => {
    const route = family.chain((of) =>
      fc.record({
        dst: prefixOf(of),
        gateway: maybe(family.chain(addressOf)),
        source: maybe(addressOf(of)),
        oif: maybe(index),
        priority: maybe(u32),
        table: maybe(u32),
        scope: maybe(fc.nat({ max: 255 })),
        protocol: maybe(fc.nat({ max: 255 })),
        type: maybe(fc.nat({ max: 11 })),
        onlink: fc.boolean(),
        mtu: maybe(u32),
        advmss: maybe(u32),
      }),
    );
    fc.assert(
      fc.property(route, (asked) => {
        const [, said] = readBack(() => codec.requestRouteAdd(asked));
        expect(said).toEqual({
          family: asked.dst.family,
          // What a default route has in its host bits is not sent.
          dst: asked.dst.length === 0 ? { ...asked.dst, value: 0n } : asked.dst,
          gateway: asked.gateway,
          source: asked.source,
          oif: asked.oif,
          priority: asked.priority ?? 0,
          table: asked.table ?? k.RT_TABLE_MAIN,
          scope: asked.scope ?? k.RT_SCOPE_UNIVERSE,
          protocol: asked.protocol ?? k.RTPROT_BOOT,
          type: asked.type ?? k.RTN_UNICAST,
          flags: asked.onlink ? k.RTNH_F_ONLINK : 0,
          mtu: asked.mtu,
          advmss: asked.advmss,
          nexthops: 0,
        });
      }),
      runs,
    );
  });

  test("a batch keeps its order and counts its sequence numbers up, past the largest", () => {
    const said = readBack(() => {
      codec.requestLinkDelete({ index: 7 });
      codec.requestAddressAdd({ index: 8, address: { family: 4, value: 1n, length: 32 } });
      codec.requestRouteAdd({ dst: { family: 6, value: 1n, length: 128 }, oif: 9 });
    });
    expect(said.filter((_, place) => place % 2 === 0)).toMatchObject([
      { type: k.RTM_DELLINK, sequence: 0xffff_fffe },
      { type: k.RTM_NEWADDR, sequence: 0xffff_ffff },
      { type: k.RTM_NEWROUTE, sequence: 0 },
    ]);
    expect(said.filter((_, place) => place % 2 === 1)).toMatchObject([
      { index: 7 },
      { index: 8 },
      { oif: 9 },
    ]);
  });
});

/** Every request, each as long as it can be. */
const longest: (() => void)[] = [
  () =>
    codec.requestLinkAdd({
      kind: "macvlan",
      name: "n".repeat(15),
      masterIndex: 1,
      netnsFd: 2,
      linkNetnsid: 3,
      mtu: 4,
      index: 5,
      txQueueLen: 6,
      up: true,
      mode: 1,
    }),
  () => codec.requestLinkSet({ index: 1, name: "n".repeat(15), up: true, mtu: 2, netnsFd: 3, txQueueLen: 4 }),
  () => codec.requestLinkDelete({ index: 1 }),
  () => codec.requestLinkGet({ name: "n".repeat(127) }),
  () => codec.requestLinkDump({ kind: "n".repeat(127), masterIndex: 1 }),
  () =>
    codec.requestAddressAdd({
      index: 1,
      address: { family: 6, value: 1n, length: 128 },
      flags: 0x200,
      validLifetime: 1,
    }),
  () => codec.requestAddressDelete({ index: 1, address: { family: 6, value: 1n, length: 128 } }),
  () => codec.requestAddressDump({ family: 6, index: 1 }),
  () =>
    codec.requestRouteAdd({
      dst: { family: 6, value: 1n, length: 128 },
      gateway: { family: 6, value: 1n },
      source: { family: 6, value: 1n },
      oif: 1,
      priority: 1,
      table: 256,
      mtu: 1,
      advmss: 1,
    }),
  () => codec.requestRouteDump({ family: 6, table: 256, oif: 1 }),
];

describe("requests", () => {
  test("no request is longer than its share of the memory", () => {
    for (const write of longest) {
      codec.requestBegin(1);
      write();
      expect(codec.requestFinish().lengthBytes).toBeLessThanOrEqual(layout.REQUEST_MESSAGE_BYTES_MAX);
    }
  });

  test("a batch does not depend on the one before, nor touch anything outside of its memory", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...longest), { maxLength: 8 }),
        fc.array(fc.constantFrom(...longest), { minLength: 1, maxLength: 8 }),
        (before, batch) => {
          const write = (requests: (() => void)[]) => {
            codec.requestBegin(1);
            for (const request of requests) request();
            return codec.requestMemory().slice(0, codec.requestFinish().lengthBytes);
          };
          codec.requestMemory().fill(0);
          const alone = write(batch);
          codec.requestMemory().fill(0xff);
          codec.responseMemory().fill(0x5a);
          write(before);
          expect(write(batch)).toEqual(alone);
          expect(codec.responseMemory().every((byte) => byte === 0x5a)).toBe(true);
        },
      ),
      inputs(100),
    );
  });

  test("a batch that does not fit is told once, and leaves the answers' memory alone", () => {
    codec.responseMemory().fill(0x5a);
    for (const write of longest) {
      codec.requestBegin(1);
      for (let count = 0; count < 5000; count++) write();
      expect(codec.requestFinish).toThrow("EMSGSIZE");
    }
    expect(codec.responseMemory().every((byte) => byte === 0x5a)).toBe(true);
    codec.requestBegin(1);
    expect(codec.requestFinish()).toEqual({ lengthBytes: 0, count: 0 });
  });

  test.each([
    ["ENAMETOOLONG", () => codec.requestLinkSet({ index: 1, name: "sixteen-letters-" })],
    ["ENAMETOOLONG", () => codec.requestLinkAdd({ name: "漢漢漢漢漢漢", masterIndex: 1, mode: 0, flags: 0 })],
    ["ENAMETOOLONG", () => codec.requestLinkGet({ name: "n".repeat(128) })],
    ["ENAMETOOLONG", () => codec.requestLinkGet({ name: "漢".repeat(43) })],
    ["ENAMETOOLONG", () => codec.requestLinkDump({ kind: "n".repeat(5000) })],
    ["EINVAL", () => codec.requestLinkSet({ index: 1, name: "" })],
    ["EINVAL", () => codec.requestLinkGet({ name: "a\0b" })],
    ["EINVAL", () => codec.requestAddressAdd({ index: 1, address: { family: 4, value: 1n, length: 33 } })],
    [
      "EINVAL",
      () => codec.requestAddressDelete({ index: 1, address: { family: 6, value: 1n, length: 129 } }),
    ],
    ["EINVAL", () => codec.requestRouteAdd({ dst: { family: 4, value: 1n, length: -1 } })],
    [
      "EINVAL",
      () =>
        codec.requestRouteAdd({
          dst: { family: 4, value: 1n, length: 32 },
          source: { family: 6, value: 1n },
        }),
    ],
  ])("%s: %p", (name, write) => {
    codec.requestBegin(1);
    codec.requestLinkDelete({ index: 1 });
    write();
    codec.requestLinkDelete({ index: 1 });
    expect(codec.requestFinish).toThrow(name);
  });
});

describe("seeking", () => {
  test("finds what stepping finds", () => {
    for (const datagram of captured) {
      const stepped = walk(datagram, 0);
      const records = stepped.filter((_, place) => place % 2 === 1) as Record<string, unknown>[];
      const others = (type: number) =>
        stepped.flatMap((header, place) =>
          place % 2 === 0 && (header as { type: number }).type !== type ? [stepped[place + 1]] : [],
        );
      const sought = (step: () => number) =>
        walk(datagram, 0, step).filter((_, place) => place % 2 === 1) as Record<string, unknown>[];
      const check = (
        type: number,
        step: () => number,
        fits: (record: Record<string, unknown>) => boolean,
      ) => {
        const skipped = new Set(others(type));
        expect(sought(step)).toEqual(records.filter((record) => skipped.has(record) || fits(record)));
      };
      for (const wanted of ["c2", "c", "c22", "lo", "short"])
        check(
          k.RTM_NEWLINK,
          () => codec.responseSeekLink({ name: wanted }),
          ({ name }) => name === wanted,
        );
      for (const wanted of ["ipvlan", "ipvl", "ipvlans", "veth", "macvlan"])
        for (const parent of [undefined, 10, 14])
          check(
            k.RTM_NEWLINK,
            () => codec.responseSeekLink({ kind: wanted, ...(parent && { linkIndex: parent }) }),
            ({ kind, linkIndex }) => kind === wanted && (parent === undefined || linkIndex === parent),
          );
      check(
        k.RTM_NEWLINK,
        () => codec.responseSeekLink({ linkIndex: 10 }),
        ({ linkIndex }) => linkIndex === 10,
      );
      for (const wanted of [1, 11, 12]) {
        check(
          k.RTM_NEWLINK,
          () => codec.responseSeekLink({ index: wanted }),
          ({ index: own }) => own === wanted,
        );
        check(
          k.RTM_NEWADDR,
          () => codec.responseSeekAddress({ index: wanted }),
          ({ index: own }) => own === wanted,
        );
        for (const wantedTable of [undefined, k.RT_TABLE_MAIN, 1000])
          check(
            k.RTM_NEWROUTE,
            () => codec.responseSeekRoute({ oif: wanted, ...(wantedTable && { table: wantedTable }) }),
            ({ oif, table }) => oif === wanted && (wantedTable === undefined || table === wantedTable),
          );
      }
      check(
        k.RTM_NEWROUTE,
        () => codec.responseSeekRoute({ table: 255 }),
        ({ table }) => table === 255,
      );
    }
  });
});
