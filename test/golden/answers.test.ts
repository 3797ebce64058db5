import { describe, expect, test } from "bun:test";
import * as codec from "../../src/linux/codec.ts";
import { errnoText } from "../../src/linux/errno.ts";
import { formatAddress, formatPrefix, type IpPrefix } from "../../src/net/ip.ts";
import * as k from "../../wasm/uapi.ts";
import { readRecording, recordings } from "./recording.ts";

/** What `read` says of every message of that type in the datagrams. */
function all<T>(datagrams: Uint8Array[], type: number, read: () => T): T[] {
  const found: T[] = [];
  for (const datagram of datagrams) {
    codec.responseMemory().set(datagram);
    codec.responseBegin(datagram.length);
    for (let next = codec.responseNext(); next !== 0; next = codec.responseNext())
      if (next === type) found.push(read());
  }
  return found;
}

/** Only those of the keys that are there, as JSON would have them. */
function pick(from: Record<string, unknown>, keys: string[]): Record<string, unknown> {
  return JSON.parse(JSON.stringify(Object.fromEntries(keys.map((key) => [key, from[key]]))));
}

const flagNames: [number, string][] = [
  [k.IFF_UP, "UP"],
  [k.IFF_BROADCAST, "BROADCAST"],
  [k.IFF_LOOPBACK, "LOOPBACK"],
  [k.IFF_NOARP, "NOARP"],
  [k.IFF_MULTICAST, "MULTICAST"],
  [k.IFF_LOWER_UP, "LOWER_UP"],
];
const ipvlanModes = ["l2", "l3", "l3s"];
const ipvlanFlags: Record<number, string> = {
  0: "bridge",
  [k.IPVLAN_F_PRIVATE]: "private",
  [k.IPVLAN_F_VEPA]: "vepa",
};
const linkKeys = ["ifindex", "ifname", "mtu", "txqlen", "address", "altnames", "master"];

/** What ip prints of a link, and what is of interest here. */
interface IpLink {
  flags: string[];
  linkinfo?: { info_kind?: string; info_data?: Record<string, unknown> };
  [key: string]: unknown;
}

/** What ip prints of a route. */
interface IpRoute {
  flags: string[];
  dst: string;
  gateway?: string;
  nexthops?: { gateway?: string; dev?: string }[];
  [key: string]: unknown;
}

/** A link as `ip -d -j link show` has it, as far as the codec reads it. */
function linkFromIp(ip: IpLink): Record<string, unknown> {
  const data = ip.linkinfo?.info_data ?? {};
  const kind = ip.linkinfo?.info_kind;
  return {
    ...pick(ip, linkKeys),
    ...pick({ link: ip.link, netnsid: ip.link_netnsid, linkIndex: ip.link_index }, [
      "link",
      "netnsid",
      "linkIndex",
    ]),
    ...pick({ kind }, ["kind"]),
    flags: ip.flags.filter((flag: string) => flagNames.some(([, name]) => name === flag)).sort(),
    mode: kind === "ipvlan" || kind === "macvlan" ? data.mode : undefined,
    flag: kind === "ipvlan" ? Object.values(ipvlanFlags).find((name) => data[name]) : undefined,
    vlanId: kind === "vlan" ? data.id : undefined,
  };
}

function linkFromCodec(link: codec.Link, nameOf: (index: number) => string): Record<string, unknown> {
  const here = link.linkNetnsid === undefined && link.linkIndex !== undefined && link.linkIndex !== 0;
  return {
    ...pick(
      {
        ifindex: link.index,
        ifname: link.name,
        mtu: link.mtu,
        txqlen: link.txQueueLen || undefined,
        address: link.mac,
        altnames: link.altNames.length === 0 ? undefined : link.altNames,
        master: link.master === undefined ? undefined : nameOf(link.master),
      },
      linkKeys,
    ),
    ...pick(
      {
        link: here ? nameOf(link.linkIndex!) : undefined,
        linkIndex: here ? undefined : link.linkIndex,
        netnsid: link.linkNetnsid,
      },
      ["link", "linkIndex", "netnsid"],
    ),
    ...pick({ kind: link.kind }, ["kind"]),
    flags: flagNames.flatMap(([bit, name]) => (link.flags & bit ? [name] : [])).sort(),
    mode:
      link.ipvlanMode === undefined
        ? link.macvlanMode === k.MACVLAN_MODE_BRIDGE
          ? "bridge"
          : undefined
        : ipvlanModes[link.ipvlanMode],
    flag: link.ipvlanFlags === undefined ? undefined : ipvlanFlags[link.ipvlanFlags],
    vlanId: link.vlanId,
  };
}

function addressFromCodec(address: codec.Address): Record<string, unknown> {
  const seconds = (lifetime: number) => (lifetime === Number.POSITIVE_INFINITY ? 0xffff_ffff : lifetime);
  return {
    family: address.family === 4 ? "inet" : "inet6",
    local: formatAddress(address.address),
    address: address.peer === undefined ? undefined : formatAddress(address.peer),
    broadcast: address.broadcast === undefined ? undefined : formatAddress(address.broadcast),
    label: address.label,
    prefixlen: address.prefixLength,
    scope: `${address.scope}`,
    nodad: address.flags & k.IFA_F_NODAD ? true : undefined,
    dynamic: address.flags & k.IFA_F_PERMANENT ? undefined : true,
    valid_life_time: seconds(address.validLifetime),
    preferred_life_time: seconds(address.preferredLifetime),
  };
}

const routeKeys = [
  "type",
  "dst",
  "gateway",
  "via",
  "table",
  "protocol",
  "scope",
  "prefsrc",
  "metrics",
  "dev",
];

function routeFromIp(ip: IpRoute): Record<string, unknown> {
  const first = ip.nexthops?.[0];
  return {
    ...pick({ ...ip, gateway: ip.gateway ?? first?.gateway, dev: ip.dev ?? first?.dev }, routeKeys),
    metric: ip.metric ?? 0,
    nexthops: ip.nexthops?.length ?? 0,
    onlink: ip.flags.includes("onlink"),
  };
}

function routeFromCodec(route: codec.Route, nameOf: (index: number) => string): Record<string, unknown> {
  const { gateway, dst } = route;
  const isWhole = dst.length === (dst.family === 4 ? 32 : 128);
  const metrics = pick({ mtu: route.mtu, advmss: route.advmss }, ["mtu", "advmss"]);
  return {
    ...pick(
      {
        type: `${route.type}`,
        dst: dst.length === 0 ? "default" : isWhole ? formatAddress(dst) : formatPrefix(dst as IpPrefix),
        gateway: gateway?.family === dst.family ? formatAddress(gateway) : undefined,
        via:
          gateway === undefined || gateway.family === dst.family
            ? undefined
            : { family: "inet6", host: formatAddress(gateway) },
        table: `${route.table}`,
        protocol: `${route.protocol}`,
        scope: `${route.scope}`,
        prefsrc: route.source === undefined ? undefined : formatAddress(route.source),
        metrics: Object.keys(metrics).length === 0 ? undefined : [metrics],
        dev: route.oif === undefined ? undefined : nameOf(route.oif),
      },
      routeKeys,
    ),
    metric: route.priority,
    nexthops: route.nexthops,
    onlink: (route.flags & k.RTNH_F_ONLINK) !== 0,
  };
}

for (const name of recordings) {
  describe(`answers of ${name}`, () => {
    const recorded = readRecording(name);
    const answersTo = (command: string) => {
      const found = recorded.filter((entry) => entry.command === command);
      expect(found).toHaveLength(1);
      // ip may ask for single links, whose names it needs, before and after the dump.
      const dump = found[0]!.exchanges.find(
        ({ request }) => (request[6]! | (request[7]! << 8)) & k.NLM_F_DUMP,
      );
      return { printed: JSON.parse(found[0]!.printed), answers: dump!.answers };
    };
    const linksIn = (command: string) => {
      const { printed, answers } = answersTo(command);
      return { printed, links: all(answers, k.RTM_NEWLINK, codec.responseLink) };
    };
    const here = linksIn("ip -d -j link show").links;
    const nameOf = (index: number) => here.find((link) => link.index === index)!.name;

    test.each(["ip -d -j link show", "ip -d -j link show type ipvlan", "ip -d -j link show master br0"])(
      "%s",
      (command) => {
        const { printed, links } = linksIn(command);
        // Not every kernel filters by itself; then ip does.
        const shown = links.filter(({ index }) =>
          printed.some((ip: { ifindex: number }) => ip.ifindex === index),
        );
        expect(shown.map((link) => linkFromCodec(link, nameOf))).toEqual(printed.map(linkFromIp));
        expect(shown.length).toBeGreaterThan(0);
      },
    );

    test("links whose parent is in another namespace", () => {
      const { printed, links } = linksIn("nsenter --target PID --net ip -d -j link show");
      expect(links.map((link) => linkFromCodec(link, nameOf))).toEqual(printed.map(linkFromIp));
      expect(links.find((link) => link.name === "c3")).toMatchObject({
        kind: "ipvlan",
        ipvlanMode: k.IPVLAN_MODE_L3S,
        ipvlanFlags: k.IPVLAN_F_VEPA,
        linkIndex: 10,
        linkNetnsid: 0,
      });
    });

    test("a link asked for by its alternative name", () => {
      const [entry] = recorded.filter(({ command }) => command.includes("dev a-name-longer"));
      const links = all(entry!.exchanges[0]!.answers, k.RTM_NEWLINK, codec.responseLink);
      expect(links).toHaveLength(1);
      expect(links[0]).toMatchObject({
        name: "c2",
        altNames: ["a-name-longer-than-fifteen-bytes", "short"],
        ifType: k.ARPHRD_ETHER,
      });
    });

    test.each(["ip -d -j address show dev c1", "ip -d -j -N address show"])("%s", (command) => {
      const { printed, answers } = answersTo(command);
      const addresses = all(answers, k.RTM_NEWADDR, codec.responseAddress);
      const keys = Object.keys(addressFromCodec(addresses[0]!));
      const scopes: Record<string, string> = { global: "0", link: "253", host: "254" };
      for (const link of printed)
        expect(
          addresses
            .filter(({ index }) => index === link.ifindex)
            .map((address) => pick(addressFromCodec(address), keys)),
        ).toEqual(
          link.addr_info.map((info: Record<string, string>) =>
            pick({ ...info, scope: scopes[info.scope!] ?? info.scope }, keys),
          ),
        );
      expect(addresses.length).toBeGreaterThan(3);
    });

    test.each([
      ["ip -d -j -N route show table all", 4],
      ["ip -d -j -N -6 route show table all", 6],
    ] as const)("%s", (command, family) => {
      const { printed, answers } = answersTo(command);
      const routes = all(answers, k.RTM_NEWROUTE, codec.responseRoute);
      const mine = routes.filter((route) => route.family === family);
      expect(mine.map((route) => routeFromCodec(route, nameOf))).toEqual(
        printed.filter((ip: IpRoute) => familyOf(ip) === family).map(routeFromIp),
      );
      expect(mine.length).toBeGreaterThan(10);
    });

    test.each(recorded.filter(({ printed }) => /^(Error|RTNETLINK answers): /.test(printed)))(
      "$command: $printed",
      ({ printed, exchanges }) => {
        const outcomes = all(exchanges.at(-1)!.answers, k.NLMSG_ERROR, codec.responseError);
        expect(outcomes).toHaveLength(1);
        const [, who, sentence] = /^(Error|RTNETLINK answers): (.*?)\.? ?$/.exec(printed)!;
        expect(outcomes[0]!.errno).toBeGreaterThan(0);
        if (who === "Error") expect(outcomes[0]!.message).toBe(sentence);
        else expect(errnoText(outcomes[0]!.errno)).toStartWith(`${sentence} (`);
      },
    );

    test("acknowledgements, ends of dumps, sequence numbers", () => {
      for (const { exchanges, printed } of recorded) {
        for (const { request, answers } of exchanges) {
          const sequence = new DataView(request.buffer, request.byteOffset).getUint32(8, true);
          const headers = [
            ...all(answers, k.NLMSG_ERROR, () => ({ ...codec.responseHeader(), ...codec.responseError() })),
            ...all(answers, k.NLMSG_DONE, () => ({ ...codec.responseHeader(), ...codec.responseError() })),
          ];
          for (const header of headers) expect(header.sequence).toBe(sequence);
          if (headers.length > 0 && !/^(Error|RTNETLINK|Device)/.test(printed))
            expect(headers.map(({ errno, message }) => ({ errno, message }))).toEqual([
              { errno: 0, message: undefined },
            ]);
        }
      }
    });
  });
}

function familyOf({ dst, gateway }: IpRoute): 4 | 6 {
  return `${dst}${gateway}`.includes(":") ? 6 : 4;
}
