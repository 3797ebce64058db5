import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { answer } from "../../src/cni/run.ts";
import { Failure } from "../../src/error.ts";
import type { Call, Verbs } from "../../src/ipvlan/call.ts";
import { pipe } from "../../src/linux/libc.ts";
import { writeAll } from "../../src/linux/stdio.ts";
import { parsePrefix } from "../../src/net/ip.ts";
import { emptyResult, type Result } from "../../src/net/result.ts";

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "cni-run-"));
  writeFileSync(join(directory, "host-local"), "#!/bin/sh\necho '{}'\n");
  chmodSync(join(directory, "host-local"), 0o755);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const RESULT: Result = {
  ...emptyResult(),
  ips: [{ address: parsePrefix("10.0.0.2/24")!, interface: 0 }],
  dns: { domain: "from.ipam" },
};

/** Verbs that note what they are called with. */
function recorder(change: Partial<Verbs> = {}) {
  const calls: [string, Call][] = [];
  const note = (name: string) => async (call: Call) => void calls.push([name, call]);
  const verbs: Verbs = {
    add: async (call) => {
      calls.push(["add", call]);
      return RESULT;
    },
    del: note("del"),
    check: note("check"),
    status: note("status"),
    gc: note("gc"),
    ...change,
  };
  return { calls, verbs };
}

const CONFIG = {
  cniVersion: "1.1.0",
  name: "net",
  type: "ipvlan",
  master: "eth0",
  ipam: { type: "host-local" },
};

async function call(
  command: string,
  config: object | string = CONFIG,
  verbs: Verbs = recorder().verbs,
  variables: Record<string, string> = {},
) {
  const environment = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: "c1",
    CNI_NETNS: "/run/netns/c1",
    CNI_IFNAME: "net1",
    CNI_PATH: directory,
    ...variables,
  };
  const text = typeof config === "string" ? config : JSON.stringify(config);
  const { document, status } = await answer(environment, () => Buffer.from(text), verbs);
  return { document: document === "" ? undefined : JSON.parse(document), text: document, status };
}

describe("a call", () => {
  test("of ADD prints the result in the configuration's version", async () => {
    for (const cniVersion of ["0.2.0", "0.4.0", "1.0.0", "1.1.0"]) {
      const { document, status } = await call("ADD", { ...CONFIG, cniVersion });
      expect([document.cniVersion, status]).toEqual([cniVersion, 0]);
    }
  });

  test("of any other verb prints nothing", async () => {
    for (const command of ["DEL", "CHECK", "STATUS", "GC"]) {
      const { calls, verbs } = recorder();
      expect(await call(command, { ...CONFIG, prevResult: {} }, verbs)).toEqual({
        document: undefined,
        text: "",
        status: 0,
      });
      expect(calls.map(([name]) => name)).toEqual([command.toLowerCase()]);
    }
  });

  test("says all that the verb needs", async () => {
    const { calls, verbs } = recorder();
    await call("ADD", { ...CONFIG, mode: "l3", prevResult: { ips: [{ address: "10.0.0.9/8" }] } }, verbs);
    const [, made] = calls[0]!;
    expect({ ...made, ipam: typeof made.ipam?.add, hostIpam: typeof made.hostIpam }).toEqual({
      network: "net",
      attachment: { containerId: "c1", netns: "/run/netns/c1", ifName: "net1" },
      endpoint: { master: "eth0", mode: "l3", flag: "bridge", mtu: undefined, linkInContainer: false },
      ipam: "function",
      hostIpam: "function",
      prevResult: { ...emptyResult(), ips: [{ address: parsePrefix("10.0.0.9/8")! }] },
      validAttachments: undefined,
      mayBeOwnNamespace: false,
    });
  });

  test("of GC says what is in use", async () => {
    const { calls, verbs } = recorder();
    await call("GC", { ...CONFIG, "cni.dev/valid-attachments": [{ containerID: "a", ifname: "b" }] }, verbs);
    expect(calls[0]![1].validAttachments).toEqual([{ containerId: "a", ifName: "b" }]);
  });

  test("of GC and STATUS does without a container", async () => {
    for (const command of ["GC", "STATUS"])
      expect(
        (await call(command, CONFIG, recorder().verbs, { CNI_CONTAINERID: "", CNI_IFNAME: "" })).status,
      ).toBe(0);
  });

  test("may be about the own namespace when the runtime insists", async () => {
    const { calls, verbs } = recorder();
    await call("ADD", CONFIG, verbs, { CNI_NETNS_OVERRIDE: "TRUE" });
    expect(calls[0]![1].mayBeOwnNamespace).toBe(true);
  });

  test("gives IPAM's plugin what the runtime gave, byte for byte", async () => {
    const path = join(directory, "seen");
    writeFileSync(join(directory, "echo-ipam"), `#!/bin/sh\ncat > '${path}'; env >> '${path}'; echo '{}'\n`);
    chmodSync(join(directory, "echo-ipam"), 0o755);
    const { calls, verbs } = recorder();
    const text = '{ "name":"n",\t"cniVersion": "1.1.0", "x": 1.0, "ipam": {"type": "echo-ipam"} }\n';
    await call("ADD", text, verbs, { CNI_ARGS: "K=V", PATH: "/bin:/usr/bin" });
    await calls[0]![1].ipam!.add();
    const seen = readFileSync(path, "utf8");
    expect(seen.slice(0, text.length)).toBe(text);
    for (const line of ["CNI_COMMAND=ADD", "CNI_ARGS=K=V", "CNI_CONTAINERID=c1", "CNI_IFNAME=net1"])
      expect(seen.slice(text.length).split("\n")).toContain(line);
  });

  test("without ipam.type has no IPAM", async () => {
    const { calls, verbs } = recorder();
    await call("ADD", { ...CONFIG, ipam: {} }, verbs);
    expect(calls[0]![1].ipam).toBeUndefined();
  });
});

describe("DNS", () => {
  const dnsOf = async (config: object, result: Result = RESULT) =>
    (await call("ADD", { ...CONFIG, ...config }, recorder({ add: async () => result }).verbs)).document.dns;
  const prevResult = { dns: { domain: "from.chain" } };

  test("is the configuration's, else IPAM's, else the chain's", async () => {
    expect(await dnsOf({ dns: { search: ["from.config"] }, prevResult })).toEqual({
      search: ["from.config"],
    });
    expect(await dnsOf({ dns: { search: [] }, prevResult })).toEqual({ domain: "from.ipam" });
    expect(await dnsOf({ prevResult }, { ...RESULT, dns: {} })).toEqual({ domain: "from.chain" });
    expect(await dnsOf({}, { ...RESULT, dns: {} })).toBeUndefined();
  });
});

describe("an error", () => {
  const errorOf = async (...args: Parameters<typeof call>) => {
    const { document, status } = await call(...args);
    expect(status).toBe(1);
    return [document.cniVersion, document.code, document.msg];
  };

  test("of the environment comes before standard input is read", async () => {
    const { document, status } = await answer(
      { CNI_COMMAND: "ADD" },
      () => {
        throw new Error("read");
      },
      recorder().verbs,
    );
    expect(status).toBe(1);
    expect(document).toBe(`{
    "cniVersion": "1.1.0",
    "code": 4,
    "msg": "required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing"
}`);
  });

  test("of decoding comes before an unknown command, and that before the version", async () => {
    expect(await errorOf("FOO", "")).toEqual([
      "1.1.0",
      6,
      "error unmarshall network config: unexpected end of JSON input",
    ]);
    expect(await errorOf("FOO", { cniVersion: 1, name: "n" })).toEqual([
      "1.1.0",
      4,
      "unknown CNI_COMMAND: FOO",
    ]);
    expect(await errorOf("add", CONFIG)).toEqual(["1.1.0", 4, "unknown CNI_COMMAND: add"]);
    expect(await errorOf("ADD", { cniVersion: 1, name: "n" })).toEqual([
      "1.1.0",
      6,
      "decoding version from network config: cniVersion must be a string, not 1",
    ]);
  });

  test("of the version comes before those of the configuration", async () => {
    expect(await errorOf("ADD", { name: "n", cniVersion: "9.9.9", mode: "l9" })).toEqual([
      "1.1.0",
      1,
      "incompatible CNI versions",
    ]);
    expect(await errorOf("CHECK", { name: "n", cniVersion: "0.3.1" })).toEqual([
      "0.3.1",
      1,
      "config version does not allow CHECK",
    ]);
  });

  test("says the version in use", async () => {
    expect(await errorOf("ADD", { name: "n" })).toEqual([
      "0.1.0",
      7,
      expect.stringContaining("ipam is missing"),
    ]);
    expect(await errorOf("ADD", { ...CONFIG, cniVersion: "0.4.0", mode: "l9" })).toEqual([
      "0.4.0",
      7,
      'invalid mode "l9": must be "l2", "l3" or "l3s"',
    ]);
  });

  test("of a verb is the only document", async () => {
    for (const [command, verb] of [
      ["ADD", "add"],
      ["DEL", "del"],
      ["CHECK", "check"],
      ["STATUS", "status"],
      ["GC", "gc"],
    ] as const) {
      const fail = async () => {
        throw new Failure("own-namespace", "no");
      };
      const { verbs } = recorder({ [verb]: fail });
      expect(await errorOf(command, { ...CONFIG, prevResult: {} }, verbs)).toEqual(["1.1.0", 8, "no"]);
    }
  });

  test("of our own is an error document too", async () => {
    const { document } = await answer(
      { CNI_COMMAND: "STATUS", CNI_PATH: "/" },
      () => Buffer.from('{"name":"n","cniVersion":"1.1.0"}'),
      recorder({ status: () => Promise.reject(new TypeError("a mistake")) }).verbs,
    );
    expect(JSON.parse(document)).toEqual({ cniVersion: "1.1.0", code: 999, msg: "a mistake" });
  });

  test("a missing IPAM plugin stops ADD before anything is touched, and no other verb", async () => {
    const { calls, verbs } = recorder();
    const config = { ...CONFIG, prevResult: {}, ipam: { type: "nobody" } };
    expect(await errorOf("ADD", config, verbs)).toEqual([
      "1.1.0",
      105,
      `failed to find plugin "nobody" in path [${directory}]`,
    ]);
    expect(calls).toEqual([]);
    for (const command of ["DEL", "CHECK", "STATUS", "GC"])
      expect((await call(command, config, verbs)).status).toBe(0);
  });

  test("a result that the version cannot express undoes the ADD", async () => {
    const { calls, verbs } = recorder({ add: async () => emptyResult() });
    expect(await errorOf("ADD", { ...CONFIG, cniVersion: "0.2.0" }, verbs)).toEqual([
      "0.2.0",
      7,
      "cannot convert: no valid IP addresses",
    ]);
    expect(calls.map(([name]) => name)).toEqual(["del"]);
  });

  test("of that undo is not told", async () => {
    const { verbs } = recorder({
      add: async () => emptyResult(),
      del: async () => {
        throw new Error("second");
      },
    });
    expect((await errorOf("ADD", { ...CONFIG, cniVersion: "0.2.0" }, verbs))[2]).toBe(
      "cannot convert: no valid IP addresses",
    );
  });
});

describe("writing", () => {
  const O_NONBLOCK = 0o4000;

  test("goes on when the reader is slow and the pipe does not block", async () => {
    const fds = new Int32Array(2);
    pipe(fds, O_NONBLOCK);
    const reader = Bun.spawn(["sh", "-c", "sleep 0.1; exec cat"], { stdin: fds[0]!, stdout: "pipe" });
    closeSync(fds[0]!);
    // More than one pipe holds, and no more than this one and cat's output do: nobody reads that meanwhile.
    const text = "0123456789".repeat(10_000);
    writeAll(fds[1]!, text);
    closeSync(fds[1]!);
    expect(await new Response(reader.stdout).text()).toBe(text);
  });

  test("to nobody is an error", () => {
    const fds = new Int32Array(2);
    pipe(fds, 0);
    closeSync(fds[0]!);
    expect(() => writeAll(fds[1]!, "x")).toThrow("error writing to stdout: Broken pipe (EPIPE)");
    closeSync(fds[1]!);
  });
});

describe("the process", () => {
  const SOURCE = join(import.meta.dir, "../../src/cni/run.ts");
  /** Verbs that write down that they ran; ADD's result has an address. */
  const code = (log: string) => `
    const { runCni } = await import(${JSON.stringify(SOURCE)});
    const { appendFileSync } = await import("node:fs");
    const note = (name) => async () => appendFileSync(${JSON.stringify(log)}, name + "\\n");
    const add = async () => (await note("add")(), { interfaces: [{ name: "x".repeat(300000) }], ips: [], routes: [], dns: {} });
    const verbs = { add, del: note("del"), check: note("check"), status: note("status"), gc: note("gc") };
    process.exit(await runCni(verbs));`;
  const environment = (command: string) => ({
    ...process.env,
    CNI_COMMAND: command,
    CNI_CONTAINERID: "c1",
    CNI_NETNS: "/n",
    CNI_IFNAME: "net1",
    CNI_PATH: "/",
  });
  const L2 = { ...CONFIG, ipam: {} };

  function spawn(command: string, stdin: Uint8Array | "pipe" | number, stdout: "pipe" | number = "pipe") {
    const log = join(directory, `${crypto.randomUUID()}.log`);
    writeFileSync(log, "");
    const child = Bun.spawn([process.execPath, "-e", code(log)], {
      env: environment(command),
      stdin,
      stdout,
      stderr: "pipe",
    });
    return { child, verbs: () => readFileSync(log, "utf8").trim().split("\n") };
  }

  async function outputOf(command: string, input: string) {
    const { child } = spawn(command, Buffer.from(input));
    const stdout = await new Response(child.stdout as ReadableStream).text();
    const stderr = await new Response(child.stderr).text();
    return { stdout, stderr, status: await child.exited };
  }

  test("prints one document, larger than a pipe holds, and ends with 0", async () => {
    const { stdout, stderr, status } = await outputOf("ADD", JSON.stringify(L2));
    expect(stdout.length).toBeGreaterThan(300_000);
    expect(stdout.endsWith("}")).toBe(true);
    expect([JSON.parse(stdout).cniVersion, stderr, status]).toEqual(["1.1.0", "", 0]);
  });

  test("prints nothing for DEL", async () => {
    expect(await outputOf("DEL", JSON.stringify(L2))).toEqual({ stdout: "", stderr: "", status: 0 });
  });

  test("ends with 1 and an error document otherwise", async () => {
    const { stdout, stderr, status } = await outputOf("DEL", "{");
    expect([JSON.parse(stdout).code, stderr, status]).toEqual([6, "", 1]);
  });

  test("reads input that comes in pieces", async () => {
    const { child } = spawn("DEL", "pipe");
    const stdin = child.stdin as Bun.FileSink;
    for (const piece of JSON.stringify({ ...L2, args: { a: "x".repeat(40_000) } }).match(/.{1,9000}/g)!) {
      stdin.write(piece);
      stdin.flush();
      await Bun.sleep(5);
    }
    stdin.end();
    expect(await child.exited).toBe(0);
  });

  test("takes a mebibyte and no byte more", async () => {
    const sized = (bytes: number) => {
      const empty = JSON.stringify({ ...L2, x: "" });
      return JSON.stringify({ ...L2, x: "x".repeat(bytes - empty.length) });
    };
    expect(sized(1 << 20)).toHaveLength(1 << 20);
    expect((await outputOf("DEL", sized(1 << 20))).status).toBe(0);
    const { stdout, status } = await outputOf("DEL", sized((1 << 20) + 1));
    expect([JSON.parse(stdout).code, JSON.parse(stdout).msg, status]).toEqual([
      5,
      "error reading from stdin: more than 1048576 bytes",
      1,
    ]);
  });

  test("tells why standard input cannot be read", async () => {
    const fd = openSync(directory, "r");
    const { child } = spawn("DEL", fd);
    closeSync(fd);
    const document = JSON.parse(await new Response(child.stdout as ReadableStream).text());
    expect([document.code, document.msg]).toEqual([5, "error reading from stdin: Is a directory (EISDIR)"]);
  });

  test("undoes an ADD whose result nobody takes", async () => {
    const full = openSync("/dev/full", "w");
    const { child, verbs } = spawn("ADD", Buffer.from(JSON.stringify(L2)), full);
    closeSync(full);
    expect(await child.exited).toBe(1);
    expect(verbs()).toEqual(["add", "del"]);
  });
});
