/** Everything that is read has a limit: below it and at it all is well, above it an error says so. */

import { dlopen, ptr } from "bun:ffi";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execute } from "../../src/cni/execute.ts";
import { parseJson } from "../../src/cni/json.ts";
import { allRecords } from "../../src/ipvlan/record.ts";
import { requestLinkDump } from "../../src/linux/codec.ts";
import { dump, exchange, type Socket } from "../../src/linux/socket.ts";
import { NLMSG_DONE, NLMSG_NOOP } from "../../wasm/uapi.ts";
import { scratch } from "../support/ipam.ts";
import { CONTAINER, hostLocalIn, ipamOnly, release } from "../support/release.ts";

const directory = scratch();
const leases = join(directory.path, "leases");
const run = join(directory.path, "run");
const program = hostLocalIn(directory.path);
const before = process.env.IPVLAN_RUN_DIR;

beforeEach(() => {
  for (const made of [leases, run]) rmSync(made, { recursive: true, force: true });
  process.env.IPVLAN_RUN_DIR = run;
});
afterEach(() => {
  if (before === undefined) delete process.env.IPVLAN_RUN_DIR;
  else process.env.IPVLAN_RUN_DIR = before;
});
afterAll(() => directory[Symbol.dispose]());

/** The text with as much white space behind it as makes it that long. */
const padded = (text: string, length: number) => text.padEnd(length, " ");
const ipam = (CNI_COMMAND: string, stdin: string, containerId = "c1") =>
  release({ program, environment: { CNI_COMMAND, ...CONTAINER, CNI_CONTAINERID: containerId }, stdin });
const around = (limit: number) => [limit - 1, limit, limit + 1] as const;
const MEBIBYTE = 1 << 20;

test("1 MiB of standard input", () => {
  const [below, at, above] = around(MEBIBYTE);
  for (const length of [below, at])
    expect(ipam("DEL", padded(ipamOnly({ dataDir: leases }), length))).toMatchObject({
      exitCode: 0,
      stdout: "",
    });
  for (const length of [above, 4 * MEBIBYTE]) {
    const { exitCode, stdout } = ipam("DEL", padded(ipamOnly({ dataDir: leases }), length));
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      code: 5,
      msg: `error reading from stdin: more than ${MEBIBYTE} bytes`,
    });
  }
});

test("1 MiB of netavark's --file", () => {
  const file = join(directory.path, "input.json");
  const [below, at, above] = around(MEBIBYTE);
  const said = (length: number) => {
    writeFileSync(file, padded("{}", length));
    return release({ words: ["--file", file, "teardown", "/nonexistent"] }).stdout;
  };
  for (const length of [below, at]) expect(said(length)).not.toContain("large");
  expect(said(above)).toContain("File too large");
});

test("1 MiB of an IPAM plugin's output", async () => {
  const plugin = join(directory.path, "talker");
  writeFileSync(plugin, '#!/bin/sh\nread -r config\nhead -c "$CNI_ARGS" /dev/zero | tr "\\0" x\n', {
    mode: 0o755,
  });
  const [below, at, above] = around(MEBIBYTE);
  const said = (length: number) =>
    execute(plugin, "ADD", {
      stdin: Buffer.from("{}\n"),
      variables: { PATH: process.env.PATH, CNI_ARGS: `${length}` },
    });
  for (const length of [below, at]) expect(await said(length)).toHaveLength(length);
  for (const length of [above, 64 * MEBIBYTE])
    expect(said(length)).rejects.toThrow(`printed more than ${MEBIBYTE} bytes on standard output`);
});

test("128 KiB of a lease: a longer one is somebody's, and its address is not given to another", () => {
  const [below, at, above] = around(128 * 1024);
  for (const length of [below, at, above]) {
    rmSync(leases, { recursive: true, force: true });
    mkdirSync(join(leases, "net"), { recursive: true });
    writeFileSync(join(leases, "net/10.1.0.2"), padded("c1\r\neth0", length));
    const own = JSON.parse(ipam("ADD", ipamOnly({ dataDir: leases })).stdout);
    if (length <= at) expect(own.msg).toContain("has been allocated to c1");
    else expect(own.ips[0].address).toBe("10.1.0.3/24");
    const request = { ...JSON.parse(ipamOnly({ dataDir: leases })), runtimeConfig: { ips: ["10.1.0.2"] } };
    const other = JSON.parse(ipam("ADD", JSON.stringify(request), "c2").stdout);
    expect(other.msg).toContain(`held by ${length <= at ? "c1 (eth0)" : "an unknown owner"}`);
  }
});

test("128 KiB of a cursor", () => {
  const [below, at, above] = around(128 * 1024);
  mkdirSync(join(leases, "net"), { recursive: true });
  for (const length of [below, at, above]) {
    writeFileSync(join(leases, "net/last_reserved_ip.0"), padded("10.1.0.8", length));
    const said = JSON.parse(ipam("ADD", ipamOnly({ dataDir: leases }), `c${length}`).stdout);
    if (length <= at) expect(said.ips).toHaveLength(1);
    else expect(said.msg).toContain("more than 131072 bytes");
  }
});

test("1 MiB of resolv.conf", () => {
  const resolvConf = join(directory.path, "resolv.conf");
  const [below, at, above] = around(MEBIBYTE);
  for (const length of [below, at, above]) {
    writeFileSync(resolvConf, padded("nameserver 192.0.2.53\n", length));
    const said = JSON.parse(ipam("ADD", ipamOnly({ dataDir: leases, resolvConf }), `c${length}`).stdout);
    if (length <= at) expect(said.dns.nameservers).toEqual(["192.0.2.53"]);
    else
      expect(said).toMatchObject({ code: 105, msg: expect.stringContaining(`more than ${MEBIBYTE} bytes`) });
  }
});

test("64 KiB of a record: a longer one is none, and a DEL takes it away", () => {
  const record = { network: "net", containerId: "c1", ifName: "eth0", netns: "/nonexistent", namespace: "1" };
  const text = JSON.stringify({ ...record, master: "m", port: "p", mode: "l2", flag: "bridge" });
  const [below, at, above] = around(64 * 1024);
  const file = join(run, "net,c1,eth0");
  mkdirSync(run);
  for (const [length, count] of [
    [below, 1],
    [at, 1],
    [above, 0],
  ] as const) {
    writeFileSync(file, padded(text, length));
    expect(allRecords()).toHaveLength(count);
  }
  const stdin = JSON.stringify({ cniVersion: "1.1.0", name: "net", type: "ipvlan" });
  const environment = { CNI_COMMAND: "DEL", ...CONTAINER, IPVLAN_RUN_DIR: run };
  expect(release({ environment, stdin })).toMatchObject({ exitCode: 0, stdout: "" });
  expect(existsSync(file)).toBe(false);
});

test("100 levels of JSON", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  for (const depth of [99, 100]) expect(() => parseJson(nested(depth))).not.toThrow();
  for (const depth of [101, 100_000])
    expect(() => parseJson(nested(depth))).toThrow("nested deeper than 100 levels");
  const said = JSON.parse(
    ipam("DEL", `{"name": "net", "cniVersion": "1.1.0", "x": ${nested(400_000)}}`).stdout,
  );
  expect(said).toMatchObject({ code: 6, msg: expect.stringContaining("nested deeper than 100 levels") });
});

const { symbols: libc } = dlopen("libc.so.6", {
  socketpair: { args: ["i32", "i32", "i32", "ptr"], returns: "i32" },
  send: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
  close: { args: ["i32"], returns: "i32" },
});

describe("128 KiB of a datagram of the kernel's", () => {
  /** Asks a kernel that answers with that many bytes: a long message and the end of a dump. */
  function ask(lengthBytes: number) {
    const ends = new Int32Array(2);
    // AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK
    if (libc.socketpair(1, 2 | 0o4000, 0, ptr(ends)) !== 0) throw new Error("socketpair failed");
    const socket: Socket = { fd: ends[0]!, sequence: 1 };
    const answer = new Uint8Array(lengthBytes);
    const view = new DataView(answer.buffer);
    const header = (at: number, length: number, type: number) => {
      view.setUint32(at, length, true);
      view.setUint16(at + 4, type, true);
      view.setUint32(at + 8, socket.sequence, true);
    };
    header(0, lengthBytes - 20, NLMSG_NOOP);
    header(lengthBytes - 20, 20, NLMSG_DONE);
    if (Number(libc.send(ends[1]!, ptr(answer), lengthBytes, 0)) !== lengthBytes)
      throw new Error(`cannot send ${lengthBytes} bytes`);
    try {
      return exchange(socket, () => requestLinkDump());
    } finally {
      for (const end of ends) libc.close(end);
    }
  }

  test("is read, and a longer one is refused by name", () => {
    const limit = 128 * 1024;
    for (const length of [limit - 4, limit]) expect(ask(length)).toEqual([{ errno: 0, message: undefined }]);
    expect(() => ask(limit + 4)).toThrow(`a datagram of ${limit + 4} bytes is longer than ${limit}`);
  });
});

describe("a dump of the kernel's", () => {
  /** Asks a kernel that a program plays: the words of `says` are JavaScript with `answer(sequence, bytes, flags)` at hand. */
  async function list(says: string): Promise<unknown[]> {
    const ends = new Int32Array(2);
    // AF_UNIX, SOCK_DGRAM
    if (libc.socketpair(1, 2, 0, ptr(ends)) !== 0) throw new Error("socketpair failed");
    const kernel = Bun.spawn(
      [
        process.execPath,
        "-e",
        `const { writeSync } = require("node:fs");
        // A message that says nothing, so long, and the end of a dump behind it when \`isLast\`.
        const answer = (sequence, bytes, flags, isLast) => {
          const datagram = new DataView(new ArrayBuffer(bytes));
          const header = (at, length, type) => {
            datagram.setUint32(at, length, true);
            datagram.setUint16(at + 4, type, true);
            datagram.setUint16(at + 6, flags, true);
            datagram.setUint32(at + 8, sequence, true);
          };
          header(0, isLast ? bytes - 20 : bytes, ${NLMSG_NOOP});
          if (isLast) header(bytes - 20, 20, ${NLMSG_DONE});
          writeSync(1, new Uint8Array(datagram.buffer));
        };
        ${says}`,
      ],
      { stdin: "ignore", stdout: ends[1]!, stderr: "ignore" },
    );
    try {
      return dump(
        { fd: ends[0]!, sequence: 1 },
        "links",
        () => requestLinkDump(),
        () => undefined,
      );
    } finally {
      // What it has yet to say finds nobody.
      for (const end of ends) libc.close(end);
      kernel.kill();
      await kernel.exited;
    }
  }

  test("is read up to 128 MiB, and a longer one is refused by name", async () => {
    const part = 128 * 1024;
    const long = (last: number) =>
      list(`for (let part = 1; part < 1024; part++) answer(1, ${part}, 2); answer(1, ${last}, 2, true);`);
    for (const last of [part - 4, part]) expect(await long(last)).toEqual([]);
    const above = list(
      `for (let part = 1; part <= 1024; part++) answer(1, ${part}, 2); answer(1, 40, 2, true);`,
    );
    expect(above).rejects.toThrow("an answer of the kernel's is longer than 134217728 bytes");
    await above.catch((thrown) => expect(thrown.kind).toBe("namespace"));
  });

  test("that never ends is given up", async () => {
    expect(list(`for (;;) answer(1, 131072, 2);`)).rejects.toThrow("is longer than 134217728 bytes");
  });

  test("is repeated 39 times when it is interrupted, and then refused by name", async () => {
    // NLM_F_MULTI, NLM_F_DUMP_INTR
    const interrupted = (times: number) =>
      list(
        `let turn = 1; while (turn <= ${times}) answer(turn++, 40, 0x12, true); answer(turn, 40, 2, true);`,
      );
    for (const times of [0, 38, 39]) expect(await interrupted(times)).toEqual([]);
    const above = interrupted(40);
    expect(above).rejects.toThrow("the kernel's list of links changes faster than it can be read");
    await above.catch((thrown) => expect(thrown.kind).toBe("busy"));
  });
});

test("SECURITY.md names the limits", () => {
  const page = readFileSync(join(import.meta.dir, "../../SECURITY.md"), "utf8");
  for (const limit of [
    "1 MiB of standard input",
    "128 KiB of a lease",
    "64 KiB of a record",
    "128 MiB of a list of the kernel's",
    "100 levels of JSON",
  ])
    expect(page).toContain(limit);
});
