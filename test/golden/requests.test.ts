import { describe, expect, test } from "bun:test";
import * as codec from "../../src/linux/codec.ts";
import { parseAddress, parsePrefix } from "../../src/net/ip.ts";
import * as k from "../../wasm/uapi.ts";
import { dissect, type Message, readRecording, recordings } from "./recording.ts";

const prefix = (text: string) => parsePrefix(text)!;
const address = (text: string) => parseAddress(text)!;

interface Case {
  /** The command ip was given. */
  command: string;
  ours: () => void;
  /** Why our bytes are others than ip's; without any they must be the same. */
  because?: string[];
  /** Makes of ip's message the one we want, given the reasons. Attributes may come in any order then. */
  changed?: (theirs: Message) => void;
}

const acknowledged = "an acknowledgement ends the answer, as it does for every other request";
const noVirtualFunctions = "virtual functions are of no interest";
const noFamily = "AF_UNSPEC is enough; ip asks with AF_PACKET";

const cases: Case[] = [
  {
    command: "ip link add link dm0 index 11 name c0 mtu 1400 txqueuelen 7 type ipvlan mode l3 private",
    ours: () =>
      codec.requestLinkAdd({
        name: "c0",
        index: 11,
        masterIndex: 10,
        mtu: 1400,
        txQueueLen: 7,
        mode: k.IPVLAN_MODE_L3,
        flags: k.IPVLAN_F_PRIVATE,
      }),
  },
  {
    command: "ip link add link dm0 index 12 name c2 type ipvlan mode l2",
    ours: () =>
      codec.requestLinkAdd({ name: "c2", index: 12, masterIndex: 10, mode: k.IPVLAN_MODE_L2, flags: 0 }),
  },
  {
    command: "ip link add link dm0 name c3 netns PID type ipvlan mode l3s vepa",
    ours: () =>
      codec.requestLinkAdd({
        name: "c3",
        masterIndex: 10,
        netnsFd: 9,
        mode: k.IPVLAN_MODE_L3S,
        flags: k.IPVLAN_F_VEPA,
      }),
    because: ["a namespace is named by descriptor (28), not by process (19)"],
    changed: ({ attributes }) => {
      delete attributes["19"];
      attributes["28"] = "09000000";
    },
  },
  {
    command: "ip link add link dm1 index 15 name m0 type macvlan mode bridge",
    ours: () =>
      codec.requestLinkAdd({
        kind: "macvlan",
        name: "m0",
        index: 15,
        masterIndex: 14,
        mode: k.MACVLAN_MODE_BRIDGE,
      }),
  },
  {
    command: "ip link add link dm0 index 13 name dm0.7 type vlan id 7",
    ours: () => codec.requestLinkAdd({ kind: "vlan", name: "dm0.7", index: 13, masterIndex: 10, vlanId: 7 }),
  },
  {
    command: "ip link add index 10 name dm0 type dummy",
    ours: () => codec.requestLinkAdd({ kind: "dummy", name: "dm0", index: 10, masterIndex: 0 }),
  },
  {
    command: "ip link set c0 name c1",
    ours: () => codec.requestLinkSet({ index: 11, name: "c1" }),
  },
  { command: "ip link set c1 mtu 1380", ours: () => codec.requestLinkSet({ index: 11, mtu: 1380 }) },
  { command: "ip link set c1 txqueuelen 9", ours: () => codec.requestLinkSet({ index: 11, txQueueLen: 9 }) },
  { command: "ip link set c1 up", ours: () => codec.requestLinkSet({ index: 11, up: true }) },
  { command: "ip link set c1 down", ours: () => codec.requestLinkSet({ index: 11, up: false }) },
  {
    command: "ip link set m0 netns PID",
    ours: () => codec.requestLinkSet({ index: 15, netnsFd: 9 }),
    because: ["a namespace is named by descriptor (28), not by process (19)"],
    changed: ({ attributes }) => {
      delete attributes["19"];
      attributes["28"] = "09000000";
    },
  },
  { command: "ip link delete c1", ours: () => codec.requestLinkDelete({ index: 11 }) },
  {
    command: "ip -j link show dev c1",
    ours: () => codec.requestLinkGet({ name: "c1" }),
    because: [acknowledged, noVirtualFunctions],
    changed: (theirs) => {
      theirs.flags |= k.NLM_F_ACK;
      theirs.attributes["29"] = "08000000";
    },
  },
  {
    command: "ip -j link show dev a-name-longer-than-fifteen-bytes",
    ours: () => codec.requestLinkGet({ name: "a-name-longer-than-fifteen-bytes" }),
    because: [acknowledged, noVirtualFunctions],
    changed: (theirs) => {
      theirs.flags |= k.NLM_F_ACK;
      theirs.attributes["29"] = "08000000";
    },
  },
  {
    command: "ip -d -j link show",
    ours: () => codec.requestLinkDump(),
    because: [noFamily, noVirtualFunctions],
    changed: (theirs) => {
      theirs.fixed = `00${theirs.fixed.slice(2)}`;
      theirs.attributes["29"] = "08000000";
    },
  },
  {
    command: "ip -d -j link show type ipvlan",
    ours: () => codec.requestLinkDump({ kind: "ipvlan" }),
    because: [noFamily, noVirtualFunctions],
    changed: (theirs) => {
      theirs.fixed = `00${theirs.fixed.slice(2)}`;
      theirs.attributes["29"] = "08000000";
    },
  },
  {
    command: "ip address add 10.1.2.3/24 broadcast + dev c1",
    ours: () => codec.requestAddressAdd({ index: 11, address: prefix("10.1.2.3/24"), broadcast: true }),
  },
  {
    command: "ip address add 10.1.2.4/24 dev c1",
    ours: () => codec.requestAddressAdd({ index: 11, address: prefix("10.1.2.4/24") }),
  },
  {
    command: "ip address add 10.9.0.1/32 dev c1 scope link",
    ours: () =>
      codec.requestAddressAdd({
        index: 11,
        address: prefix("10.9.0.1/32"),
        scope: k.RT_SCOPE_LINK,
        broadcast: true,
      }),
  },
  {
    command: "ip address add 10.1.4.1/24 dev c1 valid_lft 1000 preferred_lft 500",
    ours: () =>
      codec.requestAddressAdd({
        index: 11,
        address: prefix("10.1.4.1/24"),
        validLifetime: 1000,
        preferredLifetime: 500,
      }),
  },
  {
    command: "ip address add fd00::5/64 dev c1 nodad",
    ours: () =>
      codec.requestAddressAdd({
        index: 11,
        address: prefix("fd00::5/64"),
        flags: k.IFA_F_NODAD,
        broadcast: true,
      }),
  },
  {
    command: "ip address add fd00:1::5/64 dev c1 nodad noprefixroute",
    ours: () =>
      codec.requestAddressAdd({
        index: 11,
        address: prefix("fd00:1::5/64"),
        flags: k.IFA_F_NODAD | k.IFA_F_NOPREFIXROUTE,
      }),
    because: [
      "IFA_FLAGS comes last",
      "what fits into the header's flags stands there too, for kernels that read no more",
    ],
    changed: (theirs) => {
      theirs.fixed = `${theirs.fixed.slice(0, 4)}02${theirs.fixed.slice(6)}`;
    },
  },
  {
    command: "ip address replace fd00:1::5/64 dev c1 nodad valid_lft 3600 preferred_lft 1800",
    ours: () =>
      codec.requestAddressAdd({
        index: 11,
        address: prefix("fd00:1::5/64"),
        flags: k.IFA_F_NODAD,
        validLifetime: 3600,
        preferredLifetime: 1800,
        replace: true,
      }),
  },
  {
    command: "ip address delete 10.1.2.4/24 dev c1",
    ours: () => codec.requestAddressDelete({ index: 11, address: prefix("10.1.2.4/24") }),
  },
  {
    command: "ip address delete fd00:1::5/64 dev c1",
    ours: () => codec.requestAddressDelete({ index: 11, address: prefix("fd00:1::5/64") }),
  },
  { command: "ip -d -j address show dev c1", ours: () => codec.requestAddressDump({ index: 11 }) },
  { command: "ip -d -j -N address show", ours: () => codec.requestAddressDump() },
  {
    command: "ip route add default via 10.1.2.1",
    ours: () =>
      codec.requestRouteAdd({ dst: prefix("0.0.0.0/0"), gateway: address("10.1.2.1"), exclusive: true }),
  },
  {
    command: "ip route add 192.0.2.0/24 via 10.1.2.1 dev c1 metric 50",
    ours: () =>
      codec.requestRouteAdd({
        dst: prefix("192.0.2.0/24"),
        gateway: address("10.1.2.1"),
        oif: 11,
        priority: 50,
        exclusive: true,
      }),
  },
  {
    command: "ip route add 192.0.3.0/24 via 172.31.0.1 dev c1 onlink",
    ours: () =>
      codec.requestRouteAdd({
        dst: prefix("192.0.3.0/24"),
        gateway: address("172.31.0.1"),
        oif: 11,
        onlink: true,
        exclusive: true,
      }),
  },
  {
    command: "ip route add 192.0.4.0/24 dev c1 scope link",
    ours: () =>
      codec.requestRouteAdd({
        dst: prefix("192.0.4.0/24"),
        oif: 11,
        scope: k.RT_SCOPE_LINK,
        exclusive: true,
      }),
  },
  {
    command: "ip route add 192.0.5.0/24 dev c1 table 1000",
    ours: () =>
      codec.requestRouteAdd({
        dst: prefix("192.0.5.0/24"),
        oif: 11,
        table: 1000,
        scope: k.RT_SCOPE_LINK,
        exclusive: true,
      }),
  },
  {
    command: "ip route add 192.0.6.0/24 via 10.1.2.1 dev c1 mtu 1300 advmss 1260",
    ours: () =>
      codec.requestRouteAdd({
        dst: prefix("192.0.6.0/24"),
        gateway: address("10.1.2.1"),
        oif: 11,
        mtu: 1300,
        advmss: 1260,
        exclusive: true,
      }),
  },
  {
    command: "ip route add 192.0.7.0/24 dev c1 src 10.1.2.3",
    ours: () =>
      codec.requestRouteAdd({
        dst: prefix("192.0.7.0/24"),
        oif: 11,
        source: address("10.1.2.3"),
        scope: k.RT_SCOPE_LINK,
        exclusive: true,
      }),
  },
  {
    command: "ip route add 192.0.8.0/24 via inet6 fd00::1 dev c1",
    ours: () =>
      codec.requestRouteAdd({
        dst: prefix("192.0.8.0/24"),
        gateway: address("fd00::1"),
        oif: 11,
        exclusive: true,
      }),
  },
  {
    command: "ip route replace 192.0.2.0/24 via 10.1.2.2 dev c1 metric 50",
    ours: () =>
      codec.requestRouteAdd({
        dst: prefix("192.0.2.0/24"),
        gateway: address("10.1.2.2"),
        oif: 11,
        priority: 50,
        replace: true,
      }),
  },
  {
    command: "ip route append 192.0.2.0/24 via 10.1.2.9 dev c1 metric 50",
    ours: () =>
      codec.requestRouteAdd({
        dst: prefix("192.0.2.0/24"),
        gateway: address("10.1.2.9"),
        oif: 11,
        priority: 50,
        append: true,
      }),
  },
  {
    command: "ip route add blackhole 192.0.9.0/24",
    ours: () =>
      codec.requestRouteAdd({ dst: prefix("192.0.9.0/24"), type: k.RTN_BLACKHOLE, exclusive: true }),
  },
  {
    command: "ip route add 192.0.11.0/24 dev c1 proto static",
    ours: () =>
      codec.requestRouteAdd({
        dst: prefix("192.0.11.0/24"),
        oif: 11,
        protocol: k.RTPROT_STATIC,
        scope: k.RT_SCOPE_LINK,
        exclusive: true,
      }),
  },
  {
    command: "ip route delete 192.0.4.0/24",
    ours: () => codec.requestRouteDelete({ dst: prefix("192.0.4.0/24") }),
  },
  {
    command: "ip route delete 192.0.5.0/24 dev c1 table 1000",
    ours: () => codec.requestRouteDelete({ dst: prefix("192.0.5.0/24"), oif: 11, table: 1000 }),
  },
  {
    command: "ip -6 route add default via fd00::1 dev c1",
    ours: () =>
      codec.requestRouteAdd({ dst: prefix("::/0"), gateway: address("fd00::1"), oif: 11, exclusive: true }),
    because: ["a default route has no destination, in IPv6 as in IPv4"],
    changed: ({ attributes }) => {
      delete attributes["1"];
    },
  },
  {
    command: "ip -6 route add fd00:2::/64 via fd00::1 dev c1 metric 7",
    ours: () =>
      codec.requestRouteAdd({
        dst: prefix("fd00:2::/64"),
        gateway: address("fd00::1"),
        oif: 11,
        priority: 7,
        exclusive: true,
      }),
  },
  {
    command: "ip -6 route add unreachable fd00:4::/64",
    ours: () =>
      codec.requestRouteAdd({ dst: prefix("fd00:4::/64"), type: k.RTN_UNREACHABLE, exclusive: true }),
  },
  {
    command: "ip -6 route delete fd00:2::/64 via fd00::1 dev c1 metric 7",
    ours: () =>
      codec.requestRouteDelete({
        dst: prefix("fd00:2::/64"),
        gateway: address("fd00::1"),
        oif: 11,
        priority: 7,
      }),
    because: ["any scope is RT_SCOPE_NOWHERE in both families; IPv6 does not look at it"],
    changed: (theirs) => {
      theirs.fixed = `${theirs.fixed.slice(0, 12)}ff${theirs.fixed.slice(14)}`;
    },
  },
  { command: "ip -d -j -N -6 route show table all", ours: () => codec.requestRouteDump({ family: 6 }) },
  {
    command: "ip -d -j -N route show table 1000",
    ours: () => codec.requestRouteDump({ family: 4, table: 1000 }),
  },
  {
    command: "ip -d -j -N route show dev c1",
    ours: () => codec.requestRouteDump({ family: 4, table: k.RT_TABLE_MAIN, oif: 11 }),
    because: ["a table below 256 stands in the header"],
    changed: (theirs) => {
      expect(theirs.attributes["15"]).toBe("fe000000");
      theirs.fixed = `${theirs.fixed.slice(0, 8)}fe${theirs.fixed.slice(10)}`;
      delete theirs.attributes["15"];
    },
  },
];

for (const name of recordings) {
  describe(`requests as ip makes them on ${name}`, () => {
    const recorded = readRecording(name);
    for (const { command, ours, because, changed } of cases) {
      test(because === undefined ? command : `${command}, but ${because.join("; ")}`, () => {
        const theirs = recorded.find((entry) => entry.command === command)!.exchanges[0]!.request;
        codec.requestBegin(new DataView(theirs.buffer).getUint32(8, true));
        ours();
        const { lengthBytes, count } = codec.requestFinish();
        const bytes = codec.requestMemory().slice(0, lengthBytes);
        expect(count).toBe(1);
        if (because === undefined) {
          expect(bytes.toHex()).toBe(theirs.toHex());
        } else {
          const wanted = dissect(theirs);
          changed?.(wanted);
          expect(dissect(bytes)).toEqual(wanted);
          expect(bytes.toHex()).not.toBe(theirs.toHex());
        }
      });
    }
  });
}

test("every request the codec can make is compared", () => {
  const source = cases.map(({ ours }) => ours.toString()).join("\n");
  const requests = Object.keys(codec).filter((name) => /^request(Link|Address|Route)/.test(name));
  expect(requests.filter((name) => !source.includes(name))).toEqual([]);
});
