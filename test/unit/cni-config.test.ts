import { describe, expect, test } from "bun:test";
import { decodeConfig, decodeVersion, networkConfig } from "../../src/cni/config.ts";
import type { Command } from "../../src/cni/gate.ts";
import { DEPTH_LIMIT } from "../../src/cni/json.ts";
import type { CniVersion } from "../../src/cni/version.ts";
import { failureOf } from "../support/failure.ts";

const COMMANDS: Command[] = ["ADD", "CHECK", "STATUS", "DEL", "GC"];
const IPAM = { type: "host-local" };
const PREVIOUS = {
  cniVersion: "1.1.0",
  interfaces: [{ name: "eth7", mac: "02:00:00:00:00:01" }],
  ips: [{ address: "10.0.0.2/24", interface: 0 }],
};

const decode = (text: string) => decodeConfig(Buffer.from(text));

/** The configuration of a text or of fields added to a minimal one. */
function config(fields: object | string, command: Command = "ADD", version: CniVersion = "1.1.0") {
  const text =
    typeof fields === "string" ? fields : JSON.stringify({ name: "net", type: "ipvlan", ...fields });
  return networkConfig(decode(text), version, command);
}

/** The valid rest of a configuration of that verb. */
function valid(command: Command): object {
  return command === "CHECK" ? { ipam: IPAM, prevResult: PREVIOUS } : { ipam: IPAM };
}

const refusal = (work: () => unknown) => {
  const { kind, message } = failureOf(work);
  return [kind, message];
};

describe("decoding", () => {
  test("nothing but white space is the end of input", () => {
    for (const text of ["", " \n\t\r"])
      expect(refusal(() => decode(text))).toEqual([
        "decode",
        "error unmarshall network config: unexpected end of JSON input",
      ]);
  });

  test("what is no JSON object cannot be decoded", () => {
    for (const text of ["{", '{"name":}', "{} {}", '{"name":"a",}', "\ufeff{}", "'a'", '{"name":"a"}x']) {
      const [kind, message] = refusal(() => decode(text));
      expect([text, kind]).toEqual([text, "decode"]);
      expect(message).toStartWith("error unmarshall network config: ");
    }
    for (const text of ["[]", "1", '"a"', "true"])
      expect(refusal(() => decode(text))).toEqual([
        "decode",
        `error unmarshall network config: must be an object, not ${text}`,
      ]);
  });

  test("nesting is limited, inside strings it is none", () => {
    const nested = (depth: number) => `{"name":"n","x":${"[".repeat(depth)}${"]".repeat(depth)}}`;
    expect(decode(nested(DEPTH_LIMIT - 1)).name).toBe("n");
    for (const text of [nested(DEPTH_LIMIT), nested(500_000), "[".repeat(1_000_000), '{"a":'.repeat(101)])
      expect(refusal(() => decode(text))).toEqual([
        "decode",
        "error unmarshall network config: nested deeper than 100 levels",
      ]);
    expect(decode(`{"name":"n","x":"\\"${"[{".repeat(1000)}\\\\"}`).name).toBe("n");
  });

  test("the network needs a name", () => {
    for (const text of ["{}", '{"name":""}', '{"name":null}', "null"])
      expect(refusal(() => decode(text))).toEqual(["config", "missing network name"]);
  });

  test("a name is an identifier", () => {
    for (const name of ["a/b", "..", "-a", "a b", "a\n", "ä"]) {
      const failure = failureOf(() => decode(JSON.stringify({ name })));
      expect([failure.kind, failure.message, failure.details]).toEqual([
        "config",
        "invalid characters found in network name",
        name,
      ]);
    }
  });

  test("a name is a string", () => {
    expect(refusal(() => decode('{"name":[1]}'))).toEqual([
      "decode",
      "error unmarshall network config: name must be a string, not [1]",
    ]);
  });

  test("a version is a string, and 0.1.0 when there is none", () => {
    for (const text of ['{"name":"n"}', '{"name":"n","cniVersion":""}', '{"name":"n","cniVersion":null}'])
      expect(decodeVersion(decode(text))).toBe("0.1.0");
    expect(decodeVersion(decode('{"name":"n","CNIVERSION":"1.0.0"}'))).toBe("1.0.0");
    expect(refusal(() => decodeVersion(decode('{"name":"n","cniVersion":1.1}')))).toEqual([
      "decode",
      "decoding version from network config: cniVersion must be a string, not 1.1",
    ]);
  });

  test("the bytes are kept as they came", () => {
    const bytes = Buffer.from('{ "name" : "n", "x": 1.50 }\n');
    expect(decodeConfig(bytes).bytes).toBe(bytes);
  });
});

describe("JSON as Go reads it", () => {
  test("keys match in any case", () => {
    const { endpoint } = config(
      '{"NAME":"n","Master":"eth0","MODE":"l3","Mtu":1400,"LINKinCONTAINER":true,"FLAG":"vepa","IPAM":{"Type":"x"}}',
    );
    expect(endpoint).toEqual({ master: "eth0", mode: "l3", mtu: 1400, linkInContainer: true, flag: "vepa" });
  });

  test("the last of duplicate keys counts", () => {
    const of = (text: string) => config(`{"name":"n","ipam":{"type":"x"},${text}}`).endpoint.master;
    expect(of('"master":"a","master":"b"')).toBe("b");
    expect(of('"master":"a","Master":"b"')).toBe("b");
    expect(of('"Master":"b","master":"a"')).toBe("a");
  });

  test("null is absent", () => {
    const { endpoint, prevResult, dns } = config({
      master: null,
      mode: null,
      mtu: null,
      flag: null,
      linkInContainer: null,
      dns: null,
      prevResult: null,
      runtimeConfig: null,
      args: null,
      ipam: IPAM,
    });
    expect(endpoint).toEqual({
      master: undefined,
      mode: "l2",
      mtu: undefined,
      flag: "bridge",
      linkInContainer: false,
    });
    expect([prevResult, dns]).toEqual([undefined, {}]);
  });

  test("unknown keys are ignored, __proto__ and constructor among them", () => {
    const text =
      '{"name":"n","ipam":{"type":"x","__proto__":{"type":"y"}},"__proto__":{"master":"evil","mode":"l3"},' +
      '"constructor":{"prototype":{"mode":"l3"}},"toString":1,"ipMasq":true}';
    const { endpoint, ipam } = config(text);
    expect(endpoint.master).toBeUndefined();
    expect(endpoint.mode).toBe("l2");
    expect(ipam?.type).toBe("x");
    expect(({} as Record<string, unknown>).master).toBeUndefined();
  });

  test("lone surrogates and a megabyte of text do no harm", () => {
    expect(failureOf(() => config({ ipam: IPAM, mode: "\ud800" })).kind).toBe("config");
    expect(failureOf(() => config({ ipam: IPAM, mode: "x".repeat(1 << 20) })).message.length).toBeLessThan(
      200,
    );
    expect(config({ ipam: IPAM, args: { a: "\udfff", b: "x".repeat(1 << 20) } }).name).toBe("net");
  });

  test("an array is no object", () => {
    for (const key of ["ipam", "dns", "prevResult", "runtimeConfig"])
      expect(refusal(() => config({ ipam: IPAM, [key]: [] }))).toEqual([
        "config",
        `invalid ${key} []: must be an object`,
      ]);
  });
});

/** Wrong values of what describes the endpoint, with their messages. */
const WRONG_ENDPOINT: [fields: object, message: string][] = [
  [{ mode: "l9" }, 'invalid mode "l9": must be "l2", "l3" or "l3s"'],
  [{ mode: "L2" }, 'invalid mode "L2": must be "l2", "l3" or "l3s"'],
  [{ mode: 2 }, 'invalid mode 2: must be "l2", "l3" or "l3s"'],
  [{ flag: "none" }, 'invalid flag "none": must be "bridge", "private" or "vepa"'],
  [{ mtu: "1500" }, 'invalid mtu "1500": must be an integer'],
  [{ mtu: 1500.5 }, "invalid mtu 1500.5: must be an integer"],
  [{ mtu: -1 }, "invalid mtu -1: must be from 68 to 65535"],
  [{ mtu: 67 }, "invalid mtu 67: must be from 68 to 65535"],
  [{ mtu: 65536 }, "invalid mtu 65536: must be from 68 to 65535"],
  [{ master: 1 }, "invalid master 1: must be a string"],
  [{ master: "../x" }, 'invalid master "../x": must be the name of an interface'],
  [{ master: ".." }, 'invalid master "..": must be the name of an interface'],
  [{ master: "." }, 'invalid master ".": must be the name of an interface'],
  [{ master: "a\0" }, 'invalid master "a\\u0000": must be the name of an interface'],
  [{ master: "x".repeat(128) }, `invalid master "${"x".repeat(96)}...: must be the name of an interface`],
  [{ linkInContainer: 1 }, "invalid linkInContainer 1: must be true or false"],
  [{ linkInContainer: "true" }, 'invalid linkInContainer "true": must be true or false'],
  [{ ipam: "x" }, 'invalid ipam "x": must be an object'],
  [{ ipam: { type: 1 } }, "invalid ipam.type 1: must be a string"],
  [{ ipam: { type: "a/b" } }, 'invalid ipam.type "a/b": must be the name of a file in CNI_PATH'],
  [{ ipam: { type: ".." } }, 'invalid ipam.type "..": must be the name of a file in CNI_PATH'],
  [{ ipam: { type: "ipvlan" } }, 'invalid ipam.type "ipvlan": must be an IPAM plugin, not this one'],
];

const WRONG_PREVIOUS: [fields: object, message: string][] = [
  [{ prevResult: "x" }, 'invalid prevResult "x": must be an object'],
  [{ prevResult: { cniVersion: "7.0.0" } }, 'unsupported CNI result version "7.0.0"'],
  [
    { prevResult: { ips: [{ address: "10.0.0.1" }] } },
    'invalid prevResult.ips[0].address "10.0.0.1": must be an address with a prefix length, such as "10.1.2.3/24"',
  ],
];

const WRONG_RESULT: [fields: object, message: string][] = [
  [{ dns: { nameservers: "1.1.1.1" } }, 'invalid dns.nameservers "1.1.1.1": must be an array of strings'],
  [{ dns: { search: [1] } }, "invalid dns.search[0] 1: must be a string"],
  [{ runtimeConfig: 1 }, "invalid runtimeConfig 1: must be an object"],
];

describe("what is strict for which verb", () => {
  const table: [rows: typeof WRONG_ENDPOINT, strict: Command[]][] = [
    [WRONG_ENDPOINT, ["ADD", "CHECK", "STATUS"]],
    [WRONG_PREVIOUS, ["ADD", "CHECK"]],
    [WRONG_RESULT, ["ADD", "STATUS"]],
  ];
  for (const [rows, strict] of table)
    for (const [fields, message] of rows)
      for (const command of COMMANDS) {
        const [name] = Object.keys(fields);
        const refuses = strict.includes(command);
        test(`${command} ${refuses ? "refuses" : "goes on without"} ${name}: ${message}`, () => {
          const work = () => config({ ...valid(command), ...fields }, command);
          if (!refuses) expect(work().name).toBe("net");
          else expect(refusal(work)).toEqual([command === "STATUS" ? "unavailable" : "config", message]);
        });
      }

  test("DEL and GC take what is right beside what is wrong", () => {
    for (const command of ["DEL", "GC"] as const) {
      const { endpoint, ipam } = config(
        { master: "eth0", mode: "l9", mtu: {}, flag: 1, linkInContainer: true, ipam: IPAM, dns: 1 },
        command,
      );
      expect(endpoint).toEqual({
        master: "eth0",
        mode: "l2",
        mtu: undefined,
        flag: "bridge",
        linkInContainer: true,
      });
      expect(ipam?.type).toBe("host-local");
    }
  });
});

describe("the endpoint", () => {
  test("has defaults", () => {
    for (const fields of [{}, { master: "", mode: "", flag: "", mtu: 0, linkInContainer: false }])
      expect(config({ ipam: IPAM, ...fields }).endpoint).toEqual({
        master: undefined,
        mode: "l2",
        flag: "bridge",
        mtu: undefined,
        linkInContainer: false,
      });
  });

  test("takes every mode, flag and MTU there is", () => {
    for (const mode of ["l2", "l3", "l3s"] as const)
      expect(config({ ipam: IPAM, mode }).endpoint.mode).toBe(mode);
    for (const flag of ["bridge", "private", "vepa"] as const)
      expect(config({ ipam: IPAM, flag }).endpoint.flag).toBe(flag);
    for (const mtu of [68, 1500, 65535]) expect(config({ ipam: IPAM, mtu }).endpoint.mtu).toBe(mtu);
    expect(config({ ipam: IPAM, master: "x".repeat(127) }).endpoint.master).toBe("x".repeat(127));
  });

  test("a wrong MTU comes with a remedy", () => {
    expect(failureOf(() => config({ ipam: IPAM, mtu: 1 })).remedy).toBe(
      "leave mtu out to use the master's, at most that is possible",
    );
  });
});

describe("the master of a chain", () => {
  const chain = (...names: string[]) => ({
    prevResult: { ...PREVIOUS, interfaces: names.map((name) => ({ name })) },
  });
  const TEXT = "chained master failure. PrevResult lacks a single named interface";

  test("is the one interface with a name", () => {
    expect(config(chain("eth7")).endpoint.master).toBe("eth7");
    expect(config(chain("", "eth7")).endpoint.master).toBe("eth7");
  });

  test("is not looked for when master says it", () => {
    expect(config({ ...chain("a", "b"), master: "eth0" }).endpoint.master).toBe("eth0");
  });

  test("cannot be none or one of several", () => {
    const details = (fields: object) => {
      const failure = failureOf(() => config(fields));
      expect([failure.kind, failure.message]).toEqual(["config", TEXT]);
      expect(failure.remedy).toBe("set master to the name of the interface to use");
      return failure.details;
    };
    expect(details(chain())).toBe("master is not set and prevResult.interfaces has none");
    expect(details(chain("a", "b"))).toBe("master is not set and prevResult.interfaces has a, b");
  });

  test("is nobody's matter after ADD", () => {
    for (const command of ["CHECK", "DEL"] as const)
      for (const fields of [chain(), chain("eth7"), chain("a", "b")])
        expect(config({ ipam: IPAM, ...fields }, command).endpoint.master).toBeUndefined();
  });
});

describe("addresses", () => {
  test("of nobody are refused, and the message says what to write", () => {
    for (const fields of [{}, { ipam: null }, { prevResult: { interfaces: [{ name: "a" }] } }])
      expect(refusal(() => config(fields))).toEqual([
        "config",
        'ipam is missing and prevResult brings no addresses: set ipam.type, or "ipam": {} for an L2-only endpoint',
      ]);
  });

  test("are not missed by the other verbs", () => {
    for (const command of ["DEL", "STATUS", "GC"] as const) expect(config({}, command).ipam).toBeUndefined();
    expect(config({ prevResult: {} }, "CHECK").ipam).toBeUndefined();
  });

  test("can be prevResult's", () => {
    for (const fields of [{}, { ipam: {} }, { ipam: { type: "" } }]) {
      const { ipam, prevResult } = config({ ...fields, prevResult: PREVIOUS });
      expect(ipam).toBeUndefined();
      expect(prevResult?.ips).toHaveLength(1);
    }
  });

  test('are none for "ipam": {}, which is an L2-only endpoint', () => {
    for (const ipam of [{}, { type: "" }, { type: null }])
      expect(config({ ipam }, "ADD", "0.3.0").ipam).toBeUndefined();
  });

  test("are needed before 0.3.0, whose results can be without them", () => {
    for (const version of ["0.1.0", "0.2.0"] as const) {
      expect(failureOf(() => config({ ipam: {} }, "ADD", version))).toMatchObject({
        kind: "config",
        message: `invalid cniVersion "${version}": its results cannot be without an address`,
        remedy: "set ipam.type, or for an L2-only endpoint cniVersion 0.3.0 or newer",
      });
      expect(config({ ipam: IPAM }, "ADD", version).ipam?.type).toBe("host-local");
      expect(config({ ipam: {} }, "DEL", version).ipam).toBeUndefined();
    }
  });

  test("IPAM's section is kept, keys in lower case, deeper levels untouched", () => {
    const { ipam } = config({ ipam: { type: "host-local", rangeStart: "a", Routes: [{ Dst: "b" }] } });
    expect({ ...ipam?.fields }).toEqual({ type: "host-local", rangestart: "a", routes: [{ Dst: "b" }] });
  });

  test("runtimeConfig and args are kept", () => {
    const { runtimeConfig, args } = config({
      ipam: IPAM,
      runtimeConfig: { ipRanges: [[]] },
      args: { cni: { ips: [] } },
    });
    expect([{ ...runtimeConfig }, { ...args }]).toEqual([{ ipranges: [[]] }, { cni: { ips: [] } }]);
  });
});

describe("the mac capability", () => {
  test("is refused with key and value: an ipvlan link has its master's MAC", () => {
    const message = 'unsupported runtimeConfig.mac "02:00:00:00:00:01": an ipvlan link has its master\'s MAC';
    const fields = { ipam: IPAM, runtimeConfig: { mac: "02:00:00:00:00:01" } };
    expect(refusal(() => config(fields))).toEqual(["unsupported", message]);
    expect(refusal(() => config(fields, "STATUS"))).toEqual(["unavailable", message]);
    for (const command of ["ADD", "STATUS"] as const)
      expect(failureOf(() => config(fields, command)).remedy).toBe(
        'remove "mac" from capabilities, or use macvlan',
      );
    expect(config({ ...fields, prevResult: PREVIOUS }, "CHECK").name).toBe("net");
    expect(config(fields, "DEL").name).toBe("net");
  });

  test("is not missed when it says nothing", () => {
    for (const mac of [null, ""]) expect(config({ ipam: IPAM, runtimeConfig: { mac } }).name).toBe("net");
  });
});

describe("prevResult", () => {
  test("is read by ADD and CHECK only", () => {
    for (const command of COMMANDS)
      expect([command, config({ ipam: IPAM, prevResult: PREVIOUS }, command).prevResult?.ips.length]).toEqual(
        [command, ["ADD", "CHECK"].includes(command) ? 1 : undefined],
      );
  });

  test("may be of any version, whatever the configuration's", () => {
    const old = { cniVersion: "0.2.0", ip4: { ip: "10.0.0.2/24" } };
    for (const version of ["0.4.0", "1.1.0"] as const)
      expect(config({ master: "a", prevResult: old }, "ADD", version).prevResult?.ips).toHaveLength(1);
  });

  test("without a version, or an empty one, is of the configuration's", () => {
    const old = { ip4: { ip: "10.0.0.2/24" } };
    for (const cniVersion of [undefined, "", null])
      expect(
        config({ master: "a", prevResult: { cniVersion, ...old } }, "ADD", "0.2.0").prevResult?.ips,
      ).toHaveLength(1);
    expect(refusal(() => config({ master: "a", prevResult: old }, "ADD", "1.0.0"))[0]).toBe("config");
  });

  test("is what CHECK cannot do without", () => {
    for (const prevResult of [undefined, null])
      expect(failureOf(() => config({ ipam: IPAM, prevResult }, "CHECK"))).toMatchObject({
        kind: "config",
        message: "Required prevResult missing",
        remedy: "CHECK needs the result of the ADD in prevResult",
      });
    expect(config({ ipam: IPAM, prevResult: {} }, "CHECK").prevResult).toBeDefined();
  });
});

describe("valid attachments", () => {
  const KEY = "cni.dev/valid-attachments";
  const OLD = "cni.dev/attachments";
  const entry = (containerID: string) => ({ containerID, ifname: "eth0" });
  const gc = (fields: object) => config({ ipam: IPAM, ...fields }, "GC").validAttachments;

  test("are read", () => {
    expect(gc({ [KEY]: [entry("a"), entry("b")] })).toEqual([
      { containerId: "a", ifName: "eth0" },
      { containerId: "b", ifName: "eth0" },
    ]);
    expect(gc({ [KEY]: [{ CONTAINERid: "a", IFNAME: "x", more: 1 }] })).toEqual([
      { containerId: "a", ifName: "x" },
    ]);
  });

  test("may have their old name, which loses", () => {
    expect(gc({ [OLD]: [entry("a")] })).toHaveLength(1);
    expect(gc({ [KEY]: null, [OLD]: [entry("a")] })).toHaveLength(1);
    expect(gc({ [KEY]: [], [OLD]: [entry("a")] })).toEqual([]);
  });

  test("absent is not the same as none", () => {
    for (const fields of [{}, { [KEY]: null }, { [KEY]: null, [OLD]: null }])
      expect(gc(fields)).toBeUndefined();
    expect(gc({ [KEY]: [] })).toEqual([]);
  });

  test("misread could free what is in use, so GC is strict with them", () => {
    const cases: [unknown, string][] = [
      [{}, `invalid ${KEY} {}: must be an array`],
      ["", `invalid ${KEY} "": must be an array`],
      [["a"], `invalid ${KEY}[0] "a": must be an object`],
      [[entry("a"), { containerID: "b" }], `invalid ${KEY}[1].ifname (missing): must be set`],
      [[{ containerID: 1, ifname: "a" }], `invalid ${KEY}[0].containerID 1: must be a string`],
    ];
    for (const [value, message] of cases)
      expect(refusal(() => gc({ [KEY]: value }))).toEqual(["config", message]);
  });

  test("are nobody else's", () => {
    for (const command of COMMANDS)
      if (command !== "GC")
        expect(config({ ...valid(command), [KEY]: {} }, command).validAttachments).toBeUndefined();
  });
});
