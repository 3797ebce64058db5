/**
 * Every difference between the reference plugin and ours that the cases show, with its reason. docs/conformance.md is
 * made from this: bun test/conformance/document.ts
 */

import { begins, type Difference, something } from "./compare.ts";

export interface Kind {
  title: string;
  /** Markdown, for operators who come from the reference: what changes for them, and why. */
  reason: string;
  differences: Difference[];
}

/** Cases that fail in both, with other words or another code. */
function says(
  some: string,
  where: string,
  reference: unknown,
  ours: string,
  more: Partial<Difference> = {},
): Difference {
  return { cases: [some], where: `${where} > answer`, reference, ours, ...more };
}

/** What the reference leaves in the container after an ADD that failed. */
function leaves(where: string, ...cases: string[]): Difference {
  return { cases, where: `${where} > container > links > *`, reference: something, ours: undefined };
}

/** The routes that come and go with a link which only one of the two has. */
function routesOf(where: string, has: "reference" | "ours", ...cases: string[]): Difference {
  return {
    cases,
    where: `${where} > container > routes > *`,
    reference: has === "reference" ? 1 : undefined,
    ours: has === "ours" ? 1 : undefined,
  };
}

/** What DEL removes here and the reference does not. */
const orphaned = [
  "DEL: no default route any more",
  "DEL: another plugin added an interface",
  "DEL: prevResult of another version",
  "DEL: a prevResult that is none",
  "DEL: the mode has become invalid",
  "DEL: the subnet has become invalid",
];
const halfway = ["DEL: the IPAM plugin is gone"];

/** What only we take; the reference's ADD fails, and so it has nothing to CHECK. */
const accepted = [
  "host bits in a route",
  "the same route twice",
  "a gateway outside of the prefix",
  "a route's gateway outside of the prefix",
  "a gateway of the other family",
  "an L2-only endpoint",
  "a chain of another version",
];
const chained = ["addresses from the chain", "addresses and a chain", "master from the chain"];
const direct = ["l3, IPv4", "l3, both families", "l3s, both families"];
const own = 'error 8: CNI_NETNS "@host" is the network namespace the plugin itself runs in';
const older: Partial<Difference> = { releases: ["1.1.1"] };
const newer: Partial<Difference> = { releases: ["1.9.1"] };

export const kinds: Kind[] = [
  {
    title: "Errors name their version, the cause and the cure",
    reason:
      "An error document has the `cniVersion` that section 5 of the specification demands and the reference leaves out. " +
      "`details` carry the kernel's own sentence and what can be done about it; the reference has none.",
    differences: [
      { cases: "*", where: "* > error > cniVersion", reference: undefined, ours: something },
      { cases: "*", where: "* > error > details", reference: undefined, ours: something },
    ],
  },
  {
    title: "Errors have a code of their own",
    reason:
      "The reference answers nearly everything with code 999. Here the code says whose turn it is: the configuration's " +
      "(7), the node's (50), or one particular thing's (from 100); see [errors](errors.md). Whoever matches on the " +
      "text of a message has to look at these. Where the specification or the reference library gives a code and a text " +
      "(1, 4, 5, 6, 7), both are the same here, save for what follows a colon in the words of Go's JSON decoder.",
    differences: [
      says(
        "environment: an interface name that is a pattern",
        "ADD",
        'error 999: failed to refetch ipvlan "net%d": Link not found',
        "error 4: interface name contains %",
      ),
      says(
        "environment: no namespace there",
        "ADD",
        'error 999: failed to open netns "@nowhere": failed to Statfs "@nowhere": no such file or directory',
        'error 100: CNI_NETNS "@nowhere" is not a network namespace that can be entered',
      ),
      says(
        "environment: a namespace that is a plain file",
        "ADD",
        'error 999: failed to open netns "@directory/plain": unknown FS magic on "@directory/plain": 1021994',
        'error 100: CNI_NETNS "@directory/plain" is not a network namespace that can be entered',
      ),
      says(
        "input: no JSON",
        "ADD",
        "error 6: error unmarshall network config: invalid character 'n' looking for beginning of object key string",
        "error 6: error unmarshall network config: JSON Parse error: Expected '}'",
      ),
      says(
        "input: an array",
        "ADD",
        'error 6: error unmarshall network config: json: cannot unmarshal array into Go value of type struct { Name string "json:\\"name\\"" }',
        "error 6: error unmarshall network config: must be an object, not []",
      ),
      says(
        "input: more after the end",
        "ADD",
        "error 6: error unmarshall network config: invalid character 'x' after top-level value",
        "error 6: error unmarshall network config: JSON Parse error: Unable to parse JSON string",
      ),
      says(
        "name: a number",
        "ADD",
        "error 6: error unmarshall network config: json: cannot unmarshal number into Go struct field .name of type string",
        "error 6: error unmarshall network config: name must be a string, not 7",
      ),
      says(
        "cniVersion: a number",
        "ADD",
        "error 6: decoding version from network config: json: cannot unmarshal number into Go struct field .cniVersion of type string",
        "error 6: decoding version from network config: cniVersion must be a string, not 1",
      ),
      says(
        "cniVersion: no number, STATUS",
        "STATUS",
        'error 6: failed to convert major version part "abc": strconv.Atoi: parsing "abc": invalid syntax',
        'error 6: failed to convert major version part "abc": not a number',
        newer,
      ),
      says(
        "mode: unknown",
        "ADD",
        'error 999: unknown ipvlan mode: "x"',
        'error 7: invalid mode "x": must be "l2", "l3" or "l3s"',
      ),
      says(
        "mode: capital letters",
        "ADD",
        'error 999: unknown ipvlan mode: "L2"',
        'error 7: invalid mode "L2": must be "l2", "l3" or "l3s"',
      ),
      says(
        "mtu: a text",
        "ADD",
        "error 999: failed to load netconf: json: cannot unmarshal string into Go struct field NetConf.mtu of type int",
        'error 7: invalid mtu "1400": must be an integer',
      ),
      says(
        "mtu: a fraction",
        "ADD",
        "error 999: failed to load netconf: json: cannot unmarshal number 1400.5 into Go struct field NetConf.mtu of type int",
        "error 7: invalid mtu 1400.5: must be an integer",
      ),
      says(
        "mtu: more than there can be",
        "ADD",
        "error 999: failed to create ipvlan: invalid argument",
        "error 7: invalid mtu 70000: must be from 68 to 65535",
      ),
      says(
        "master: not there",
        "ADD",
        'error 999: failed to lookup master "eth7": Link not found',
        'error 101: master "eth7" not found in the host\'s namespace',
      ),
      says(
        "master: loopback",
        "ADD",
        "error 999: failed to create ipvlan: invalid argument",
        'error 101: master "lo" is the loopback interface, which can carry no ipvlan link',
      ),
      says(
        "master: a number",
        "ADD",
        "error 999: failed to load netconf: json: cannot unmarshal number into Go struct field NetConf.master of type string",
        "error 7: invalid master 7: must be a string",
      ),
      says(
        "master: none, and no default route",
        "ADD",
        "error 999: no default route interface found",
        "error 101: no master is set and the host's namespace has no default route to take it from",
      ),
      says(
        "master: a port of a bridge",
        "ADD",
        "error 999: failed to create ipvlan: device or resource busy",
        'error 101: master "eth0" cannot carry ipvlan links: it is a port of the bridge "br0"',
      ),
      says(
        "master: carries a macvlan",
        "ADD",
        "error 999: failed to create ipvlan: device or resource busy",
        'error 101: master "eth0" cannot carry ipvlan links: it carries the macvlan link "mac0"',
      ),
      says(
        "ipam: missing",
        "ADD",
        "error 999: no plugin name provided",
        'error 7: ipam is missing and prevResult brings no addresses: set ipam.type, or "ipam": {} for an L2-only endpoint',
      ),
      says(
        "ipam: a text",
        "ADD",
        begins(
          "error 999: failed to load netconf: json: cannot unmarshal string into Go struct field NetConf.",
        ),
        'error 7: invalid ipam "static": must be an object',
      ),
      says(
        "ipam: no such plugin",
        "ADD",
        'error 999: failed to find plugin "nonesuch" in path [@plugins]',
        'error 105: failed to find plugin "nonesuch" in path [@plugins]',
      ),
      says(
        "ipam: a path",
        "ADD",
        "error 999: invalid plugin name: ../static",
        'error 7: invalid ipam.type "../static": must be the name of a file in CNI_PATH',
      ),
      says(
        "ipam: no address",
        "ADD",
        "error 999: IPAM plugin returned missing IP config",
        "error 105: the IPAM plugin returned no address",
      ),
      says(
        "address: given twice",
        "ADD",
        begins("error 999: failed to add IP addr"),
        'error 103: the kernel refused address 192.0.2.11/24 on "eth0"',
      ),
      says(
        "address: IPv6 on a small mtu",
        "ADD",
        begins("error 999: failed to"),
        "error 7: address 2001:db8:1::11/64 needs an MTU of 1280, not 1200",
      ),
      says(
        "dns: a text",
        "ADD",
        begins(
          "error 999: failed to load netconf: json: cannot unmarshal string into Go struct field NetConf.",
        ),
        'error 7: invalid dns "192.0.2.53": must be an object',
      ),
      says(
        "prevResult: an array",
        "ADD",
        begins(
          "error 999: failed to load netconf: json: cannot unmarshal array into Go struct field NetConf.",
        ),
        "error 7: invalid prevResult []: must be an object",
      ),
      says(
        "prevResult: an unknown version",
        "ADD",
        begins(
          "error 999: could not parse prevResult: could not parse prevResult: result type supports [1.0.0",
        ),
        'error 7: unsupported CNI result version "9.9.9"',
      ),
      says(
        "prevResult: two interfaces and no master",
        "ADD",
        "error 999: chained master failure. PrevResult lacks a single named interface",
        "error 7: chained master failure. PrevResult lacks a single named interface",
      ),
      says(
        "route: a failure after the lease was taken",
        "ADD",
        begins("error 999: failed to add route"),
        'error 104: the kernel refused route 203.0.113.0/24 via 192.0.2.255 on "eth0"',
      ),
      says(
        "interface: it exists",
        "ADD",
        'error 999: failed to rename ipvlan to "eth0": file exists',
        'error 102: the container already has an interface "eth0"',
      ),
      says(
        "interface: ADD twice",
        "second ADD",
        'error 999: failed to rename ipvlan to "eth0": file exists',
        'error 102: the container already has an interface "eth0"',
      ),
      says(
        "address: in use by another endpoint",
        "second ADD",
        begins("error 999: failed to add IP addr"),
        "error 103: address 192.0.2.11 is in use by another ipvlan link on this master",
      ),
      says(
        "DEL: the IPAM plugin is gone",
        "DEL",
        'error 999: failed to find plugin "nonesuch" in path [@plugins]',
        'error 105: failed to find plugin "nonesuch" in path [@plugins]',
      ),
      says(
        "CHECK: the link is down",
        "CHECK",
        "error 999: Failed to find Gateway 192.0.2.2 for interface eth0",
        'error 106: interface "eth0" is down',
      ),
      says(
        "CHECK: the link is gone",
        "CHECK",
        "error 999: Container Interface name in prevResult: eth0 not found",
        'error 106: the container has no interface "eth0"',
      ),
      says(
        "CHECK: another kind of link",
        "CHECK",
        "error 999: Error: Container interface eth0 not of type ipvlan",
        'error 106: interface "eth0" is of kind dummy, not ipvlan',
      ),
      says(
        "CHECK: the address is gone",
        "CHECK",
        "error 999: Failed to match addr 192.0.2.11/24 on interface eth0",
        'error 106: interface "eth0" lacks the address 192.0.2.11/24',
      ),
      says(
        "CHECK: the route is gone",
        "CHECK",
        begins("error 999: Expected Route {Dst:{IP:203.0.113.0 Mask:ffffff00} GW:192.0.2.7"),
        'error 106: interface "eth0" lacks the route 203.0.113.0/24 via 192.0.2.7',
      ),
      says(
        "CHECK: the configured mode has changed",
        "CHECK",
        "error 999: Container IPVlan mode l2 does not match expected value: l3",
        'error 106: interface "eth0" is in mode l2, not l3',
      ),
      says(
        "CHECK: without prevResult",
        "CHECK",
        "error 999: Required prevResult missing",
        "error 7: Required prevResult missing",
      ),
      says(
        "CHECK: another namespace in prevResult",
        "CHECK",
        "error 999: Sandbox in prevResult  doesn't match configured netns: @host",
        'error 8: CNI_NETNS "@host" is the network namespace the plugin itself runs in',
      ),
    ],
  },
  {
    title: "A failed ADD leaves nothing behind",
    reason:
      "The reference makes the link first and does not remove it when a later step fails; each retry may add one " +
      "more, and DEL does not find those with a temporary name. Addresses stay leased, too. Here whatever fails, links, addresses and leases are " +
      "as they were before.",
    differences: [
      leaves(
        "after ADD",
        "environment: an interface name that is a pattern",
        "environment: CNI_ARGS that host-local does not know",
        "ipam: missing",
        "ipam: no such plugin",
        "ipam: a path",
        "ipam: no ranges",
        "ipam: no address",
        "ipam: an address that is none",
        "address: given twice",
        "address: IPv6 on a small mtu",
        "interface: it exists",
        "route: a failure after the lease was taken",
      ),
      leaves("after second ADD", "interface: ADD twice", "address: in use by another endpoint"),
      routesOf("after ADD", "reference", "route: a failure after the lease was taken"),
      {
        cases: ["route: a failure after the lease was taken"],
        where: "after ADD > files > leases/network/192.0.2.2",
        reference: something,
        ours: undefined,
      },
    ],
  },
  {
    title: "Refused before anything is touched",
    reason:
      "The reference takes these and does something else than was asked for, silently. An MTU that the master cannot " +
      "carry loses packets; a network in another mode changes all endpoints that the master has already; a MAC address cannot be given to an ipvlan link at all; and a call for the plugin's own " +
      "namespace makes or deletes interfaces of the host (release 1.9.1 notices afterwards, and prints two documents).",
    differences: [
      says("mtu: negative", "ADD", "success", "error 7: invalid mtu -1: must be from 68 to 65535"),
      says(
        "mtu: more than the master's",
        "ADD",
        "success",
        'error 7: mtu 1600 is outside 68 to 1500, the MTU of master "eth0"',
      ),
      says(
        "runtimeConfig: a MAC",
        "ADD",
        "success",
        'error 2: unsupported runtimeConfig.mac "@mac-of-another": an ipvlan link has its master\'s MAC',
      ),
      leaves("after ADD", "mtu: negative", "mtu: more than the master's", "runtimeConfig: a MAC"),
      routesOf(
        "after ADD",
        "reference",
        "mtu: negative",
        "mtu: more than the master's",
        "runtimeConfig: a MAC",
      ),
      says("environment: the plugin's own namespace", "ADD", "success", own, { releases: ["1.1.1"] }),
      says("environment: the plugin's own namespace", "ADD", begins("2 documents"), own, {
        releases: ["1.9.1"],
      }),
      {
        cases: ["environment: the plugin's own namespace"],
        where: "ADD > error",
        reference: undefined,
        ours: something,
        releases: ["1.9.1"],
      },
      {
        cases: ["environment: the plugin's own namespace"],
        where: "after ADD > host > links > net1",
        reference: something,
        ours: undefined,
      },
      says("DEL: the plugin's own namespace", "DEL", "success", own, { releases: ["1.1.1"] }),
      says("DEL: the plugin's own namespace", "DEL", begins("error 8: plugin's netns"), own, {
        releases: ["1.9.1"],
      }),
      {
        cases: ["DEL: the plugin's own namespace"],
        where: "after DEL > host > links > keep0",
        reference: undefined,
        ours: something,
      },
      says(
        "an endpoint in another mode on the same master",
        "second ADD",
        "success",
        'error 101: master "eth0" carries endpoints in mode l2, flag bridge: mode l3, flag bridge would change them all',
      ),
      {
        cases: ["an endpoint in another mode on the same master"],
        where: "after second ADD > container > links > eth0 > data > mode",
        reference: "l3",
        ours: "l2",
      },
      {
        cases: ["an endpoint in another mode on the same master"],
        where: "after second ADD > container > links > eth0 > arp",
        reference: false,
        ours: true,
      },
      leaves("after second ADD", "an endpoint in another mode on the same master"),
      routesOf("after second ADD", "reference", "an endpoint in another mode on the same master"),
    ],
  },
  {
    title: "Accepted here, refused by the reference",
    reason:
      "What the kernel can do is done: a gateway outside of the address's prefix gets an `onlink` route (hence /32 addresses " +
      'work), an IPv4 route may have an IPv6 gateway, host bits in a destination are cleared, a route given twice is there once. `"ipam": {}` makes an ' +
      "endpoint without addresses. A `prevResult` of any supported version is read.",
    differences: [
      { cases: accepted, where: "ADD > answer", reference: something, ours: "success" },
      { cases: accepted, where: "CHECK > answer", reference: something, ours: "success" },
      routesOf(
        "after ADD",
        "ours",
        ...accepted.filter((some) => !["an L2-only endpoint", "the same route twice"].includes(some)),
      ),
      {
        cases: ["an L2-only endpoint"],
        where: "after ADD > container > links > eth0 > up",
        reference: false,
        ours: true,
      },
      {
        cases: ["an L2-only endpoint"],
        where: "after ADD > container > links > eth0 > settings > *",
        reference: "0",
        ours: "1",
      },
      {
        cases: ["a chain of another version"],
        where: "after ADD > container > links > eth0",
        reference: undefined,
        ours: something,
      },
      { cases: ["a chain of another version"], where: "DEL > answer", reference: something, ours: "success" },
    ],
  },
  {
    title: "Results say what the link has",
    reason:
      "Since version 1.1.0 of the specification an interface has an `mtu` in results; the reference never sets it. Here it is what the " +
      "kernel really uses, in results of version 1.0.0 and 1.1.0.",
    differences: [
      { cases: "*", where: "* > result > interfaces > * > mtu", reference: undefined, ours: something },
    ],
  },
  {
    title: "A chain's result is passed on",
    reason:
      "The specification has a plugin pass on what those before it made. The reference drops their interfaces, addresses, " +
      "routes and DNS. Here ours are appended, and `interface` of our addresses is our interface's place in the list.",
    differences: [
      { cases: chained, where: "ADD > result > interfaces", reference: something, ours: something },
      { cases: chained, where: "ADD > result > ips*", reference: something, ours: something },
      {
        cases: ["addresses and a chain"],
        where: "ADD > result > routes",
        reference: something,
        ours: something,
      },
      { cases: chained, where: "ADD > result > dns*", reference: undefined, ours: something },
    ],
  },
  {
    title: "DNS settings from IPAM are kept",
    reason:
      "The reference puts the configuration's `dns` in the result, even if that is empty, so what the IPAM plugin found out is lost. Here the " +
      "configuration's counts when it says anything, then IPAM's, then the chain's.",
    differences: [
      { cases: ["dns from IPAM"], where: "ADD > result > dns*", reference: undefined, ours: something },
    ],
  },
  {
    title: "Routes have the metrics that the configuration gives",
    reason: "The reference repeats `mtu` and `advmss` of a route in its result, but does not set them.",
    differences: [
      routesOf("after ADD", "reference", "a route with mtu and advmss"),
      routesOf("after ADD", "ours", "a route with mtu and advmss"),
    ],
  },
  {
    title: "Routes without a gateway have link scope",
    reason:
      "As `ip route add … dev` does. With the reference's global scope the kernel would not accept such a route as the " +
      "way to another route's gateway.",
    differences: [
      routesOf("after ADD", "reference", ...direct),
      routesOf("after ADD", "ours", ...direct),
      { ...routesOf("after ADD", "reference", "a route of link scope"), releases: ["1.1.1"] },
      { ...routesOf("after ADD", "ours", "a route of link scope"), releases: ["1.1.1"] },
    ],
  },
  {
    title: "CHECK accepts what ADD made",
    reason:
      "The reference's CHECK fails for attachments that its own ADD has just made: without `master` in the configuration, with routes in another " +
      "table or with host bits, with a /32 address in l3 mode; 1.1.1 also for every route that gets its gateway from the address. It fails as well when a later plugin has moved a route to " +
      "another table, and when the master has gone from the host, though the link is there.",
    differences: [
      {
        cases: [
          "l3, IPv4",
          "master from the default route",
          "master from the IPv6 default route",
          "master from the chain",
          "a route in another table",
          "host bits in an IPv6 route",
          "CHECK: the route is in another table",
          "CHECK: the configured master is gone",
          "CHECK: no master in the configuration",
          "CHECK: a later plugin's interface and address",
        ],
        where: "CHECK > answer",
        reference: begins("error 999: "),
        ours: "success",
      },
      {
        cases: ["master in the container, from its default route"],
        where: "CHECK > answer",
        reference: begins("error 999: "),
        ours: "success",
        releases: ["1.9.1"],
      },
      {
        cases: ["a route with a metric"],
        where: "CHECK > answer",
        reference: begins("error 999: Expected Route"),
        ours: "success",
        releases: ["1.1.1"],
      },
    ],
  },
  {
    title: "CHECK sees more",
    reason: "The MTU and the master are compared with the configuration; the reference looks at neither.",
    differences: [
      says(
        "CHECK: the MTU has changed",
        "CHECK",
        "success",
        'error 106: interface "eth0" has MTU 1300, not 1400',
      ),
      says(
        "CHECK: the configured master is another",
        "CHECK",
        "success",
        'error 106: interface "eth0" is not on master "other0"',
      ),
    ],
  },
  {
    title: "DEL always cleans up",
    reason:
      "The reference reads the whole configuration for DEL and gives up when any of it is wrong, has changed, or needs a " +
      "default route that has gone: link and lease stay, and runtimes repeat the call for ever. Here nothing but the network's name can stop a " +
      "DEL. If the IPAM plugin fails, that is reported, but the link is removed all the same. Without `CNI_NETNS` the link is found by the record " +
      "that ADD wrote.",
    differences: [
      {
        cases: ["DEL: the namespace is a plain file", "DEL: loopback"],
        where: "DEL > answer",
        reference: something,
        ours: "success",
      },
      { cases: orphaned, where: "DEL > answer", reference: something, ours: "success" },
      {
        cases: [...orphaned, ...halfway, "DEL: no namespace given"],
        where: "after DEL > container > links > eth0",
        reference: something,
        ours: undefined,
      },
      {
        cases: orphaned,
        where: "after DEL > files > leases/network/192.0.2.2",
        reference: something,
        ours: undefined,
      },
      routesOf("after DEL", "reference", ...orphaned, ...halfway, "DEL: no namespace given"),
    ],
  },
  {
    title: "DEL removes only ipvlan links",
    reason:
      "The reference removes whatever link has the name, also one that somebody else made, or that is the host's when the " +
      "path of the namespace has come to mean another one.",
    differences: [
      {
        cases: ["DEL: a foreign link of that name"],
        where: "after DEL > container > links > eth0",
        reference: undefined,
        ours: something,
      },
    ],
  },
  {
    title: "STATUS tells whether an ADD would work",
    reason:
      "The reference only asks the IPAM plugin. Here driver, master and mode are looked at as well, and the code is 50, as the " +
      "specification demands.",
    differences: [
      says(
        "STATUS: the master is not there",
        "STATUS",
        "success",
        'error 50: master "eth7" not found in the host\'s namespace',
        newer,
      ),
      says(
        "STATUS: the master is a port of a bridge",
        "STATUS",
        "success",
        'error 50: master "eth0" cannot carry ipvlan links: it is a port of the bridge "br0"',
        newer,
      ),
      says(
        "STATUS: the mode is unknown",
        "STATUS",
        "success",
        'error 50: invalid mode "x": must be "l2", "l3" or "l3s"',
        newer,
      ),
      says(
        "STATUS: the IPAM plugin is not there",
        "STATUS",
        'error 999: failed to find plugin "nonesuch" in path [@plugins]',
        'error 50: failed to find plugin "nonesuch" in path [@plugins]',
        newer,
      ),
    ],
  },
  {
    title: "GC removes what no valid attachment has",
    reason:
      "The reference accepts GC and does nothing. Here links that belong to no attachment in `cni.dev/valid-attachments` are removed, and IPAM is " +
      "asked to do the same. A call that does not say what is valid removes nothing.",
    differences: [
      {
        cases: ["GC: one is valid", "GC: none is valid"],
        where: "after GC > container > *",
        reference: something,
        ours: undefined,
        releases: ["1.9.1"],
      },
      {
        cases: ["GC: one is valid", "GC: none is valid"],
        where: "after GC > files > leases/network/192.*",
        reference: something,
        ours: undefined,
        releases: ["1.9.1"],
      },
    ],
  },
  {
    title: "host-local and static are built in",
    reason:
      "No other program is started for them. They take the same configurations and keep the same lease files, so that both " +
      "plugins can work on one store, and their errors have the codes of this plugin. Where a network has many " +
      "leases there is an index in `.ipvlan` beside its directory, which may be deleted at any time. A DEL that has nothing to give " +
      "back does not make the network's directory; STATUS does, because it tries what an ADD would.",
    differences: [
      {
        cases: ["DEL: nothing was added", "DEL: a foreign link of that name", "DEL: loopback"],
        where: "after DEL > files > leases/network/*",
        reference: something,
        ours: undefined,
      },
      {
        cases: ["STATUS: ready"],
        where: "after STATUS > files > leases/network/*",
        reference: undefined,
        ours: something,
        releases: ["1.9.1"],
      },
      says(
        "environment: CNI_ARGS that host-local does not know",
        "ADD",
        begins("error 999: "),
        'error 4: ARGS: unknown args ["COLOUR=green"]',
      ),
      says("ipam: no ranges", "ADD", begins("error 999: no IP ranges"), "error 7: no IP ranges specified"),
      says(
        "ipam: an address that is none",
        "ADD",
        begins("error 999: "),
        "error 7: the 'address' field is expected to be in CIDR notation, got: '192.0.2.300/24'",
      ),
      says(
        "CHECK: the lease is gone",
        "CHECK",
        begins("error 999: host-local: Failed to find address"),
        "error 106: host-local: Failed to find address added by container container-1",
      ),
    ],
  },
  {
    title: "A record of each attachment",
    reason:
      "ADD writes a small file below `/run/ipvlan`, which DEL removes, so that DEL works without `CNI_NETNS` and GC finds " +
      "what an interrupted ADD left. The directory stays.",
    differences: [{ cases: "*", where: "after * > files > run/*", reference: undefined, ours: something }],
  },
  {
    title: "Newer releases of the reference have it too",
    reason:
      "What release 1.1.1, Debian 12's, lacks and 1.9.1 has: version 1.1.0 of the specification with STATUS and GC, today's order of keys in results and of " +
      "complaints about the environment, metric, table and scope of routes, leases that only root can read, neighbour announcements for IPv6, and IPv6 addresses that survive a link that goes down.",
    differences: [
      {
        cases: ["a route with a metric", "a route in another table", "a route of link scope"],
        where: "ADD > result > routes > 0 > *",
        reference: undefined,
        ours: something,
        ...older,
      },
      {
        cases: ["a route with a metric", "a route in another table"],
        where: "after ADD > container > routes > *",
        ...older,
      },
      { cases: "*", where: "* > files > leases/network/* > mode", reference: "644", ours: "600", ...older },
      { cases: "*", where: "* > settings > ndisc_notify", reference: "0", ours: "1", ...older },
      {
        cases: "*",
        groups: ["attach"],
        where: "* > settings > keep_addr_on_down",
        reference: "0",
        ours: "1",
        ...older,
      },
      {
        cases: "*",
        groups: ["attach", "keep"],
        where: "* > result > dns",
        reference: {},
        ours: undefined,
        ...older,
      },
      says(
        "environment: GC without any",
        "GC",
        "error 3: missing containerID",
        "error 4: required env variables [CNI_PATH] missing",
        older,
      ),
      says(
        "environment: STATUS without any",
        "STATUS",
        "error 3: missing containerID",
        "error 4: required env variables [CNI_PATH] missing",
        older,
      ),
      says(
        "environment: a wrong name and a missing path",
        "ADD",
        "error 4: required env variables [CNI_PATH] missing",
        "error 4: interface name contains / or : or whitespace characters",
        older,
      ),
      says(
        "cniVersion: too old for STATUS",
        "STATUS",
        "error 3: missing containerID",
        "error 1: config version does not allow STATUS",
        older,
      ),
      says(
        "cniVersion: too old for GC",
        "GC",
        "error 3: missing containerID",
        "error 1: config version does not allow GC",
        older,
      ),
      {
        cases: ["cniVersion: unknown", "cniVersion: two parts"],
        where: "ADD > error > details",
        reference: something,
        ours: something,
        ...older,
      },
      { cases: ["VERSION", "VERSION as libcni asks"], where: "VERSION > result > *", ...older },
    ],
  },
];
