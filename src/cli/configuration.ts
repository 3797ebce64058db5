/**
 * Every key of a configuration in words: the one source of docs/configuration.md, the man page, the descriptions in the JSON
 * Schema, and of what `validate` takes for misspelt.
 */
export interface Key {
  name: string;
  values: string;
  /** What holds without it. */
  default: string;
  meaning: string;
  /** A capability argument or another thing that runtimes fill in, not people. */
  byRuntime?: boolean;
}

/** An object of the configuration with its keys. */
export interface Section {
  id: "network" | "ipam" | "host-local" | "range" | "static" | "address" | "route" | "dns" | "list";
  title: string;
  keys: Key[];
}

const NETWORK: Section = {
  id: "network",
  title: "The network",
  keys: [
    {
      name: "cniVersion",
      values: "`0.1.0` to `1.1.0`",
      default: "`0.1.0`",
      meaning: "the version of the CNI specification that the runtime and this configuration speak",
    },
    {
      name: "name",
      values: "text",
      default: "required",
      meaning: "the network's name: letters, digits, `_`, `.`, `-`; not a dot or dash first",
    },
    {
      name: "type",
      values: "`ipvlan`",
      default: "required",
      meaning: "the name of this executable in the plugin directory",
    },
    {
      name: "master",
      values: "interface, or a selection",
      default: "the default route's; chained, the interface of `prevResult`",
      meaning:
        "the interface the endpoints share; an alternative name serves too. A selection, or a list of them, takes the first that is up: " +
        '`{"name"}`, `{"mac"}`, `{"prefix"}` (has an address in it), `{"match"}` (a regular expression)',
    },
    {
      name: "mode",
      values: "`l2`, `l3`, `l3s`",
      default: "`l2`",
      meaning:
        "how packets pass between endpoint and master; **one mode per master**, the kernel has no other",
    },
    {
      name: "flag",
      values: "`bridge`, `private`, `vepa`",
      default: "`bridge`",
      meaning:
        "whether endpoints of one master reach each other directly, not at all, or by way of the switch; one per master",
    },
    { name: "mtu", values: "68 to the master's", default: "the master's", meaning: "bytes" },
    {
      name: "ipam",
      values: "object",
      default: "required unless chained",
      meaning: "who gives addresses; `{}` for an L2-only endpoint without any",
    },
    {
      name: "hostAccess",
      values: "`true`, `false`, list of addresses",
      default: "`false`",
      meaning:
        "the host and the containers of the network reach each other, through an endpoint of the host's own with these addresses or with the IPAM's",
    },
    {
      name: "vlan",
      values: "1 to 4094",
      default: "none",
      meaning:
        "endpoints are on this VLAN of the master; its interface is made if need be, and goes with the last endpoint",
    },
    {
      name: "allowPortChange",
      values: "`true`, `false`",
      default: "`false`",
      meaning: "mode and flag may change for all endpoints that the master carries already",
    },
    {
      name: "allowMasterDown",
      values: "`true`, `false`",
      default: "`false`",
      meaning: "the master may be down",
    },
    {
      name: "announce",
      values: "0 to 10",
      default: "0",
      meaning:
        "how often each address is announced to the segment (`l2`) besides the kernel's own announcement",
    },
    {
      name: "conflictProbe",
      values: "`true`, `false`",
      default: "`false`",
      meaning: "ask the segment whether an address is in use before taking it",
    },
    {
      name: "dad",
      values: "`wait`, `optimistic`, `off`",
      default: "waited for when there is an IPv6 gateway",
      meaning: "duplicate address detection of IPv6",
    },
    {
      name: "acceptRA",
      values: "`true`, `false`",
      default: "`false`",
      meaning: "the kernel may make addresses and routes out of router advertisements",
    },
    {
      name: "metric",
      values: "number",
      default: "the kernel's",
      meaning: "the metric of routes that have none of their own",
    },
    {
      name: "defaultRoute",
      values: "`true`, `false`",
      default: "`true`",
      meaning: "`false` leaves out routes to `0.0.0.0/0` and `::/0`",
    },
    {
      name: "txQueueLen",
      values: "number",
      default: "the kernel's",
      meaning: "packets in the queue of the interface",
    },
    {
      name: "linkInContainer",
      values: "`true`, `false`",
      default: "`false`",
      meaning: "the master is an interface inside the container's namespace",
    },
    {
      name: "dns",
      values: "object",
      default: "the IPAM's",
      meaning: "`nameservers`, `domain`, `search`, `options` for the container",
    },
    {
      name: "capabilities",
      values: "object of `true`, `false`",
      default: "none",
      meaning: "what the runtime may pass at run time: `ips`, `ipRanges`",
    },
    {
      name: "debug",
      values: "`stderr`, file name",
      default: "off",
      meaning:
        "where to write what each call does, as JSON lines: a file is in `/var/log/ipvlan`; `IPVLAN_DEBUG` in the environment takes a path",
    },
    {
      name: "args",
      values: "object",
      default: "none",
      meaning: "`cni.ips`: addresses to ask the IPAM for",
      byRuntime: true,
    },
    {
      name: "runtimeConfig",
      values: "object",
      default: "none",
      meaning: "the capabilities' values: `ips`, `ipRanges`",
      byRuntime: true,
    },
    {
      name: "prevResult",
      values: "object",
      default: "none",
      meaning: "the result of the plugin before, or of the ADD",
      byRuntime: true,
    },
    {
      name: "cni.dev/valid-attachments",
      values: "list",
      default: "none",
      meaning: "for GC: what is in use",
      byRuntime: true,
    },
    {
      name: "cni.dev/attachments",
      values: "list",
      default: "none",
      meaning: "the same, by the name it had before the specification was final",
      byRuntime: true,
    },
  ],
};

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
      meaning: "execute the program of that name in `CNI_PATH` even for `host-local` and `static`",
    },
  ],
};

const ROUTES: Key = {
  name: "routes",
  values: "list",
  default: "none",
  meaning:
    "routes of the container, each with `dst` and what it needs of `gw`, `mtu`, `advmss`, `priority`, `table`, `scope`",
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
      meaning: "a resolv.conf(5) to take the container's `dns` from",
    },
    ...["subnet", "rangeStart", "rangeEnd", "gateway", "exclude"].map((name) => ({
      name,
      values: "as in a range",
      default: "none",
      meaning:
        name === "exclude"
          ? "with `ranges`: for all of them"
          : "a single range, as old configurations write it",
    })),
  ],
};

const RANGE: Section = {
  id: "range",
  title: "A range of `host-local`",
  keys: [
    { name: "subnet", values: "prefix", default: "required", meaning: "where addresses are taken from" },
    { name: "rangeStart", values: "address", default: "the subnet's first", meaning: "the first to give" },
    { name: "rangeEnd", values: "address", default: "the subnet's last", meaning: "the last to give" },
    {
      name: "gateway",
      values: "address",
      default: "the subnet's first",
      meaning: "never given; the routes' gateway",
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
      meaning: "`nameservers`, `domain`, `search`, `options`",
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

const DNS: Section = {
  id: "dns",
  title: "`dns`",
  keys: [
    {
      name: "nameservers",
      values: "list of text",
      default: "none",
      meaning: "addresses, the first is asked first",
    },
    { name: "domain", values: "text", default: "none", meaning: "the local domain" },
    { name: "search", values: "list of text", default: "none", meaning: "domains to try for short names" },
    { name: "options", values: "list of text", default: "none", meaning: "as in resolv.conf(5)" },
  ],
};

/** A conflist around plugins; libcni's, not this program's. */
export const LIST: Section = {
  id: "list",
  title: "A list of plugins (.conflist)",
  keys: [
    { name: "cniVersion", values: "`0.3.1` to `1.1.0`", default: "`0.1.0`", meaning: "of all its plugins" },
    { name: "cniVersions", values: "list of text", default: "none", meaning: "versions to choose from" },
    { name: "name", values: "text", default: "required", meaning: "the network's name" },
    {
      name: "disableCheck",
      values: "`true`, `false`",
      default: "`false`",
      meaning: "no CHECK for this network",
    },
    { name: "disableGC", values: "`true`, `false`", default: "`false`", meaning: "no GC for this network" },
    {
      name: "loadOnlyInlinedPlugins",
      values: "`true`, `false`",
      default: "`false`",
      meaning: "no further plugins from a directory of the network's name",
    },
    {
      name: "plugins",
      values: "list of objects",
      default: "required",
      meaning: "called one after the other",
    },
  ],
};

export const SECTIONS: Section[] = [NETWORK, IPAM, HOST_LOCAL, RANGE, STATIC, ADDRESS, ROUTE, DNS];

/** The keys of some sections together. */
export function keysOf(...ids: Section["id"][]): Key[] {
  return [...SECTIONS, LIST].filter(({ id }) => ids.includes(id)).flatMap(({ keys }) => keys);
}
