/** ADD: a call or configuration that is wrong is refused before anything is touched; the message names field and value. */

import { fixed } from "../support/network.ts";
import { refusals } from "../support/refusals.ts";
import { wire } from "../support/world.ts";

const ipam = fixed(["192.0.2.11/24"]);

refusals("a configuration that is no configuration is refused without a trace", () => ({ ipam }), [
  { of: "nothing", config: "", code: 6, says: ["unexpected end of JSON input"] },
  { of: "broken JSON", config: '{"name": "net",', code: 6, says: ["error unmarshall network config"] },
  { of: "an array", config: "[]", code: 6, says: ["must be an object", "[]"] },
  { of: "two documents", config: '{"name":"net"}{}', code: 6, says: ["error unmarshall network config"] },
  { of: "no name", config: { name: undefined }, code: 7, says: ["missing network name"] },
  { of: "a name that is a path", config: { name: "../x" }, code: 7, says: ["network name"], details: "../x" },
  {
    of: "an unknown version",
    config: { cniVersion: "9.9.9" },
    code: 1,
    says: ["incompatible"],
    details: '"9.9.9"',
  },
]);

refusals("a field that is wrong is refused without a trace, named with its value", () => ({ ipam }), [
  { of: "mode", config: { mode: "l9" }, code: 7, says: ["mode", '"l9"', '"l3s"'] },
  { of: "mode in capitals", config: { mode: "L2" }, code: 7, says: ["mode", '"L2"'] },
  { of: "flag", config: { flag: "public" }, code: 7, says: ["flag", '"public"', '"vepa"'] },
  { of: "mtu as text", config: { mtu: "1500" }, code: 7, says: ["mtu", '"1500"', "integer"] },
  { of: "negative mtu", config: { mtu: -1 }, code: 7, says: ["mtu", "-1"] },
  { of: "mtu below the least", config: { mtu: 67 }, code: 7, says: ["mtu", "67", "68"] },
  { of: "mtu above the most", config: { mtu: 65536 }, code: 7, says: ["mtu", "65536"] },
  { of: "mtu above the master's", config: { mtu: 1501 }, code: 7, says: ["mtu", "1501", "1500", "eth0"] },
  { of: "master as number", config: { master: 5 }, code: 7, says: ["master", "5", "string"] },
  { of: "master as path", config: { master: "../eth0" }, code: 7, says: ["master", "../eth0"] },
  { of: "linkInContainer", config: { linkInContainer: "yes" }, code: 7, says: ["linkInContainer", '"yes"'] },
  {
    of: "dns",
    config: { dns: { nameservers: "192.0.2.53" } },
    code: 7,
    says: ["dns.nameservers", "192.0.2.53"],
  },
]);

refusals(
  "an ipam or prevResult that is wrong is refused without a trace, named with its value",
  () => ({ ipam }),
  [
    { of: "no ipam", config: { ipam: undefined }, code: 7, says: ['"ipam": {}', "L2-only"] },
    { of: "ipam as text", config: { ipam: "static" }, code: 7, says: ["ipam", '"static"', "object"] },
    {
      of: "ipam type as path",
      config: { ipam: { type: "../static" } },
      code: 7,
      says: ["ipam.type", "../static"],
    },
    {
      of: "ipam type of our own",
      config: { ipam: { type: "ipvlan" } },
      code: 7,
      says: ["ipam.type", "ipvlan"],
    },
    {
      of: "ipam that is not there",
      config: { ipam: { type: "absent" } },
      code: 105,
      says: ['"absent"', "in path"],
    },
    {
      of: "a MAC address",
      config: { runtimeConfig: { mac: "02:00:00:00:00:01" } },
      code: 2,
      says: ["mac", "02:00:"],
    },
    { of: "prevResult", config: { prevResult: [] }, code: 7, says: ["prevResult", "[]"] },
    {
      of: "an address in prevResult",
      config: { ipam: undefined, prevResult: { ips: [{ address: "192.0.2.300/24" }] } },
      code: 7,
      says: ["prevResult.ips[0].address", "192.0.2.300/24"],
    },
    {
      of: "a prevResult without addresses, and no ipam",
      config: { ipam: undefined, prevResult: { interfaces: [{ name: "eth0" }] } },
      code: 7,
      says: ['"ipam": {}'],
    },
    {
      of: "a chain that leaves open which interface is the master",
      config: { master: undefined, prevResult: { interfaces: [{ name: "a" }, { name: "b" }] } },
      code: 7,
      says: ["chained master failure"],
      details: "a, b",
    },
  ],
);

refusals("an environment that is wrong is refused without a trace", () => ({ ipam }), [
  {
    of: "no container id",
    call: { environment: { CNI_CONTAINERID: undefined } },
    code: 4,
    says: ["CNI_CONTAINERID"],
  },
  { of: "empty interface name", call: { environment: { CNI_IFNAME: "" } }, code: 4, says: ["CNI_IFNAME"] },
  {
    of: "several missing",
    call: { environment: { CNI_NETNS: undefined, CNI_PATH: undefined } },
    code: 4,
    says: ["[CNI_NETNS,CNI_PATH]"],
  },
  { of: "container id", call: { containerId: "a/b" }, code: 4, says: ["containerID"], details: "a/b" },
  { of: "long interface name", call: { ifName: "sixteen-bytes-00" }, code: 4, says: ["too long"] },
  { of: "interface name with a slash", call: { ifName: "a/b" }, code: 4, says: ["interface name"] },
  { of: "pattern as interface name", call: { ifName: "eth%d" }, code: 4, says: ["%"] },
  { of: "the kernel's own names", call: { ifName: "all" }, code: 4, says: ['"all"'] },
  {
    of: "unknown command",
    call: { environment: { CNI_COMMAND: "FROB" } },
    code: 4,
    says: ["CNI_COMMAND", "FROB"],
  },
]);

refusals(
  "a master that cannot carry ipvlan links is refused without a trace",
  () => ({ ipam }),
  [
    { of: "absent", config: { master: "absent0" }, code: 101, says: ['"absent0"', "not found", "host"] },
    {
      of: "absent in the container",
      config: { linkInContainer: true },
      code: 101,
      says: ['"eth0"', "not found", "container"],
    },
    { of: "loopback", config: { master: "lo" }, code: 101, says: ['"lo"', "loopback"] },
    { of: "port of a bridge", config: { master: "port0" }, code: 101, says: ['"port0"', 'bridge "br0"'] },
    {
      of: "carries macvlan",
      config: { master: "busy0" },
      code: 101,
      says: ['"busy0"', 'macvlan link "macv0"'],
    },
    { of: "carries macvlan elsewhere", config: { master: "busy1" }, code: 101, says: ['"busy1"', "macvlan"] },
    {
      of: "no default route",
      config: { master: undefined },
      code: 101,
      says: ["master", "no default route"],
      details: "set one, or give that namespace a default route",
    },
  ],
  async ({ world, container }) => {
    await world.host.ip(`route delete default via ${wire.outside.v4}
      route delete default via ${wire.outside.v6}
      link add br0 type bridge
      link add port0 up type dummy
      link set port0 master br0
      link add busy0 up type dummy
      link add link busy0 name macv0 type macvlan
      link add busy1 up type dummy
      link add link busy1 name macv1 netns ${container.name} type macvlan`);
  },
);

refusals(
  "an interface that exists is not touched, nor is its lease",
  (world) => ({ ipam: { type: "host-local", dataDir: world.leases, subnet: "192.0.2.0/24" } }),
  [
    { of: "our own, live", code: 102, says: ['"eth0"', "already"] },
    {
      of: "our own, by another network",
      config: { name: "other" },
      code: 102,
      says: ['"eth0"', "already"],
    },
    { of: "a foreign one", call: { ifName: "foreign0" }, code: 102, says: ['"foreign0"', "already"] },
    {
      of: "an alternative name of another",
      call: { ifName: "alias0" },
      code: 102,
      says: ['"alias0"', "already"],
    },
    { of: "loopback", call: { ifName: "lo" }, code: 102, says: ['"lo"', "already"] },
    {
      of: "the master inside the container",
      config: { master: "foreign0", linkInContainer: true },
      call: { ifName: "foreign0" },
      code: 102,
      says: ['"foreign0"', "already"],
    },
  ],
  async ({ container, net }) => {
    await container.ip("link add foreign0 type dummy\nlink property add dev foreign0 altname alias0");
    await net.add(container);
  },
);
