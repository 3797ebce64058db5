/** What comes after ADD: DEL in every state, CHECK of what has changed, STATUS and GC. */

import { type Case, fixed, hostLocal, network, once, type Step, v4 } from "../case.ts";

const leased = network({ ipam: hostLocal({ routes: [{ dst: "0.0.0.0/0" }] }) });
const plain = network({ ipam: fixed([v4], { routes: [{ dst: "203.0.113.0/24", gw: "192.0.2.7" }] }) });
const two = { interfaces: [{ name: "a" }, { name: "b" }], ips: [{ address: "192.0.2.12/24" }] };

/** ADD, then DEL in another way. */
function del(name: string, step: Partial<Step>, config: object = leased): Case {
  return {
    name: `DEL: ${name}`,
    steps: [
      { verb: "ADD", config, look: false },
      { verb: "DEL", config, ...step },
    ],
  };
}

/** ADD, then CHECK after something has changed. */
function check(name: string, step: Partial<Step>, config: object = plain): Case {
  return {
    name: `CHECK: ${name}`,
    steps: [
      { verb: "ADD", config, look: false },
      { verb: "CHECK", config, prevResult: true, look: false, ...step },
      { verb: "DEL", config, look: false },
    ],
  };
}

const newest = (more: object = {}) => network({ cniVersion: "1.1.0", ipam: hostLocal(), ...more });
const ready = (name: string, more: object, some: Partial<Case> = {}) =>
  once(`STATUS: ${name}`, "STATUS", newest(more), {}, { releases: ["1.9.1"], ...some });

/** Two leases, then GC. */
function gc(name: string, more: object): Case {
  const second = { environment: { CNI_CONTAINERID: "container-2", CNI_IFNAME: "net2" } };
  return {
    name: `GC: ${name}`,
    releases: ["1.9.1"],
    steps: [
      { verb: "ADD", config: newest(), look: false },
      { label: "second ADD", verb: "ADD", config: newest(), look: false, ...second },
      { verb: "GC", config: newest(more) },
    ],
  };
}

const kept = [{ containerID: "container-1", ifname: "eth0" }];

export const upkeep: Case[] = [
  once("DEL: nothing was added", "DEL", leased),
  {
    name: "DEL: twice",
    steps: [
      { verb: "ADD", config: leased, look: false },
      { verb: "DEL", config: leased, prevResult: true },
      { label: "second DEL", verb: "DEL", config: leased },
    ],
  },
  del("without prevResult", {}),
  del("no namespace given", { environment: { CNI_NETNS: undefined } }),
  del("the namespace is gone", { environment: { CNI_NETNS: "@nowhere" } }),
  del("the namespace is a plain file", { environment: { CNI_NETNS: "@directory/plain" } }),
  del(
    "no default route any more",
    { host: "route delete default\nroute delete ::/0" },
    network({ master: undefined, ipam: hostLocal() }),
  ),
  del("the master is gone", { host: "link delete eth0" }),
  del(
    "another plugin added an interface",
    {
      config: network({ master: undefined, ipam: hostLocal(), prevResult: { cniVersion: "1.0.0", ...two } }),
    },
    network({ master: undefined, ipam: hostLocal() }),
  ),
  del("prevResult of another version", {
    config: network({ ipam: hostLocal(), prevResult: { cniVersion: "0.4.0", ...two } }),
  }),
  del("a prevResult that is none", { config: network({ ipam: hostLocal(), prevResult: [] }) }),
  del("the IPAM plugin is gone", { config: network({ ipam: { type: "nonesuch" } }) }),
  del("the subnet has become invalid", {
    config: network({ ipam: hostLocal({ ranges: [[{ subnet: "192.0.2.0/31" }]] }) }),
  }),
  del("the mode has become invalid", { config: network({ mode: "x", mtu: "big", ipam: hostLocal() }) }),
  once("DEL: a foreign link of that name", "DEL", leased, {}, { container: "link add eth0 type dummy" }),
  once("DEL: loopback", "DEL", leased, { environment: { CNI_IFNAME: "lo" } }),
  once(
    "DEL: the plugin's own namespace",
    "DEL",
    network({ ipam: undefined }),
    { environment: { CNI_NETNS: "@host", CNI_IFNAME: "keep0" } },
    {
      host: "link add keep0 type dummy",
    },
  ),

  check("nothing has changed", {}),
  check("the link is down", { container: "link set eth0 down" }),
  check("the link is gone", { container: "link delete eth0" }),
  check("another kind of link", {
    container:
      "link delete eth0\nlink add eth0 type dummy\naddress add 192.0.2.11/24 dev eth0\nlink set eth0 up\nroute add 203.0.113.0/24 via 192.0.2.7",
  }),
  check("the address is gone", { container: "address delete 192.0.2.11/24 dev eth0" }),
  check("the route is gone", { container: "route delete 203.0.113.0/24" }),
  check("another address and route", {
    container: "address add 203.0.113.200/32 dev eth0\nroute add 198.51.100.0/24 via 192.0.2.7",
  }),
  check("the route is in another table", {
    container: "route delete 203.0.113.0/24\nroute add 203.0.113.0/24 via 192.0.2.7 table 100",
  }),
  check("the MTU has changed", { container: "link set eth0 mtu 1300" }, network({ mtu: 1400 })),
  check("the configured mode has changed", { config: network({ mode: "l3" }) }),
  check("the configured master is another", {
    config: network({ master: "other0" }),
    host: "link add other0 type dummy",
  }),
  check("the configured master is gone", { config: network({ master: "eth7" }) }),
  check("no master in the configuration", {}, network({ master: undefined })),
  check("without prevResult", { prevResult: false }),
  check("another namespace in prevResult", { environment: { CNI_NETNS: "@host" } }),
  check("the lease is gone", { script: "rm -r @leases/network" }, leased),
  check("a later plugin's interface and address", {
    prevResult: false,
    config: network({
      prevResult: {
        cniVersion: "1.0.0",
        interfaces: [
          { name: "eth0", sandbox: "@container" },
          { name: "other0", sandbox: "@container" },
        ],
        ips: [
          { ...v4, interface: 0 },
          { address: "203.0.113.9/32", interface: 1 },
        ],
      },
    }),
  }),

  ready("ready", {}),
  ready("the master is not there", { master: "eth7" }),
  ready(
    "the master is a port of a bridge",
    {},
    { host: "link add br0 type bridge\nlink set eth0 master br0" },
  ),
  ready("the mode is unknown", { mode: "x" }),
  ready("the IPAM plugin is not there", { ipam: { type: "nonesuch" } }),
  gc("one is valid", { "cni.dev/valid-attachments": kept, "cni.dev/attachments": kept }),
  gc("none is valid", { "cni.dev/valid-attachments": [] }),
  gc("nobody says what is valid", {}),
];
