/** Whatever comes in: an answer or a failure with a name, never a mistake of our own, never a hang. */

import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { execute } from "../../src/cni/execute.ts";
import { answerAsIpam } from "../../src/cni/ipam-plugin.ts";
import { parseJson } from "../../src/cni/json.ts";
import { parseResult } from "../../src/cni/result-in.ts";
import { formatResult } from "../../src/cni/result-out.ts";
import { answer } from "../../src/cni/run.ts";
import { parseResolvConf, readResolvConf } from "../../src/ipam/host-local/resolv-conf.ts";
import { del } from "../../src/ipvlan/del.ts";
import { gc } from "../../src/ipvlan/gc.ts";
import { leaveHost } from "../../src/ipvlan/host-access.ts";
import { leavePort } from "../../src/ipvlan/port.ts";
import { allRecords, findLive, readRecord, recordsOf } from "../../src/ipvlan/record.ts";
import { leaveVlan } from "../../src/ipvlan/vlan.ts";
import { createAsPlugin, createNetwork } from "../../src/netavark/create.ts";
import { readStatusBlock, runPlugin } from "../../src/netavark/external.ts";
import { setUpNetworks, tearDownNetworks } from "../../src/netavark/networks.ts";
import { setUpAsPlugin, tearDownAsPlugin } from "../../src/netavark/plugin.ts";
import { expectNamed, jsonWith, mutated, survives, text, torn } from "../support/hostile.ts";
import { inputs } from "../support/inputs.ts";
import { scratch } from "../support/ipam.ts";

const runs = inputs(500);
const directory = scratch();
const run = join(directory.path, "run");
const canary = join(directory.path, "canary");
const before = process.env.IPVLAN_RUN_DIR;

beforeAll(() => {
  process.env.IPVLAN_RUN_DIR = run;
});
beforeEach(() => {
  rmSync(run, { recursive: true, force: true });
  writeFileSync(canary, "{}");
});
afterAll(() => {
  if (before === undefined) delete process.env.IPVLAN_RUN_DIR;
  else process.env.IPVLAN_RUN_DIR = before;
  directory[Symbol.dispose]();
});

// --- the CNI face -------------------------------------------------------------------------------

const COMMANDS = ["ADD", "CHECK", "STATUS", "DEL", "GC"];
const VARIABLES = {
  CNI_CONTAINERID: "c1",
  CNI_NETNS: "/nonexistent",
  CNI_IFNAME: "eth0",
  CNI_PATH: "/nonexistent",
};
const RESULT = {
  cniVersion: "1.1.0",
  interfaces: [{ name: "eth0", mac: "02:00:00:00:00:01", mtu: 1500, sandbox: "/nonexistent" }],
  ips: [{ address: "10.1.0.2/24", gateway: "10.1.0.1", interface: 0 }],
  routes: [{ dst: "0.0.0.0/0", gw: "10.1.0.1", mtu: 1400, priority: 1, table: 2, scope: 3 }],
  dns: { nameservers: ["10.1.0.1"], domain: "a", search: ["b"], options: ["c"] },
};
const CONFIG = {
  cniVersion: "1.1.0",
  name: "net",
  type: "ipvlan",
  master: "eth0",
  mode: "l3s",
  flag: "private",
  mtu: 1400,
  linkInContainer: false,
  vlan: 7,
  announce: 2,
  hostAccess: ["10.1.0.9"],
  metric: 7,
  txQueueLen: 10,
  dad: "off",
  ipam: {
    type: "host-local",
    dataDir: join(directory.path, "leases"),
    resolvConf: "/nonexistent",
    ranges: [[{ subnet: "10.1.0.0/24", rangeStart: "10.1.0.5", exclude: ["10.1.0.7"] }]],
    routes: [{ dst: "0.0.0.0/0", gw: "10.1.0.1" }],
  },
  dns: RESULT.dns,
  prevResult: RESULT,
  runtimeConfig: { ips: ["10.1.0.8"], ipRanges: [[{ subnet: "10.2.0.0/24" }]] },
  args: { cni: { ips: ["10.1.0.9"] } },
  "cni.dev/valid-attachments": [{ containerID: "c1", ifname: "eth0" }],
};
const anything = jsonWith([...Object.keys(CONFIG), ...Object.keys(CONFIG.ipam), ...Object.keys(RESULT)]);
const encoded = new TextEncoder().encode(JSON.stringify(CONFIG));
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value) ?? "");

/** A configuration that is nearly right, in ways that get further than noise does. */
const input = fc.oneof(
  { weight: 4, arbitrary: mutated(CONFIG, anything).map(bytes) },
  { weight: 2, arbitrary: torn(encoded) },
  { weight: 1, arbitrary: anything.map(bytes) },
  { weight: 1, arbitrary: fc.uint8Array() },
);
const verbs = () => ({
  add: async () => parseResult(RESULT, { assume: "1.1.0", name: "result", kind: "ipam" }),
  del: async () => {},
  check: async () => {},
  status: async () => {},
  gc: async () => {},
});

/** Success prints nothing or a result; a failure prints a document whose code does not say that the fault is ours. */
function expectAnswer({ document, status }: { document: string; status: number }): void {
  const said = document === "" ? {} : (JSON.parse(document) as { code?: number; msg?: string });
  if (said.code === 999) throw new Error(`the fault is ours: ${document}`);
  expect(typeof said.code).toBe(status === 0 ? "undefined" : "number");
  expect(typeof said.msg).toBe(status === 0 ? "undefined" : "string");
}

test("any configuration, whatever the verb", async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...COMMANDS), input, async (CNI_COMMAND, stdin) => {
      expectAnswer(await answer({ CNI_COMMAND, ...VARIABLES }, () => stdin, verbs()));
    }),
    inputs(2000),
  );
});

test("any environment", async () => {
  const name = fc.constantFrom(
    ...[...Object.keys(VARIABLES), "CNI_COMMAND", "CNI_ARGS", "CNI_NETNS_OVERRIDE", "IPVLAN_EXTERNAL_IPAM"],
  );
  const command = fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...COMMANDS) },
    { weight: 1, arbitrary: text },
  );
  const pairs = fc.array(fc.tuple(name, text), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(command, pairs, async (CNI_COMMAND, changed) => {
      const variables = { CNI_COMMAND, ...VARIABLES, ...Object.fromEntries(changed) };
      expectAnswer(await answer(variables, () => encoded, verbs()));
    }),
    inputs(1000),
  );
});

test("any prevResult, which prints again when it is accepted", async () => {
  const prevResult = fc.oneof(mutated(RESULT, anything), anything);
  await fc.assert(
    fc.asyncProperty(fc.constantFrom("ADD", "CHECK", "DEL"), prevResult, async (CNI_COMMAND, value) => {
      const stdin = bytes({ ...CONFIG, prevResult: value });
      const echo = {
        ...verbs(),
        add: async (call: { prevResult: unknown }) => {
          const result = call.prevResult as ReturnType<typeof parseResult> | undefined;
          if (result !== undefined) formatResult(result, "1.1.0");
          return verbs().add();
        },
      };
      expectAnswer(await answer({ CNI_COMMAND, ...VARIABLES }, () => stdin, echo));
    }),
    inputs(1000),
  );
});

test("any configuration of the built-in IPAM, for every verb", async () => {
  // A hostile dataDir is an instruction of the administrator's; here it has to stay in the test's directory.
  const ipam = fc.oneof(
    mutated(CONFIG.ipam, anything).map((value) => ({ ...(value as object), dataDir: CONFIG.ipam.dataDir })),
    text.map((name) => ({ ...CONFIG.ipam, dataDir: `${directory.path}/${name.replaceAll(/[./]/g, "_")}` })),
    text.map((resolvConf) => ({ ...CONFIG.ipam, resolvConf })),
    text.map((resolvConf) => ({ ...CONFIG.ipam, resolvConf: `${resolvConf}\0` })),
  );
  const type = fc.constantFrom("host-local" as const, "static" as const);
  await fc.assert(
    fc.asyncProperty(
      type,
      fc.constantFrom(...COMMANDS),
      ipam,
      text,
      async (plugin, CNI_COMMAND, of, args) => {
        const stdin = bytes({ ...CONFIG, runtimeConfig: {}, args: {}, ipam: of });
        expectAnswer(await answerAsIpam(plugin, { CNI_COMMAND, ...VARIABLES, CNI_ARGS: args }, () => stdin));
      },
    ),
    runs,
  );
});

// --- IPAM output --------------------------------------------------------------------------------

test("any output of an IPAM plugin, whatever its exit status", async () => {
  const output = join(directory.path, "output");
  const program = join(directory.path, "printer");
  writeFileSync(program, `#!/bin/sh\nread -r config\ncat '${output}'\nexit "$CNI_ARGS"\n`, { mode: 0o755 });
  const said = fc.oneof(
    fc.oneof(mutated(RESULT, anything), anything).map(bytes),
    mutated({ cniVersion: "1.1.0", code: 7, msg: "m", details: "d" }, anything).map(bytes),
    torn(bytes(RESULT)),
    fc.uint8Array(),
  );
  await fc.assert(
    fc.asyncProperty(said, fc.constantFrom("0", "1", "255"), async (printed, status) => {
      writeFileSync(output, printed);
      await survives(async () => {
        const variables = { PATH: process.env.PATH, CNI_ARGS: status };
        const stdout = await execute(program, "ADD", { stdin: encoded, variables });
        let value: unknown;
        try {
          value = parseJson(stdout);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(SyntaxError);
          return;
        }
        formatResult(parseResult(value, { assume: "1.1.0", name: "result", kind: "ipam" }), "1.1.0");
      });
    }),
    inputs(150),
  );
});

// --- netavark's face ----------------------------------------------------------------------------

const NETWORK = {
  name: "net",
  id: "0".repeat(64),
  driver: "ipvlan",
  internal: false,
  dns_enabled: false,
  network_interface: "nonexistent0",
  options: { mode: "l2", flag: "bridge", mtu: "1400", metric: "7", no_default_route: "true" },
  ipam_options: { driver: "host-local" },
  subnets: [
    {
      subnet: "10.1.0.0/24",
      gateway: "10.1.0.1",
      lease_range: { start_ip: "10.1.0.5", end_ip: "10.1.0.9" },
    },
  ],
  routes: [{ destination: "10.9.0.0/16", gateway: "10.1.0.1", metric: 5, route_type: "unicast" }],
  network_dns_servers: [],
};
const OPTIONS = { name: "net", interface_name: "eth0", static_ips: ["10.1.0.2"], options: { mode: "l2" } };
const SETUP = {
  container_id: "c1",
  container_name: "c",
  networks: { net: OPTIONS },
  network_info: { net: NETWORK },
};
const AS_PLUGIN = { container_id: "c1", network: NETWORK, network_options: OPTIONS };
const netavarkValue = jsonWith([
  ...Object.keys(NETWORK),
  ...Object.keys(OPTIONS),
  ...Object.keys(SETUP),
  ...Object.keys(NETWORK.subnets[0]!),
  ...Object.keys(NETWORK.routes[0]!),
]);

test("any input of Podman's and netavark's", async () => {
  const nearly = (value: unknown) => fc.oneof(mutated(value, netavarkValue), netavarkValue);
  const object = (value: unknown) =>
    (typeof value === "object" && value !== null && !Array.isArray(value) ? value : {}) as Record<
      string,
      unknown
    >;
  const nowhere = "/nonexistent";
  const print = () => {};
  await fc.assert(
    fc.asyncProperty(nearly(SETUP), nearly(AS_PLUGIN), nearly(NETWORK), async (setup, plugin, network) => {
      await survives(() => setUpNetworks("/proc/self/ns/mnt", [nowhere], () => object(setup), print));
      await survives(() => tearDownNetworks(nowhere, [nowhere], object(setup)));
      await survives(() => setUpAsPlugin(nowhere, object(plugin), print));
      await survives(() => tearDownAsPlugin(nowhere, object(plugin)));
      await survives(() => createAsPlugin(object(network)));
      await survives(() => createNetwork({ network, used: setup }, [nowhere]));
    }),
    runs,
  );
});

test("two networks of netavark that are both wrong fail by the kind of the first", async () => {
  const input = { ...SETUP, networks: { static_ips: {}, name: {} } };
  const failure = await tearDownNetworks("/nonexistent", ["/nonexistent"], input).catch((thrown) => thrown);
  expectNamed(failure);
  expect(failure.message).toStartWith("netavark encountered multiple errors:\n\t- ");
});

test("any output of a netavark plugin, whatever its exit status", async () => {
  const output = join(directory.path, "output");
  const path = join(directory.path, "netavark-printer");
  writeFileSync(path, `#!/bin/sh\nread -r input\ncat '${output}'\nexit "$1"\n`, { mode: 0o755 });
  const said = fc.oneof(
    fc.constantFrom(null, [], 5, "").map(bytes),
    netavarkValue.map(bytes),
    fc.uint8Array(),
  );
  await fc.assert(
    fc.asyncProperty(said, fc.constantFrom("0", "1"), async (printed, status) => {
      writeFileSync(output, printed);
      const command = [status, "netns"] as unknown as ["setup", string];
      const plugin = { name: "printer", path };
      await survives(() => readStatusBlock(plugin, runPlugin(plugin, command, {})));
    }),
    inputs(50),
  );
});

// --- files --------------------------------------------------------------------------------------

test("any lease, cursor and index", async () => {
  const names = ["10.1.0.5", "10.1.0.6", "10.1.0.2", "last_reserved_ip.0", ".ipvlan.new", "fd00::1", "note"];
  const content = fc.oneof(
    text.map((said) => new TextEncoder().encode(said)),
    fc.constantFrom("c1\r\neth0", "c1", "c2\r\neth0", "10.1.0.200", "").map((said) => Buffer.from(said)),
    fc.uint8Array(),
  );
  const files = fc.array(fc.tuple(fc.constantFrom(...names), content), { maxLength: 5 });
  const page = fc.array(fc.tuple(fc.nat({ max: 5 * 4096 }), fc.nat({ max: 255 })), { maxLength: 40 });
  const leases = join(directory.path, "leases");
  const ipam = { ...CONFIG.ipam, resolvConf: undefined };
  const stdin = bytes({ ...CONFIG, runtimeConfig: {}, args: {}, ipam });
  await fc.assert(
    fc.asyncProperty(
      files,
      fc.array(fc.constantFrom(...COMMANDS)),
      page,
      async (written, commands, noise) => {
        rmSync(leases, { recursive: true, force: true });
        mkdirSync(join(leases, "net"), { recursive: true });
        for (const [name, said] of written) writeFileSync(join(leases, "net", name), said);
        const call = (CNI_COMMAND: string) =>
          answerAsIpam("host-local", { CNI_COMMAND, ...VARIABLES }, () => stdin);
        for (const CNI_COMMAND of commands) expectAnswer(await call(CNI_COMMAND));
        // The index counts now; what is in it need not be what was put there.
        scribble(join(leases, ".ipvlan", "net"), noise);
        for (const CNI_COMMAND of COMMANDS) expectAnswer(await call(CNI_COMMAND));
      },
    ),
    inputs(200),
  );
});

function scribble(path: string, noise: [number, number][]): void {
  if (!existsSync(path)) return;
  const data = readFileSync(path);
  for (const [at, byte] of noise) if (at < data.length) data[at] = byte;
  writeFileSync(path, data);
}

test("any resolv.conf", async () => {
  const path = join(directory.path, "resolv.conf");
  const line = fc
    .tuple(fc.constantFrom("nameserver", "search", "domain", "options", "#", ""), text)
    .map(([keyword, value]) => `${keyword} ${value}`);
  const content = fc.oneof(
    fc.array(line).map((lines) => Buffer.from(lines.join("\n"))),
    fc.uint8Array({ maxLength: 300 }),
  );
  await fc.assert(
    fc.asyncProperty(content, async (said) => {
      writeFileSync(path, said);
      const dns = readResolvConf(path);
      expect(dns).toEqual(parseResolvConf(new TextDecoder("utf-8", { ignoreBOM: true }).decode(said)));
      for (const list of [dns.nameservers, dns.search, dns.options])
        for (const word of list ?? []) expect(word).not.toMatch(/\s/);
    }),
    runs,
  );
});

const RECORD = {
  network: "net",
  containerId: "c1",
  ifName: "eth0",
  netns: "/nonexistent",
  namespace: "0:4:1",
  master: "eth0",
  port: "0-4-1-2",
  vlan: "0-4-1-2.7",
  mode: "l2",
  flag: "bridge",
  host: { name: "ivhaabbccddeeff", containers: ["10.1.0.2", "fd00::2"] },
  gone: false,
};
const WITNESS = { netns: "/nonexistent", namespace: "0:4:1", ifName: "eth0" };
/** No machine that runs this has a link of such an index. */
const VLAN = { base: 2 ** 30, id: 7 };
const HOST = { addresses: ["10.1.0.9"], leased: true };

test("any record, and any state of ports, VLANs and the host: nothing outside of the run directory is touched", async () => {
  const value = jsonWith([...Object.keys(RECORD), ...Object.keys(RECORD.host), ...Object.keys(VLAN)]);
  const some = (right: unknown) =>
    fc.oneof(mutated(right, value).map(bytes), torn(bytes(right)), value.map(bytes), fc.uint8Array());
  const led = fc
    .tuple(
      fc.constantFrom("port", "vlan", "network", "containerId", "ifName"),
      fc.constantFrom("../../canary", "../canary", ".."),
    )
    .map(([key, path]) => bytes({ ...RECORD, [key]: path }));
  const identity = { network: "net", containerId: "c1", ifName: "eth0" };
  const attachment = { containerId: "c1", ifName: "eth0", netns: "" };
  const endpoint = {
    master: "eth0",
    mode: "l2" as const,
    flag: "bridge" as const,
    mtu: undefined,
    linkInContainer: false,
  };
  const files = fc.record({
    "net,c1,eth0": fc.oneof(some(RECORD), led),
    "net,c2,eth0": some({ ...RECORD, containerId: "c2" }),
    [`ports/${RECORD.port}`]: some(WITNESS),
    [`vlans/${RECORD.vlan}`]: some(VLAN).filter(
      (said) => !/"base":\d{1,6}\b/.test(Buffer.from(said).toString()),
    ),
    [`hosts/${RECORD.host.name}`]: some(HOST),
  });
  await fc.assert(
    fc.asyncProperty(files, async (written) => {
      for (const [name, said] of Object.entries(written)) {
        mkdirSync(dirname(join(run, name)), { recursive: true });
        writeFileSync(join(run, name), said as Uint8Array);
      }
      const call = { network: "net", attachment, endpoint, ipam: undefined, prevResult: undefined };
      for (const read of [
        allRecords,
        () => findLive(() => undefined),
        () => recordsOf("net"),
        () => readRecord(identity),
      ])
        await survives(read);
      await survives(() => leaveHost(RECORD, undefined));
      await survives(() => leaveVlan(RECORD.vlan));
      await survives(() => leavePort(RECORD));
      await survives(() => del({ ...call, validAttachments: undefined }));
      await survives(() => gc({ ...call, validAttachments: [] }));
      expect(existsSync(canary)).toBe(true);
      expect(readdirSync(directory.path)).toContain("run");
    }),
    inputs(500),
  );
});

test("the judge of these tests knows a mistake of our own when it sees one", () => {
  for (const mistake of [new TypeError("x"), new RangeError("x"), "x", undefined])
    expect(() => expectNamed(mistake)).toThrow("not a named failure");
});
