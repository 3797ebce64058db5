import { expect, test } from "bun:test";
import { checkFile } from "../../src/cli/validate/document.ts";
import { Findings } from "../../src/cli/validate/finding.ts";

/** `line:column level message`, one for each finding. */
function check(text: string, path = "net.conflist"): string[] {
  const findings = new Findings(path);
  checkFile(path, text, findings);
  return findings.sorted().map(({ line, column, level, message }) => `${line}:${column} ${level} ${message}`);
}

const VALID = {
  cniVersion: "1.1.0",
  name: "net",
  type: "ipvlan",
  master: "eth0",
  ipam: { type: "host-local", ranges: [[{ subnet: "10.1.2.0/24" }]] },
};

test("a valid configuration has no finding, alone, in a list, and in any spelling of its keys", () => {
  expect(check(JSON.stringify(VALID))).toEqual([]);
  const { cniVersion, name, ...plugin } = VALID;
  expect(check(JSON.stringify({ cniVersion, name, plugins: [plugin, { type: "tuning" }] }))).toEqual([]);
  expect(check(JSON.stringify({ ...VALID, MTU: 1400, linkincontainer: null }))).toEqual([]);
});

test("every wrong value is told, each at its own line and column", () => {
  const text = `{
  "cniVersion": "1.1.0", "name": "net",
  "type": "ipvlan",
  "mode": "l4",
  "mtu": "1500",
  "ipam": {
    "type": "host-local",
    "ranges": [[{ "subnet": "10.1.2.0" }]],
    "routes": [{ "dst": "default" }]
  }
}`;
  expect(check(text)).toEqual([
    '4:11 error invalid mode "l4": must be "l2", "l3" or "l3s"',
    '5:10 error invalid mtu "1500": must be an integer',
    '8:29 error invalid ipam.ranges[0][0].subnet "10.1.2.0": must be an address with a prefix length, such as "10.1.2.3/24"',
    '9:25 error invalid ipam.routes[0].dst "default": must be an address with a prefix length, such as "10.1.2.3/24"',
  ]);
});

test("what the plugin would only find when it allocates is told too", () => {
  const ipam = { type: "host-local", subnet: "10.1.2.0/24", rangeStart: "10.1.3.1" };
  expect(check(JSON.stringify({ ...VALID, ipam }))[0]).toContain("error invalid range set 0");
  expect(check(JSON.stringify({ ...VALID, ipam: { type: "host-local" } }))[0]).toContain("no IP ranges");
  const fixed = { type: "static", addresses: [{ address: "10.1.2.3" }] };
  expect(check(JSON.stringify({ ...VALID, ipam: fixed }))[0]).toContain("CIDR notation");
});

test("what DHCP would refuse is told, with the keys of its own that nobody reads", () => {
  const text = `{
  "cniVersion": "1.1.0", "name": "net", "type": "ipvlan", "mode": "l3",
  "ipam": {
    "type": "dhcp",
    "families": [4, 5],
    "timeoutseconds": 0,
    "provide": [{ "option": "hostname", "value": "web" }, { "option": 12, "from": "K8S_POD_NAME" }],
    "request": [{ "skipDefaults": true }],
    "ranges": []
  }
}`;
  expect(check(text)).toEqual([
    "2:67 error DHCP does not work in mode l3: there the driver passes no broadcasts, and without an address nothing else",
    "5:21 error invalid ipam.families[1] 5: must be 4 or 6",
    "6:23 error invalid ipam.timeoutSeconds 0: must be from 1 to 600",
    '7:29 error invalid ipam.provide[0].option "hostname": must be a number from 1 to 254 or one of: dhcp-client-identifier, subnet-mask, routers, host-name, user-class, vendor-class-identifier',
    '7:75 warning "from" is no key of an entry of ipam.provide: it has no effect',
    '8:19 warning "skipDefaults" is no key of an entry of ipam.request: it has no effect',
    '9:5 warning "ranges" is no key of ipam of type dhcp: it has no effect',
  ]);
  const external = { type: "dhcp", external: true, provide: "whatever its program takes" };
  expect(check(JSON.stringify({ ...VALID, ipam: external }))).toEqual([]);
});

test("an unknown key is a warning with a guess; a key that is there twice is one too", () => {
  const text =
    '{ "cniVersion": "1.1.0", "name": "n", "type": "ipvlan", "mastr": "a", "mtu": 1, "MTU": 1400, "ipam": {} }';
  expect(check(text)).toEqual([
    '1:57 warning "mastr" is no key of an ipvlan network: it has no effect',
    '1:81 warning "MTU" is given twice; only the later one counts',
  ]);
});

test("JSON that is none is told with what stands in the way", () => {
  expect(check('{\n  "name": "net",\n}')).toEqual([
    '2:16 error there is a comma before "}", which JSON does not allow',
  ]);
  expect(check('{ "name": net }')).toEqual(['1:11 error a value is expected here, not "n"']);
  expect(check('{ "name" "net" }')).toEqual(['1:10 error ":" is expected after the key, not "\\""']);
  expect(check('{ name: "net" }')).toEqual(['1:3 error a key in double quotes is expected here, not "n"']);
  expect(check('{ "name": "net')).toEqual([
    "1:11 error this string does not end on its line, or has a wrong escape",
  ]);
  expect(check("[]")).toEqual(["1:1 error a configuration is a JSON object"]);
});

test("a list needs plugins, a plugin needs a type, and the network a name and a version that is spoken", () => {
  expect(check('{ "name": "n", "plugins": [] }')).toEqual([
    '1:27 error "plugins" must be a list with a plugin in it',
  ]);
  expect(
    check('{ "cniVersion": "1.0.0", "name": "n", "plugins": [ { "type": "x" }, { "Mode": "l3" } ] }'),
  ).toEqual(['1:69 error "type" is missing: the name of the plugin\'s program']);
  expect(check('{ "type": "ipvlan", "ipam": {} }')).toEqual(["1:1 error missing network name"]);
  const old = JSON.stringify({ ...VALID, cniVersion: "9.0.0" });
  expect(check(old)[0]).toStartWith("1:15 error incompatible CNI versions");
});

test("a plugin after another one may take its addresses and master from it", () => {
  const list = (plugins: object[]) => JSON.stringify({ cniVersion: "1.0.0", name: "n", plugins });
  expect(check(list([{ type: "ptp" }, { type: "ipvlan" }]))).toEqual([]);
  expect(check(list([{ type: "ipvlan" }]))[0]).toContain("ipam is missing");
});

const NAD = `apiVersion: k8s.cni.cncf.io/v1
kind: NetworkAttachmentDefinition
metadata:
  name: wire
spec:
  config: |
    {
      "cniVersion": "1.0.0",
      "type": "ipvlan",
      "mode": "l5",
      "ipam": {}
    }
---
kind: Pod
`;

test("the configuration inside a Multus attachment is checked at its lines of the YAML", () => {
  expect(check(NAD, "nad.yaml")).toEqual(['10:15 error invalid mode "l5": must be "l2", "l3" or "l3s"']);
  expect(check(NAD.replace("l5", "l3"), "nad.yaml")).toEqual([]);
  expect(check("a: [1", "nad.yaml")[0]).toStartWith("1:1 error this is neither JSON nor YAML");
  expect(check("kind: Pod", "pod.yaml")).toEqual([
    "1:1 warning there is no NetworkAttachmentDefinition in this file",
  ]);
});

test("an attachment in JSON tells where its configuration stands", () => {
  const definition = {
    kind: "NetworkAttachmentDefinition",
    metadata: { name: "wire" },
    spec: { config: JSON.stringify({ cniVersion: "1.0.0", type: "ipvlan", mtu: 1, ipam: {} }) },
  };
  expect(check(JSON.stringify(definition))).toEqual(["1:83 error invalid mtu 1: must be from 68 to 65535"]);
  expect(check(JSON.stringify({ ...definition, spec: {} }))[0]).toContain("Multus looks for a file");
});

const PODMAN = { name: "n", id: "a".repeat(64), driver: "ipvlan", subnets: [{ subnet: "10.0.0.0/24" }] };

test("a network of Podman's is checked as its creation would", () => {
  expect(check(JSON.stringify(PODMAN))).toEqual([]);
  expect(check(JSON.stringify({ ...PODMAN, options: { mode: "l5" } }))[0]).toContain(
    'invalid ipvlan mode "l5"',
  );
  expect(check(JSON.stringify({ ...PODMAN, subnets: [{ subnet: "x" }] }))).toEqual([
    '1:124 error invalid subnets[0].subnet "x": invalid IP address syntax',
  ]);
  expect(check(JSON.stringify({ ...PODMAN, driver: "bridge" }))[0]).toContain("warning the driver is bridge");
});

test("nesting without end is refused, and __proto__ is a key like any other", () => {
  expect(check("[".repeat(200))[0]).toContain("nested deeper than 100 levels");
  expect(check('{ "name": "n", "type": "x", "__proto__": { "type": "ipvlan" } }')).toEqual([]);
});
