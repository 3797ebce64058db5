import { describe, expect, test } from "bun:test";
import * as codec from "../../src/linux/codec.ts";
import * as k from "../../wasm/uapi.ts";

/** Bytes out of numbers, texts and other bytes. */
function bytes(...parts: (number | string | number[])[]): number[] {
  return parts.flatMap((part) => (typeof part === "string" ? [...new TextEncoder().encode(part)] : part));
}

function u16(value: number): number[] {
  return [value & 255, (value >> 8) & 255];
}

function u32(value: number): number[] {
  return [...u16(value), ...u16(value >> 16)];
}

/** An attribute, padded; `length` is a lie about it. */
function attribute(type: number, payload: number[], length = 4 + payload.length): number[] {
  return bytes(u16(length), u16(type), payload, new Array<number>((4 - (payload.length % 4)) % 4).fill(0));
}

function message(type: number, body: number[], flags = 0, length = 16 + body.length): number[] {
  return bytes(u32(length), u16(type), u16(flags), u32(1), u32(0), body);
}

/** Steps to the first message; its type. What is behind the datagram would make good attributes. */
function step(datagram: number[]): number {
  const memory = codec.responseMemory();
  memory.fill(4);
  memory.set(datagram);
  codec.responseBegin(datagram.length);
  return codec.responseNext();
}

/** The same at the very end of the codec's memory, where reading too far traps, behind one message to fill the rest. */
function stepAtTheEnd(datagram: number[]): number {
  const memory = codec.responseMemory();
  const start = (memory.length - datagram.length) & ~3;
  memory.fill(4);
  memory.set(message(k.NLMSG_NOOP, [], 0, start));
  memory.set(datagram, start);
  codec.responseBegin(start + datagram.length);
  expect(codec.responseNext()).toBe(k.NLMSG_NOOP);
  return codec.responseNext();
}

const link = (...attributes: number[][]) =>
  message(k.RTM_NEWLINK, bytes(new Array(16).fill(0), ...attributes));
const address = (family: number, length: number, ...attributes: number[][]) =>
  message(k.RTM_NEWADDR, bytes(family, length, new Array(6).fill(0), ...attributes));
const route = (family: number, length: number, ...attributes: number[][]) =>
  message(k.RTM_NEWROUTE, bytes(family, length, new Array(10).fill(0), ...attributes));
const info = (kind: string, ...data: number[][]) =>
  attribute(
    k.IFLA_LINKINFO,
    bytes(attribute(k.IFLA_INFO_KIND, bytes(kind, 0)), attribute(k.IFLA_INFO_DATA, data.flat())),
  );
const error = (number: number, request: number[], flags: number, ...attributes: number[][]) =>
  message(k.NLMSG_ERROR, bytes(u32(number), request, ...attributes), flags);
const requestHeader = (length: number) => bytes(u32(length), new Array(12).fill(0));
const nexthop = (index: number, attributes: number[], length = 8 + attributes.length) =>
  bytes(u16(length), 0, 0, u32(index), attributes);
const sixteen = new Array<number>(16).fill(1);
const destination = attribute(k.RTA_DST, [10, 0, 0, 0]);

const malformed: [string, number[]][] = [
  ["a header cut short", new Array(15).fill(16)],
  ["a message shorter than its header", message(k.NLMSG_NOOP, [], 0, 15)],
  ["a message longer than the datagram", message(k.NLMSG_NOOP, [], 0, 17)],
  ["a message longer than a signed number", message(k.NLMSG_NOOP, [], 0, 0x8000_0010)],
  ["a message of type 0", message(0, [])],
  ["a link without its fixed part", message(k.RTM_NEWLINK, new Array(12).fill(0))],
  ["an address without its fixed part", message(k.RTM_NEWADDR, [k.AF_INET, 0, 0, 0])],
  ["a route without its fixed part", message(k.RTM_NEWROUTE, [k.AF_INET, 0, 0, 0, 0, 0, 0, 0])],
  ["an attribute of length 0", link(attribute(k.IFLA_IFNAME, bytes("eth0"), 0))],
  ["an attribute of length 3", link(attribute(k.IFLA_IFNAME, bytes("eth0"), 3))],
  ["an attribute beyond the message", link(attribute(k.IFLA_IFNAME, bytes("eth0"), 9))],
  ["one byte behind the attributes", link(attribute(k.IFLA_MTU, u32(1)), [0])],
  ["three bytes behind the attributes", link(attribute(k.IFLA_MTU, u32(1)), [0, 0, 0])],
  ["an MTU of two bytes", link(attribute(k.IFLA_MTU, [1, 2]))],
  ["an MTU of eight bytes", link(attribute(k.IFLA_MTU, [1, 2, 3, 4, 5, 6, 7, 8]))],
  ...[k.IFLA_LINK, k.IFLA_MASTER, k.IFLA_TXQLEN, k.IFLA_LINK_NETNSID, k.IFLA_TARGET_NETNSID].map(
    (type): [string, number[]] => [`attribute ${type} of a link of two bytes`, link(attribute(type, [1, 2]))],
  ),
  ...[k.RTA_OIF, k.RTA_PRIORITY, k.RTA_TABLE].map((type): [string, number[]] => [
    `attribute ${type} of a route of two bytes`,
    route(k.AF_INET, 0, attribute(type, [1, 2])),
  ]),
  ...[k.RTA_DST, k.RTA_GATEWAY, k.RTA_PREFSRC].map((type): [string, number[]] => [
    `attribute ${type} of a route of five bytes`,
    route(k.AF_INET, 0, attribute(type, [1, 2, 3, 4, 5])),
  ]),
  // Each family's addresses have the size of its own, and numbers have four bytes in both.
  ...[k.RTA_DST, k.RTA_GATEWAY, k.RTA_PREFSRC].flatMap((type): [string, number[]][] => [
    [
      `attribute ${type} of an IPv6 route of four bytes, with room for sixteen`,
      route(k.AF_INET6, 0, attribute(type, u32(1)), attribute(63, sixteen.slice(8))),
    ],
    [`attribute ${type} of an IPv4 route of sixteen bytes`, route(k.AF_INET, 0, attribute(type, sixteen))],
  ]),
  ...[k.RTA_OIF, k.RTA_PRIORITY, k.RTA_TABLE].map((type): [string, number[]] => [
    `attribute ${type} of an IPv6 route of sixteen bytes`,
    route(k.AF_INET6, 0, attribute(type, sixteen)),
  ]),
  ...[k.RTA_DST, k.RTA_GATEWAY, k.RTA_PREFSRC, k.RTA_OIF, k.RTA_PRIORITY, k.RTA_TABLE].flatMap((type) =>
    [4, 7].map((length): [string, number[]] => [
      `attribute ${type} of a route, ${8 - length} bytes beyond the message`,
      route(k.AF_INET, 0, attribute(type, u32(1)).slice(0, length)),
    ]),
  ),
  ...[k.IFA_ADDRESS, k.IFA_LOCAL, k.IFA_BROADCAST].map((type): [string, number[]] => [
    `attribute ${type} of an address of five bytes`,
    address(k.AF_INET, 24, attribute(type, [1, 2, 3, 4, 5])),
  ]),
  ["flags of an address of two bytes", address(k.AF_INET, 24, attribute(k.IFA_FLAGS, [1, 2]))],
  ["an operstate of two bytes", link(attribute(k.IFLA_OPERSTATE, [1, 2]))],
  ["a carrier of two bytes", link(attribute(k.IFLA_CARRIER, [1, 2]))],
  [
    "an alternative name beyond its list",
    link(attribute(k.IFLA_PROP_LIST, attribute(k.IFLA_ALT_IFNAME, [1], 9))),
  ],
  [
    "a kind beyond the link's information",
    link(attribute(k.IFLA_LINKINFO, attribute(k.IFLA_INFO_KIND, [1], 9))),
  ],
  ["an ipvlan mode beyond the kind's data", link(info("ipvlan", attribute(k.IFLA_IPVLAN_MODE, [1, 0], 9)))],
  ["an ipvlan mode of four bytes", link(info("ipvlan", attribute(k.IFLA_IPVLAN_MODE, [1, 0, 0, 0])))],
  ["ipvlan flags of one byte", link(info("ipvlan", attribute(k.IFLA_IPVLAN_FLAGS, [1])))],
  ["a macvlan mode of two bytes", link(info("macvlan", attribute(k.IFLA_MACVLAN_MODE, [1, 0])))],
  ["a VLAN number of four bytes", link(info("vlan", attribute(k.IFLA_VLAN_ID, [1, 0, 0, 0])))],
  ["an IPv4 address of 16 bytes", address(k.AF_INET, 24, attribute(k.IFA_LOCAL, new Array(16).fill(1)))],
  ["an IPv6 address of four bytes", address(k.AF_INET6, 64, attribute(k.IFA_ADDRESS, [1, 2, 3, 4]))],
  ["an IPv4 address with 33 bits", address(k.AF_INET, 33, attribute(k.IFA_LOCAL, [1, 2, 3, 4]))],
  ["lifetimes cut short", address(k.AF_INET, 24, attribute(k.IFA_CACHEINFO, new Array(12).fill(1)))],
  ["an attribute beyond the message, whatever the family", address(7, 24, attribute(k.IFA_LOCAL, [1], 9))],
  ["a destination of three bytes", route(k.AF_INET, 24, attribute(k.RTA_DST, [10, 0, 0]))],
  ["a route with a length but no destination", route(k.AF_INET, 8)],
  ["an IPv6 route with 129 bits", route(k.AF_INET6, 129, attribute(k.RTA_DST, new Array(16).fill(1)))],
  [
    "a gateway of 16 bytes for IPv4",
    route(k.AF_INET, 8, destination, attribute(k.RTA_GATEWAY, new Array(16).fill(1))),
  ],
  ["a gateway without a family", route(k.AF_INET, 8, destination, attribute(k.RTA_VIA, [10]))],
  ["a gateway of an unknown family", route(k.AF_INET, 8, destination, attribute(k.RTA_VIA, [7, 0]))],
  [
    "an IPv6 gateway of four bytes",
    route(k.AF_INET, 8, destination, attribute(k.RTA_VIA, [10, 0, 1, 2, 3, 4])),
  ],
  [
    "a metric beyond the metrics",
    route(k.AF_INET, 8, destination, attribute(k.RTA_METRICS, attribute(k.RTAX_MTU, u32(1), 9))),
  ],
  [
    "an MTU of a route of two bytes",
    route(k.AF_INET, 8, destination, attribute(k.RTA_METRICS, attribute(k.RTAX_MTU, [1, 2]))),
  ],
  [
    "a metric of two bytes",
    route(k.AF_INET, 8, destination, attribute(k.RTA_METRICS, attribute(k.RTAX_ADVMSS, [1, 2]))),
  ],
  [
    "a nexthop shorter than itself",
    route(k.AF_INET, 8, destination, attribute(k.RTA_MULTIPATH, nexthop(1, [], 7))),
  ],
  ["a nexthop of length 0", route(k.AF_INET, 8, destination, attribute(k.RTA_MULTIPATH, nexthop(1, [], 0)))],
  [
    "a nexthop beyond its list",
    route(k.AF_INET, 8, destination, attribute(k.RTA_MULTIPATH, nexthop(1, [], 12))),
  ],
  [
    "a nexthop that takes in the next attribute",
    route(
      k.AF_INET,
      8,
      destination,
      attribute(k.RTA_MULTIPATH, nexthop(1, [], 16)),
      attribute(k.RTA_PRIORITY, u32(1)),
    ),
  ],
  [
    "half a nexthop",
    route(k.AF_INET, 8, destination, attribute(k.RTA_MULTIPATH, bytes(nexthop(1, []), 8, 0, 0, 0))),
  ],
  [
    "an attribute beyond the second nexthop",
    route(
      k.AF_INET,
      8,
      destination,
      attribute(
        k.RTA_MULTIPATH,
        bytes(nexthop(1, []), nexthop(2, attribute(k.RTA_GATEWAY, [1, 2, 3, 4], 9))),
      ),
    ),
  ],
  ["an acknowledgement without the request", message(k.NLMSG_ERROR, u32(0), k.NLM_F_CAPPED)],
  ["an error without the whole of the request", error(-1, requestHeader(20), 0)],
  ["an error with a request shorter than a header", error(-1, requestHeader(15), 0)],
  ["an error with a request longer than a signed number", error(-1, requestHeader(-1), 0)],
  ["a positive error", error(1, requestHeader(16), 0)],
  ["an error below -4095", error(-4096, requestHeader(16), 0)],
  ["the smallest error there is", error(-0x8000_0000, requestHeader(16), 0)],
  [
    "an offset of two bytes",
    error(-1, requestHeader(16), k.NLM_F_ACK_TLVS, attribute(k.NLMSGERR_ATTR_OFFS, [1, 2])),
  ],
  [
    "a sentence beyond the message",
    error(-1, requestHeader(16), k.NLM_F_ACK_TLVS, attribute(k.NLMSGERR_ATTR_MSG, [1], 9)),
  ],
  ["the end of a dump cut short", message(k.NLMSG_DONE, [0, 0, 0])],
];

describe("malformed", () => {
  test.each(malformed)("%s", (_, datagram) => {
    expect(() => step(datagram)).toThrow("malformed netlink message");
    // And it stays so.
    expect(codec.responseNext).toThrow("malformed netlink message");
    expect(() => stepAtTheEnd(datagram)).toThrow("malformed netlink message");
  });

  test.each([1, 2, 3, 4, 8, 12, 15])("%d bytes of a header at the end of memory", (length) => {
    expect(() => stepAtTheEnd(new Array(length).fill(16))).toThrow("malformed netlink message");
  });

  test.each([k.NLMSG_ERROR, k.NLMSG_DONE, k.RTM_NEWLINK, k.RTM_NEWADDR, k.RTM_NEWROUTE])(
    "a message of type %d with nothing but a header at the end of memory",
    (type) => {
      expect(() => stepAtTheEnd(message(type, []))).toThrow("malformed netlink message");
    },
  );
});

describe("unusual, but well formed", () => {
  test("an empty datagram", () => {
    expect(step([])).toBe(0);
    expect(codec.responseNext()).toBe(0);
  });

  test("types unknown here are passed on, their contents unread", () => {
    for (const body of [[], [1, 2, 3]]) expect(step(message(88, body))).toBe(88);
    expect(codec.responseNext()).toBe(0);
  });

  test("messages of their fixed part and nothing else", () => {
    for (const [type, datagram] of [
      [k.NLMSG_ERROR, error(-1, requestHeader(16), 0)],
      [k.NLMSG_DONE, message(k.NLMSG_DONE, u32(0))],
      [k.RTM_NEWLINK, link()],
      [k.RTM_NEWADDR, address(k.AF_INET, 24)],
      [k.RTM_NEWROUTE, route(k.AF_INET, 0)],
    ] as const) {
      expect(step(datagram)).toBe(type);
      expect(stepAtTheEnd(datagram)).toBe(type);
    }
  });

  test("attributes unknown here are passed over", () => {
    step(
      link(attribute(63, [1]), attribute(64, [2]), attribute(0x3fff, [3]), attribute(k.IFLA_MTU, u32(1500))),
    );
    expect(codec.responseLink()).toMatchObject({ mtu: 1500 });
  });

  test("flags in an attribute's type are not part of it", () => {
    step(link(attribute(k.IFLA_MTU | 0x4000, u32(1500)), attribute(k.IFLA_LINKINFO | k.NLA_F_NESTED, [])));
    expect(codec.responseLink()).toMatchObject({ mtu: 1500, kind: undefined });
  });

  test("of an attribute that comes twice the last counts, as in the kernel", () => {
    step(link(attribute(k.IFLA_MTU, u32(1)), attribute(k.IFLA_MTU, u32(2))));
    expect(codec.responseLink()).toMatchObject({ mtu: 2 });
  });

  test("the last attribute need not be padded", () => {
    step(link(attribute(k.IFLA_IFNAME, bytes("a"), 5).slice(0, 5)));
    expect(codec.responseLink()).toMatchObject({ name: "a" });
  });

  test("nothing is left over from the link before", () => {
    const full = link(
      attribute(k.IFLA_IFNAME, bytes("eth0\0")),
      attribute(k.IFLA_PROP_LIST, attribute(k.IFLA_ALT_IFNAME, bytes("other\0"))),
      info("ipvlan", attribute(k.IFLA_IPVLAN_MODE, [1, 0]), attribute(k.IFLA_IPVLAN_FLAGS, [2, 0])),
    );
    step(bytes(full, link(), full, link(info("ipvlan"))));
    expect(codec.responseLink()).toMatchObject({
      name: "eth0",
      kind: "ipvlan",
      ipvlanMode: 1,
      ipvlanFlags: 2,
    });
    const nothing = { name: "", altNames: [], ipvlanMode: undefined, ipvlanFlags: undefined };
    codec.responseNext();
    expect(codec.responseLink()).toMatchObject({ ...nothing, kind: undefined });
    codec.responseNext();
    codec.responseNext();
    expect(codec.responseLink()).toMatchObject({ ...nothing, kind: "ipvlan" });
    const withoutData = link(attribute(k.IFLA_LINKINFO, attribute(k.IFLA_INFO_KIND, bytes("ipvlan\0"))));
    step(bytes(full, withoutData));
    codec.responseNext();
    expect(codec.responseLink()).toMatchObject({ ...nothing, kind: "ipvlan" });
  });

  test("of a message without attributes nothing else is known", () => {
    step(link());
    expect(codec.responseLink()).toEqual({
      ...{ index: 0, name: "", altNames: [], flags: 0, mtu: 0, txQueueLen: 0, ifType: 0 },
      ...{ mac: undefined, linkIndex: undefined, linkNetnsid: undefined },
      ...{ master: undefined, kind: undefined },
      ...{ ipvlanMode: undefined, ipvlanFlags: undefined, macvlanMode: undefined, vlanId: undefined },
    });
    for (const [kind, unknown] of [
      ["ipvlan", ["ipvlanMode", "ipvlanFlags"]],
      ["macvlan", ["macvlanMode"]],
      ["vlan", ["vlanId"]],
    ] as const) {
      step(link(info(kind)));
      for (const key of unknown) expect(codec.responseLink()[key]).toBeUndefined();
    }
    step(address(k.AF_INET, 24, attribute(k.IFA_LOCAL, [10, 0, 0, 1])));
    expect(codec.responseAddress()).toEqual({
      ...{ index: 0, family: 4, prefixLength: 24, address: { family: 4, value: 0x0a00_0001n } },
      ...{ peer: undefined, broadcast: undefined, label: undefined, flags: 0, scope: 0 },
      ...{ preferredLifetime: Number.POSITIVE_INFINITY, validLifetime: Number.POSITIVE_INFINITY },
    });
    step(route(k.AF_INET, 0));
    expect(codec.responseRoute()).toEqual({
      ...{ family: 4, dst: { family: 4, value: 0n, length: 0 }, gateway: undefined, source: undefined },
      ...{ oif: undefined, priority: 0, table: 0, scope: 0, protocol: 0, type: 0, flags: 0 },
      ...{ mtu: undefined, advmss: undefined, nexthops: 0 },
    });
  });

  test("a kind that only begins like one known here has data of its own", () => {
    step(link(info("ipvlan\0\0\0", attribute(k.IFLA_IPVLAN_MODE, [1]))));
    expect(codec.responseLink()).toMatchObject({ ipvlanMode: undefined });
    step(link(info("vlan2", attribute(k.IFLA_VLAN_ID, [1]))));
    expect(codec.responseLink()).toMatchObject({ kind: "vlan2", vlanId: undefined });
  });

  test("a route whose table stands in the header", () => {
    const body = bytes(k.AF_INET, 0, 0, 0, k.RT_TABLE_MAIN, k.RTPROT_BOOT, 253, 1, u32(0));
    step(message(k.RTM_NEWROUTE, body));
    expect(codec.responseRoute()).toMatchObject({
      table: k.RT_TABLE_MAIN,
      protocol: k.RTPROT_BOOT,
      scope: 253,
    });
    codec.responseBegin(16 + body.length);
    expect(codec.responseSeekRoute({ table: k.RT_TABLE_MAIN })).toBe(k.RTM_NEWROUTE);
    codec.responseBegin(16 + body.length);
    expect(codec.responseSeekRoute({ table: k.RT_TABLE_LOCAL })).toBe(0);
  });

  test("a route's attributes come in any order, some of them missing, twice, or with a flag", () => {
    const said = (family: number, parts: number[][]) => {
      expect(step(route(family, 8, ...parts))).toBe(k.RTM_NEWROUTE);
      return codec.responseRoute();
    };
    for (const [family, size] of [
      [k.AF_INET, 4],
      [k.AF_INET6, 16],
    ] as const) {
      // As the kernel sorts them, those of IPv4.
      const parts = (values: number[]) => [
        attribute(k.RTA_TABLE, u32(values[0]!)),
        attribute(k.RTA_DST, new Array(size).fill(values[1]!)),
        attribute(k.RTA_PRIORITY, u32(values[2]!)),
        attribute(k.RTA_PREFSRC, new Array(size).fill(values[3]!)),
        attribute(k.RTA_GATEWAY, new Array(size).fill(values[4]!)),
        attribute(k.RTA_OIF, u32(values[5]!)),
      ];
      const sorted = parts([1, 2, 3, 4, 5, 6]);
      const whole = said(family, sorted);
      expect(whole).toMatchObject({ table: 1, priority: 3, oif: 6 });
      const fill = BigInt(`0x${"01".repeat(size)}`);
      expect([whole.dst.value, whole.source?.value, whole.gateway?.value]).toEqual([
        fill * 2n,
        fill * 4n,
        fill * 5n,
      ]);
      const others = parts([7, 7, 7, 7, 7, 7]);
      for (const [index, part] of sorted.entries()) {
        const before = sorted.slice(0, index);
        const after = sorted.slice(index + 1);
        expect(said(family, [part, ...before, ...after])).toEqual(whole);
        expect(said(family, [...before, ...after, part])).toEqual(whole);
        expect(said(family, [...before, others[index]!, part, ...after])).toEqual(whole);
        expect(said(family, [others[index]!, ...sorted])).toEqual(whole);
        const flagged = part.with(3, k.NLA_F_NESTED >> 8);
        expect(said(family, [...before, flagged, ...after])).toEqual(whole);
        // The destination may not be missing.
        if (index === 1) continue;
        expect(said(family, [...before, ...after])).toEqual(said(family, [...after, ...before]));
        expect(said(family, [...before, ...after])).not.toEqual(whole);
      }
    }
  });

  test("what another family's routes have is not taken for a link or a table", () => {
    const mpls = route(28, 20, attribute(k.RTA_TABLE, u32(9)), attribute(k.RTA_OIF, u32(9)));
    // One that has both, so that something could be left over.
    const before = route(k.AF_INET, 0, attribute(k.RTA_TABLE, u32(9)), attribute(k.RTA_OIF, u32(9)));
    for (const wanted of [{ oif: 9 }, { table: 9 }]) {
      step(bytes(before, mpls));
      expect(codec.responseSeekRoute(wanted)).toBe(0);
    }
  });

  test("a route through no nexthops", () => {
    step(route(k.AF_INET, 8, destination, attribute(k.RTA_OIF, u32(7)), attribute(k.RTA_MULTIPATH, [])));
    expect(codec.responseRoute()).toMatchObject({ oif: undefined, nexthops: 0 });
  });

  test("a gateway beside nexthops is not the first nexthop's", () => {
    const gateway = attribute(k.RTA_GATEWAY, [1, 2, 3, 4]);
    step(route(k.AF_INET, 8, destination, gateway, attribute(k.RTA_MULTIPATH, nexthop(7, []))));
    expect(codec.responseRoute()).toMatchObject({ oif: 7, gateway: undefined, nexthops: 1 });
  });

  test("the first nexthop's gateway may be of the other family", () => {
    const via = attribute(k.RTA_VIA, bytes([10, 0, 0xfe, 0x80], new Array(13).fill(0), 1));
    const nexthops = bytes(nexthop(7, via), nexthop(8, attribute(k.RTA_GATEWAY, [1, 2, 3, 4])));
    step(route(k.AF_INET, 8, destination, attribute(k.RTA_MULTIPATH, nexthops)));
    const gateway = { family: 6, value: (0xfe80n << 112n) | 1n };
    expect(codec.responseRoute()).toMatchObject({ oif: 7, gateway, nexthops: 2 });
  });

  test("families that are neither IPv4 nor IPv6 are refused when read", () => {
    step(route(28, 20, attribute(k.RTA_DST, [1])));
    expect(codec.responseRoute).toThrow("EAFNOSUPPORT");
    step(address(7, 99, attribute(k.IFA_LOCAL, [1])));
    expect(codec.responseAddress).toThrow("EAFNOSUPPORT");
  });

  test("an error with the request, a sentence and an offset", () => {
    const extended = [
      attribute(k.NLMSGERR_ATTR_MSG, bytes("no such thing\0")),
      attribute(k.NLMSGERR_ATTR_OFFS, u32(20)),
    ];
    const request = bytes(requestHeader(19), [1, 2, 3, 0]);
    step(error(-19, request, k.NLM_F_ACK_TLVS, ...extended));
    expect(codec.responseError()).toEqual({ errno: 19, message: "no such thing", offset: 20 });
    step(error(-19, requestHeader(19), k.NLM_F_CAPPED | k.NLM_F_ACK_TLVS, ...extended));
    expect(codec.responseError()).toEqual({ errno: 19, message: "no such thing", offset: 20 });
    // Without the flag there are no attributes, whatever stands there.
    step(error(-19, requestHeader(19), k.NLM_F_CAPPED, ...extended));
    expect(codec.responseError()).toEqual({ errno: 19, message: undefined, offset: undefined });
  });

  test("attribute 0, which no message has, may have any length", () => {
    for (const payload of [[], [1, 2, 3, 4, 5]]) {
      const none = attribute(0, payload);
      const nested = attribute(k.IFLA_LINKINFO, bytes(none, attribute(k.IFLA_INFO_DATA, none)));
      for (const datagram of [
        error(-19, requestHeader(16), k.NLM_F_ACK_TLVS, none),
        ...[link(none), link(nested), link(info("ipvlan", none)), link(info("macvlan", none))],
        ...[link(info("vlan", none)), link(attribute(k.IFLA_PROP_LIST, none))],
        ...[address(k.AF_INET, 24, none), address(7, 24, none)],
        ...[route(k.AF_INET, 0, none), route(28, 20, none)],
        route(k.AF_INET, 0, attribute(k.RTA_METRICS, none), attribute(k.RTA_MULTIPATH, nexthop(1, none))),
      ])
        expect(step(datagram)).toBeGreaterThan(0);
    }
  });

  test("a dump that failed, with a sentence", () => {
    const sentence = attribute(k.NLMSGERR_ATTR_MSG, bytes("interrupted\0"));
    step(message(k.NLMSG_DONE, bytes(u32(-4), sentence), k.NLM_F_MULTI | k.NLM_F_ACK_TLVS));
    expect(codec.responseHeader()).toMatchObject({ type: k.NLMSG_DONE });
    expect(codec.responseError()).toEqual({ errno: 4, message: "interrupted", offset: undefined });
  });

  test("a kernel's largest error number", () => {
    step(error(-4095, requestHeader(16), 0));
    expect(codec.responseError().errno).toBe(4095);
  });
});

test.each(["fth0", "etx0", "eth1", "eth", "eth00", ""])("a link called %p is not found as eth0", (name) => {
  const named = (text: string) => link(attribute(k.IFLA_IFNAME, bytes(text, 0)));
  const datagram = bytes(named(name), named("eth0"));
  codec.responseMemory().set(datagram);
  codec.responseBegin(datagram.length);
  expect(codec.responseSeekLink({ name: "eth0" })).toBe(k.RTM_NEWLINK);
  expect(codec.responseLink().name).toBe("eth0");
  expect(codec.responseSeekLink({ name: "eth0" })).toBe(0);
});
