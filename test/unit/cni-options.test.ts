import { afterEach, describe, expect, test } from "bun:test";
import { decodeConfig, networkConfig } from "../../src/cni/config.ts";
import { ipamFor } from "../../src/cni/ipam.ts";
import { setDebug } from "../../src/debug.ts";

function configOf(fields: object) {
  const text = JSON.stringify({ cniVersion: "1.1.0", name: "net", type: "ipvlan", ipam: {}, ...fields });
  return networkConfig(decodeConfig(Buffer.from(text)), "1.1.0", "ADD");
}

describe("a master selected by expression", () => {
  test.each([
    "^eth[0-9]+$",
    "^(eth|ens)0$",
    "wlan.*",
    "^en(p[0-9]s0)?$",
    "^a{2}\\(b\\)*$",
    "^(en)[0-9]*\\.+$",
    "[(*+]*",
  ])("may be %s", (match) => {
    expect(configOf({ master: { match } }).endpoint.options?.masters).toEqual([
      { pattern: new RegExp(match, "u") },
    ]);
  });

  test.each(["^((((((a|a)*)*)*)*)*)*$", "(a+)+", "(?:x|y){2,}", ".*.*.*.*.*", "(", "[z-a]"])(
    "may not be %s, which is none, or could take for ever",
    (match) => {
      expect(() => configOf({ master: { match } })).toThrow(
        `invalid master[0].match ${JSON.stringify(match)}: must be a regular expression that repeats no group`,
      );
    },
  );
});

describe("a master selected by what it is", () => {
  const masters = (master: unknown) => configOf({ master }).endpoint.options?.masters;

  test("one way or several at once, one selector or several in turn", () => {
    const prefix = { family: 4 as const, value: 0xc0000200n, length: 24 };
    expect(masters({ prefix: "192.0.2.0/24" })).toEqual([{ prefix }]);
    expect(masters(["eth0", { Name: "eth1", MAC: "02:00:00:00:00:AB", match: null }])).toEqual([
      { name: "eth0" },
      { name: "eth1", mac: "02:00:00:00:00:ab" },
    ]);
  });

  test.each([
    [{ prefix: "192.0.2.0" }, 'master[0].prefix "192.0.2.0": must be a prefix such as 192.0.2.0/24'],
    [{ prefix: 7 }, "master[0].prefix 7: must be a string"],
    [{ mac: "02-00-00-00-00-01" }, "must be a MAC address such as 02:00:00:00:00:01"],
    [{ mac: "02:00:00:00:00:01:02" }, "must be a MAC address such as 02:00:00:00:00:01"],
    [{ name: "" }, 'master[0].name "": must be the name of an interface'],
    [["eth0", ""], 'master[1] "": must be the name of an interface'],
    [{}, "must have name, mac, prefix or match"],
    [{ name: null, prefix: null }, "must have name, mac, prefix or match"],
    [[], "must name at least one interface"],
  ])("%j is refused: %s", (master, sentence) => {
    expect(() => masters(master)).toThrow(sentence);
  });
});

test.each([
  [{ allowPortChange: "yes" }, 'allowPortChange "yes": must be true or false'],
  [{ allowMasterDown: 1 }, "allowMasterDown 1: must be true or false"],
  [{ announce: 11 }, "announce 11: must be from 0 to 10"],
  [{ announce: "1" }, 'announce "1": must be an integer'],
  [{ dad: "on" }, 'dad "on": must be "wait", "optimistic" or "off"'],
  [{ acceptRA: "1" }, 'acceptRA "1": must be true or false'],
  [{ conflictProbe: 0 }, "conflictProbe 0: must be true or false"],
  [{ metric: -1 }, "metric -1: must be from 0 to 4294967295"],
  [{ metric: 1.5 }, "metric 1.5: must be an integer"],
  [{ defaultRoute: "no" }, 'defaultRoute "no": must be true or false'],
  [{ vlan: 0 }, "vlan 0: must be from 1 to 4094"],
  [{ vlan: 4095 }, "vlan 4095: must be from 1 to 4094"],
  [{ txQueueLen: 2 ** 32 }, "txQueueLen 4294967296: must be from 0 to 4294967295"],
  [{ hostAccess: "yes" }, 'hostAccess "yes": must be true, false or a list of IP addresses'],
  [
    { hostAccess: ["192.0.2.1/24"] },
    'hostAccess[0] "192.0.2.1/24": must be an IP address without a prefix length',
  ],
])("%j is refused by name, with what would do", (fields, sentence) => {
  expect(() => configOf(fields)).toThrow(new Error(`invalid ${sentence}`));
});

describe("the debug log says where addresses come from", () => {
  afterEach(() => setDebug(undefined));

  test.each([
    [{ type: "host-local", subnet: "10.0.0.0/24" }, {}, "inside this process"],
    [{ type: "static" }, {}, "inside this process"],
    [{ type: "host-local", external: true }, {}, "as a program of CNI_PATH"],
    [{ type: "static" }, { IPVLAN_EXTERNAL_IPAM: "1" }, "as a program of CNI_PATH"],
    [{ type: "other" }, {}, "as a program of CNI_PATH"],
  ])("%j with %j: %s", (ipam, variables, runs) => {
    const steps: [string, object | undefined][] = [];
    setDebug({ step: (what, facts) => void steps.push([what, facts]), netlink: () => {} });
    const environment = {
      command: "DEL",
      containerId: "c1",
      netns: "",
      ifName: "eth0",
      args: "",
      path: "/nonexistent",
      mayBeOwnNamespace: false,
    };
    ipamFor(configOf({ ipam }), environment, variables);
    expect(steps).toEqual([["IPAM is chosen", { type: ipam.type, runs }]]);
  });
});
