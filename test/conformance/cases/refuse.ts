/** Calls that ask for nothing, or for what cannot be: the answer, and that nothing is left. */

import { type Case, fixed, hostLocal, network, once, v4, v6 } from "../case.ts";

const config = network();
const newest = network({ cniVersion: "1.1.0" });
const environment = (
  name: string,
  verb: "ADD" | "DEL" | "CHECK" | "STATUS" | "GC",
  some: Record<string, string | undefined>,
) =>
  once(`environment: ${name}`, verb, verb === "STATUS" || verb === "GC" ? newest : config, {
    environment: some,
  });
const adding = (name: string, more: object) => once(name, "ADD", network(more));

const fromChain = network({
  ipam: undefined,
  prevResult: { cniVersion: "1.0.0", ips: [{ address: "192.0.2.12/24" }] },
});
const none = { CNI_CONTAINERID: undefined, CNI_NETNS: undefined, CNI_IFNAME: undefined, CNI_PATH: undefined };

export const refusals: Case[] = [
  once("VERSION", "VERSION", ""),
  once(
    "VERSION as libcni asks",
    "VERSION",
    { cniVersion: "1.1.0" },
    {
      environment: { CNI_NETNS: "dummy", CNI_IFNAME: "dummy", CNI_PATH: "dummy" },
    },
  ),
  once("no command", "ADD", config, { environment: { CNI_COMMAND: undefined } }),
  environment("no such command", "ADD", { CNI_COMMAND: "FOO" }),
  environment("a command in small letters", "ADD", { CNI_COMMAND: "add" }),
  once("environment: no such command, no input", "ADD", "", { environment: { CNI_COMMAND: "FOO" } }),
  environment("ADD without any", "ADD", none),
  environment("CHECK without any", "CHECK", none),
  environment("DEL without any", "DEL", none),
  environment("GC without any", "GC", none),
  environment("STATUS without any", "STATUS", none),
  environment("empty is missing", "ADD", { CNI_CONTAINERID: "", CNI_PATH: "" }),
  environment("a wrong name and a missing path", "ADD", { CNI_IFNAME: "a/b", CNI_PATH: undefined }),
  environment("a container id with a space", "ADD", { CNI_CONTAINERID: "container 1" }),
  environment("an interface name that is too long", "ADD", { CNI_IFNAME: "sixteen-letters-" }),
  environment("an interface name with a slash", "DEL", { CNI_IFNAME: "a/b" }),
  environment("an interface name with a space", "ADD", { CNI_IFNAME: "a b" }),
  environment("an interface name of two dots", "ADD", { CNI_IFNAME: ".." }),
  environment("an interface name that is a pattern", "ADD", { CNI_IFNAME: "net%d" }),
  environment("no namespace there", "ADD", { CNI_NETNS: "@nowhere" }),
  environment("a namespace that is a plain file", "ADD", { CNI_NETNS: "@directory/plain" }),
  once("environment: the plugin's own namespace", "ADD", fromChain, {
    environment: { CNI_NETNS: "@host", CNI_IFNAME: "net1" },
  }),
  environment("CNI_ARGS that host-local does not know", "ADD", { CNI_ARGS: "COLOUR=green" }),

  once("input: empty", "ADD", ""),
  once("input: no JSON", "ADD", "{nonsense"),
  once("input: an array", "ADD", "[]"),
  once("input: null", "ADD", "null"),
  once("input: more after the end", "ADD", `${JSON.stringify(config)} x`),
  adding("name: missing", { name: undefined }),
  adding("name: empty", { name: "" }),
  adding("name: a number", { name: 7 }),
  adding("name: a slash", { name: "net/work" }),
  adding("cniVersion: a number", { cniVersion: 1 }),
  adding("cniVersion: unknown", { cniVersion: "9.9.9" }),
  adding("cniVersion: two parts", { cniVersion: "1.0" }),
  once("cniVersion: too old for CHECK", "CHECK", network({ cniVersion: "0.3.1" })),
  once("cniVersion: too old for STATUS", "STATUS", network({ cniVersion: "1.0.0" })),
  once("cniVersion: too old for GC", "GC", network({ cniVersion: "1.0.0" })),
  once("cniVersion: too new for GC", "GC", network({ cniVersion: "2.0.0" }), {}, { releases: ["1.9.1"] }),
  once(
    "cniVersion: no number, STATUS",
    "STATUS",
    network({ cniVersion: "abc" }),
    {},
    { releases: ["1.9.1"] },
  ),

  adding("mode: unknown", { mode: "x" }),
  adding("mode: capital letters", { mode: "L2" }),
  adding("mtu: a text", { mtu: "1400" }),
  adding("mtu: a fraction", { mtu: 1400.5 }),
  adding("mtu: negative", { mtu: -1 }),
  adding("mtu: more than the master's", { mtu: 1600 }),
  adding("mtu: more than there can be", { mtu: 70_000 }),
  adding("master: not there", { master: "eth7" }),
  adding("master: loopback", { master: "lo" }),
  adding("master: a number", { master: 7 }),
  once(
    "master: none, and no default route",
    "ADD",
    network({ master: undefined }),
    {},
    {
      host: "route delete default\nroute delete ::/0",
    },
  ),
  once(
    "master: a port of a bridge",
    "ADD",
    config,
    {},
    { host: "link add br0 type bridge\nlink set eth0 master br0" },
  ),
  once("master: carries a macvlan", "ADD", config, {}, { host: "link add mac0 link eth0 type macvlan" }),
  adding("ipam: missing", { ipam: undefined }),
  adding("ipam: a text", { ipam: "static" }),
  adding("ipam: no such plugin", { ipam: { type: "nonesuch" } }),
  adding("ipam: a path", { ipam: { type: "../static" } }),
  adding("ipam: no ranges", { ipam: { type: "host-local", dataDir: "@leases" } }),
  adding("ipam: no address", { ipam: fixed([]) }),
  adding("ipam: an address that is none", { ipam: fixed([{ address: "192.0.2.300/24" }]) }),
  adding("address: given twice", { ipam: fixed([v4, v4]) }),
  adding("address: IPv6 on a small mtu", { mtu: 1200, ipam: fixed([v6]) }),
  adding("dns: a text", { dns: "192.0.2.53" }),
  adding("prevResult: an array", { prevResult: [] }),
  adding("prevResult: an unknown version", {
    ipam: undefined,
    prevResult: { cniVersion: "9.9.9", ips: [{ address: "192.0.2.12/24" }] },
  }),
  adding("prevResult: two interfaces and no master", {
    master: undefined,
    ipam: undefined,
    prevResult: {
      cniVersion: "1.0.0",
      interfaces: [{ name: "a" }, { name: "b" }],
      ips: [{ address: "192.0.2.12/24" }],
    },
  }),
  adding("runtimeConfig: a MAC", { runtimeConfig: { mac: "02:00:00:00:00:01" } }),
  once(
    "interface: it exists",
    "ADD",
    network({ ipam: hostLocal() }),
    {},
    { container: "link add eth0 type dummy" },
  ),
  {
    name: "interface: ADD twice",
    steps: [
      { verb: "ADD", config: network({ ipam: hostLocal() }), look: false },
      { label: "second ADD", verb: "ADD", config: network({ ipam: hostLocal() }) },
    ],
  },
  {
    name: "address: in use by another endpoint",
    steps: [
      { verb: "ADD", config, look: false },
      { label: "second ADD", verb: "ADD", config, environment: { CNI_IFNAME: "net1" } },
    ],
  },
  // A broadcast address cannot be a gateway.
  once(
    "route: a failure after the lease was taken",
    "ADD",
    network({ ipam: hostLocal({ routes: [{ dst: "203.0.113.0/24", gw: "192.0.2.255" }] }) }),
  ),
];
