/** Attachments that come and go: what ADD answers, what it makes, and that CHECK and DEL agree. */

import { type Case, defaults, fixed, hostLocal, life, network, v4, v6 } from "../case.ts";

const both = fixed([v4, v6], { routes: defaults });
const routed = fixed([{ address: "198.51.100.11/24" }, { address: "2001:db8:2::11/64" }], {
  routes: defaults,
});
const dns = {
  nameservers: ["192.0.2.53"],
  domain: "example.org",
  search: ["example.org"],
  options: ["ndots:2"],
};

/** What a plugin before this one in the chain might have made. */
const before = {
  cniVersion: "1.0.0",
  interfaces: [{ name: "net9", sandbox: "@container" }],
  ips: [{ address: "192.0.2.12/24", gateway: "192.0.2.2", interface: 0 }],
  routes: [{ dst: "203.0.113.0/24", gw: "192.0.2.2" }],
  dns: { nameservers: ["192.0.2.54"] },
};

const versions = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];

export const attachments: Case[] = [
  ...versions.map((cniVersion) =>
    life(
      `version ${cniVersion}`,
      network({ cniVersion, ipam: both, dns }),
      cniVersion === "1.1.0" ? { releases: ["1.9.1"] } : {},
    ),
  ),
  {
    name: "version not given",
    steps: [
      { verb: "ADD", config: network({ cniVersion: undefined }) },
      { verb: "DEL", config: network({ cniVersion: undefined }) },
    ],
  },
  life("l2, IPv4", network({ mode: "l2" })),
  life("l2, IPv6", network({ mode: "l2", ipam: fixed([v6], { routes: [{ dst: "::/0" }] }) })),
  life(
    "l3, IPv4",
    network({
      mode: "l3",
      ipam: fixed([{ address: "198.51.100.11/32" }], { routes: [{ dst: "0.0.0.0/0" }] }),
    }),
  ),
  life("l3, both families", network({ mode: "l3", ipam: routed })),
  life("l3s, both families", network({ mode: "l3s", ipam: routed })),
  life("without a gateway", network({ ipam: fixed([{ address: "192.0.2.11/24" }]) })),
  life(
    "several addresses",
    network({ ipam: fixed([v4, { address: "192.0.2.12/24" }, { address: "203.0.113.5/28" }, v6]) }),
  ),
  life("IPv6 switched off in the container", network({ ipam: fixed([v6]) }), {
    script: "for name in default all lo; do echo 1 >/proc/sys/net/ipv6/conf/$name/disable_ipv6; done",
  }),
  life("mtu", network({ mtu: 1400 })),
  life(
    "null for what is not set",
    network({ mode: null, mtu: null, dns: null, prevResult: null, args: null, linkInContainer: null }),
  ),
  life("keys in other letter cases", {
    CNIVersion: "1.0.0",
    Name: "network",
    TYPE: "ipvlan",
    Master: "eth0",
    MODE: "l3",
    Mtu: 1300,
    IPAM: fixed([v4]),
  }),
  life(
    "an unknown key, capabilities and args",
    network({ colour: "green", capabilities: { mac: true }, args: { cni: {} } }),
  ),
  life("another interface name", network(), {}, { environment: { CNI_IFNAME: "net1" } }),
  life("master from the default route", network({ master: undefined })),
  life("master from the IPv6 default route", network({ master: "" }), { host: "route delete default" }),
  life("master by its alternative name", network({ master: "uplink-of-the-host" }), {
    host: "link property add dev eth0 altname uplink-of-the-host",
    releases: ["1.9.1"],
  }),
  life("master in the container", network({ master: "net0", linkInContainer: true }), {
    container: "link add net0 type dummy\nlink set net0 up",
    releases: ["1.9.1"],
  }),
  life(
    "master in the container, from its default route",
    network({ master: undefined, linkInContainer: true, ipam: fixed([v4]) }),
    {
      container: "link add net0 type dummy\nlink set net0 up\nroute add default dev net0",
      releases: ["1.9.1"],
    },
  ),
  life(
    "routes with their own gateway",
    network({
      ipam: fixed([v4, v6], {
        routes: [
          { dst: "203.0.113.0/24", gw: "192.0.2.7" },
          { dst: "2001:db8:9::/48", gw: "2001:db8:1::7" },
        ],
      }),
    }),
  ),
  life(
    "a route with a metric",
    network({ ipam: fixed([v4], { routes: [{ dst: "203.0.113.0/24", priority: 77 }] }) }),
  ),
  life(
    "a route in another table",
    network({ ipam: fixed([v4], { routes: [{ dst: "203.0.113.0/24", table: 1000 }] }) }),
  ),
  life(
    "a route of link scope",
    network({
      ipam: fixed([{ address: "192.0.2.11/24" }], { routes: [{ dst: "203.0.113.0/24", scope: 253 }] }),
    }),
  ),
  life(
    "a route with mtu and advmss",
    network({ ipam: fixed([v4], { routes: [{ dst: "203.0.113.0/24", mtu: 1200, advmss: 1100 }] }) }),
    {
      releases: ["1.9.1"],
    },
  ),
  life("host bits in a route", network({ ipam: fixed([v4], { routes: [{ dst: "203.0.113.9/24" }] }) })),
  life(
    "host bits in an IPv6 route",
    network({ ipam: fixed([v6], { routes: [{ dst: "2001:db8:9::9/64" }] }) }),
  ),
  life(
    "the same route twice",
    network({ ipam: fixed([v4], { routes: [{ dst: "203.0.113.0/24" }, { dst: "203.0.113.0/24" }] }) }),
  ),
  life(
    "a gateway outside of the prefix",
    network({
      ipam: fixed([{ address: "192.0.2.11/32", gateway: "192.0.2.2" }], { routes: [{ dst: "0.0.0.0/0" }] }),
    }),
  ),
  life(
    "a route's gateway outside of the prefix",
    network({ ipam: fixed([v4], { routes: [{ dst: "203.0.113.0/24", gw: "198.51.100.1" }] }) }),
  ),
  life(
    "a gateway of the other family",
    network({ ipam: fixed([v4], { routes: [{ dst: "203.0.113.0/24", gw: "2001:db8:1::2" }] }) }),
  ),
  life("dns from IPAM", network({ ipam: fixed([v4], { dns }) })),
  life("host-local", network({ ipam: hostLocal({ routes: [{ dst: "0.0.0.0/0" }] }) })),
  life(
    "host-local, both families",
    network({
      ipam: hostLocal({
        ranges: [
          [{ subnet: "192.0.2.0/24", rangeStart: "192.0.2.20", gateway: "192.0.2.2" }],
          [{ subnet: "2001:db8:1::/64" }],
        ],
      }),
    }),
  ),
  life(
    "host-local, the address from CNI_ARGS",
    network({ ipam: hostLocal() }),
    {},
    { environment: { CNI_ARGS: "IgnoreUnknown=1;IP=192.0.2.77" } },
  ),
  life(
    "host-local, the address from runtimeConfig",
    network({ ipam: hostLocal(), runtimeConfig: { ips: ["192.0.2.78"] } }),
  ),
  life(
    "static, the address from runtimeConfig",
    network({ ipam: { type: "static" }, runtimeConfig: { ips: ["192.0.2.79/24"] } }),
  ),
  life("addresses from the chain", network({ ipam: undefined, prevResult: before })),
  life("addresses and a chain", network({ prevResult: before })),
  life(
    "master from the chain",
    network({
      master: undefined,
      ipam: undefined,
      prevResult: { ...before, interfaces: [{ name: "eth0" }] },
    }),
  ),
  life(
    "a chain of another version",
    network({
      ipam: undefined,
      prevResult: { ...before, cniVersion: "0.4.0", ips: [{ version: "4", ...before.ips[0] }] },
    }),
  ),
  life("an L2-only endpoint", network({ ipam: {} })),
  {
    name: "an endpoint in another mode on the same master",
    steps: [
      { verb: "ADD", config: network({ mode: "l2" }) },
      {
        label: "second ADD",
        verb: "ADD",
        config: network({ mode: "l3", ipam: fixed([{ address: "192.0.2.12/24" }]) }),
        environment: { CNI_IFNAME: "net1" },
      },
    ],
  },
];
