import { IPAM_SECTIONS } from "./configuration-ipam.ts";

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
  id:
    | "network"
    | "ipam"
    | "host-local"
    | "range"
    | "static"
    | "address"
    | "dhcp"
    | "provide"
    | "request"
    | "route"
    | "dns"
    | "list";
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
      values: "0 to 4294967295",
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
      values: "0 to 4294967295",
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

export const SECTIONS: Section[] = [NETWORK, ...IPAM_SECTIONS, DNS];

/** The keys of some sections together. */
export function keysOf(...ids: Section["id"][]): Key[] {
  return [...SECTIONS, LIST].filter(({ id }) => ids.includes(id)).flatMap(({ keys }) => keys);
}
