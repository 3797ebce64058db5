/** The keys of `ipam` in words, for each type that runs inside of this program; and those of a route. */

import type { Key, Section } from "./configuration.ts";

const IPAM: Section = {
  id: "ipam",
  title: "`ipam`, whatever its type",
  keys: [
    {
      name: "type",
      values: "`host-local`, `static`, `dhcp`, a program",
      default: "none: an endpoint without addresses",
      meaning: "who gives addresses: inside this program, or a program of that name in `CNI_PATH`",
    },
    {
      name: "external",
      values: "`true`, `false`",
      default: "`false`",
      meaning:
        "execute the program of that name in `CNI_PATH` even for `host-local`, `static` and `dhcp` (which then needs its own daemon)",
    },
  ],
};

const ROUTES: Key = {
  name: "routes",
  values: "list of routes",
  default: "none",
  meaning: "go into the result as they are",
};

const HOST_LOCAL: Section = {
  id: "host-local",
  title: "`ipam` of type `host-local`",
  keys: [
    {
      name: "ranges",
      values: "list of lists of ranges",
      default: "required, or `subnet`",
      meaning: "an endpoint gets one address of each inner list, from the first of its ranges that has one",
    },
    ROUTES,
    {
      name: "dataDir",
      values: "path",
      default: "`/var/lib/cni/networks`",
      meaning: "where leases are kept, a directory for each network",
    },
    {
      name: "resolvConf",
      values: "path",
      default: "none",
      meaning:
        "a resolv.conf(5) whose contents become the result's `dns`, unless the network has one of its own",
    },
    ...["subnet", "rangeStart", "rangeEnd", "gateway", "exclude"].map((name) => ({
      name,
      values: "as in a range",
      default: "none",
      meaning:
        name === "exclude"
          ? "beside `subnet` for that range, beside `ranges` for all of them"
          : "a single range, as old configurations write it; it comes before `ranges`",
    })),
  ],
};

const RANGE: Section = {
  id: "range",
  title: "A range of `host-local`",
  keys: [
    {
      name: "subnet",
      values: "prefix",
      default: "required",
      meaning: "where addresses are taken from: without host bits; `/31`, `/32`, `/127`, `/128` too",
    },
    {
      name: "rangeStart",
      values: "address",
      default: "the first usable one",
      meaning: "the first address to give",
    },
    {
      name: "rangeEnd",
      values: "address",
      default: "IPv4: the one before the broadcast address; IPv6: the last",
      meaning: "the last address to give",
    },
    {
      name: "gateway",
      values: "address",
      default: "the first address after the network's; none in `/31`, `/32`, `/127`, `/128`",
      meaning: "goes into the result, and is never given",
    },
    { name: "exclude", values: "list of addresses and prefixes", default: "none", meaning: "never given" },
  ],
};

const STATIC: Section = {
  id: "static",
  title: "`ipam` of type `static`",
  keys: [
    { name: "addresses", values: "list", default: "none", meaning: "what the endpoint gets" },
    ROUTES,
    {
      name: "dns",
      values: "object",
      default: "none",
      meaning: "goes into the result, unless the network has one of its own",
    },
  ],
};

const ADDRESS: Section = {
  id: "address",
  title: "An address of `static`",
  keys: [
    { name: "address", values: "address/length", default: "required", meaning: "such as `10.1.2.3/24`" },
    { name: "gateway", values: "address", default: "none", meaning: "for routes that name none" },
  ],
};

const DHCP: Section = {
  id: "dhcp",
  title: "`ipam` of type `dhcp`",
  keys: [
    {
      name: "families",
      values: "list of 4 and 6",
      default: "`[4]`",
      meaning: "which addresses to get; an endpoint gets all of them or none",
    },
    {
      name: "provide",
      values: "list of objects",
      default: "none",
      meaning: "options to send, each with `option` and `value` or `fromArg`",
    },
    {
      name: "request",
      values: "list of objects",
      default: "1, 121, 3, 33, 6, 15, 119, 26, 58, 59",
      meaning:
        "options to ask for besides the default ones, or instead of them; what is not asked for is not taken",
    },
    { name: "priority", values: "number", default: "the kernel's", meaning: "metric of the routes" },
    {
      name: "timeoutSeconds",
      values: "1 to 600",
      default: "60",
      meaning: "how long a lease is waited for; mind the runtime's own limit",
    },
    {
      name: "conflictMs",
      values: "0 to 10000",
      default: "500",
      meaning: "how long to listen for somebody who uses the address already; 0 does not ask",
    },
    {
      name: "daemonSocketPath",
      values: "path",
      default: "`/run/ipvlan/dhcp.sock`",
      meaning:
        "where the daemon listens; not the socket of the reference's daemon, which speaks another language",
    },
  ],
};

const OPTION: Key = {
  name: "option",
  values: "name or number",
  default: "required",
  meaning:
    "1 to 254, or `dhcp-client-identifier`, `subnet-mask`, `routers`, `host-name`, `user-class`, `vendor-class-identifier`",
};

const PROVIDE: Section = {
  id: "provide",
  title: "An option that `dhcp` provides",
  keys: [
    OPTION,
    { name: "value", values: "text", default: "none: not sent", meaning: "what it says" },
    {
      name: "fromArg",
      values: "text",
      default: "none",
      meaning: "a key of `CNI_ARGS`, whose value goes before `value`",
    },
  ],
};

const REQUEST: Section = {
  id: "request",
  title: "An option that `dhcp` requests",
  keys: [
    { ...OPTION, default: "none" },
    {
      name: "skipDefault",
      values: "`true`, `false`",
      default: "`false`",
      meaning: "in any one of them: ask for those that are listed only, and for the subnet mask",
    },
  ],
};

const ROUTE: Section = {
  id: "route",
  title: "A route",
  keys: [
    {
      name: "dst",
      values: "prefix",
      default: "required",
      meaning: "`0.0.0.0/0` and `::/0` are the default routes",
    },
    { name: "gw", values: "address", default: "the address's gateway", meaning: "the next hop" },
    { name: "mtu", values: "number", default: "the link's", meaning: "bytes" },
    {
      name: "advmss",
      values: "number",
      default: "the kernel's",
      meaning: "the segment size to announce, bytes",
    },
    { name: "priority", values: "number", default: "the kernel's", meaning: "the metric; the lowest wins" },
    { name: "table", values: "number", default: "main", meaning: "the routing table" },
    {
      name: "scope",
      values: "number",
      default: "by gateway",
      meaning: "rtnetlink(7)'s: 0 universe, 253 link",
    },
  ],
};

/** Every object that may stand in `ipam`. */
export const IPAM_SECTIONS: Section[] = [
  IPAM,
  HOST_LOCAL,
  RANGE,
  STATIC,
  ADDRESS,
  DHCP,
  PROVIDE,
  REQUEST,
  ROUTE,
];

/** What may stand where in the `ipam` of each type that runs inside: a path, `[]` for every item of a list, and its keys. */
export const IPAM_PLACES: Record<string, [path: string, ...Section["id"][]][]> = {
  "host-local": [
    ["ipam", "ipam", "host-local"],
    ["ipam.ranges[][]", "range"],
    ["ipam.routes[]", "route"],
  ],
  static: [
    ["ipam", "ipam", "static"],
    ["ipam.addresses[]", "address"],
    ["ipam.routes[]", "route"],
    ["ipam.dns", "dns"],
  ],
  dhcp: [
    ["ipam", "ipam", "dhcp"],
    ["ipam.provide[]", "provide"],
    ["ipam.request[]", "request"],
  ],
};
