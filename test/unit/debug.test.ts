import { afterEach, expect, spyOn, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startLog } from "../../src/debug/log.ts";
import { requestsInWords } from "../../src/debug/netlink.ts";
import { debug, setDebug } from "../../src/debug.ts";
import * as codec from "../../src/linux/codec.ts";
import { parseAddress, parsePrefix } from "../../src/net/ip.ts";
import { IFA_F_NOPREFIXROUTE, IFA_F_OPTIMISTIC } from "../../wasm/uapi.ts";

afterEach(() => setDebug(undefined));

/** What the log would say of the requests that `pack` puts into a batch. */
function inWords(pack: () => void) {
  codec.requestBegin(1);
  pack();
  const { lengthBytes } = codec.requestFinish();
  return requestsInWords(codec.requestMemory().subarray(0, lengthBytes));
}

test("a request for a link is told with its kind, mode, parent and name", () => {
  const link = { name: "eth0", masterIndex: 7, mode: 2, flags: 1, mtu: 1400, netnsFd: 5 };
  expect(inWords(() => codec.requestLinkAdd(link))).toEqual([
    {
      message: "RTM_NEWLINK",
      flags: ["exclusive", "create"],
      mtu: 1400,
      name: "eth0",
      link: 7,
      namespaceFd: 5,
      info: { kind: "ipvlan", data: { mode: 2, flags: 1 } },
    },
  ]);
});

test("a whole batch is told in order: addresses, up, routes, questions", () => {
  const told = inWords(() => {
    codec.requestAddressAdd({ index: 3, address: parsePrefix("10.1.2.3/24")!, broadcast: true });
    codec.requestAddressAdd({ index: 3, address: parsePrefix("fd00::3/64")!, flags: IFA_F_OPTIMISTIC });
    codec.requestAddressAdd({ index: 3, address: parsePrefix("fd00::4/64")!, flags: IFA_F_NOPREFIXROUTE });
    codec.requestLinkSet({ index: 3, up: true });
    codec.requestRouteAdd({
      dst: parsePrefix("0.0.0.0/0")!,
      gateway: parseAddress("10.1.2.1")!,
      oif: 3,
      mtu: 1300,
    });
    codec.requestLinkDump({ kind: "ipvlan" });
    codec.requestLinkDelete({ index: 3 });
  });
  expect(told).toMatchObject([
    {
      message: "RTM_NEWADDR",
      family: "IPv4",
      length: 24,
      index: 3,
      local: "10.1.2.3",
      broadcast: "10.1.2.255",
    },
    { message: "RTM_NEWADDR", family: "IPv6", length: 64, index: 3, local: "fd00::3", addressFlags: 4 },
    { message: "RTM_NEWADDR", flags: ["exclusive", "create"], local: "fd00::4", addressFlags: 0x200 },
    { message: "RTM_NEWLINK", index: 3, up: true },
    { message: "RTM_NEWROUTE", family: "IPv4", length: 0, via: "10.1.2.1", oif: 3, metrics: { mtu: 1300 } },
    { message: "RTM_GETLINK", flags: ["dump"], info: { kind: "ipvlan" } },
    { message: "RTM_DELLINK", index: 3 },
  ]);
});

test("what has no name here is told as it is, and cut off bytes are no crash", () => {
  const message = Buffer.from("180000006300010001000000000000000800990041424344", "hex");
  expect(requestsInWords(message)).toEqual([{ message: "message 99", flags: [] }]);
  const whole = Buffer.from(codec.requestMemory().subarray(0, 60));
  for (let length = 0; length < whole.length; length++) requestsInWords(whole.subarray(0, length));
});

const CALL = { CNI_COMMAND: "ADD", CNI_CONTAINERID: "c1", TRACEPARENT: "00-0123-4567-01" };

function logged(work: () => void): Record<string, unknown>[] {
  const directory = mkdtempSync(join(tmpdir(), "debug-"));
  try {
    const path = join(directory, "log");
    startLog(path, CALL);
    work();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    return readFileSync(path, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test("each step is a line of JSON with time, process, container and trace", () => {
  const [line] = logged(() => debug?.step("lease taken", { path: "/x", value: 3n }));
  expect(line).toMatchObject({
    pid: process.pid,
    command: "ADD",
    container: "c1",
    traceparent: "00-0123-4567-01",
    step: "lease taken",
    path: "/x",
    value: "3",
  });
  expect(new Date(line!.time as string).getTime()).toBeGreaterThan(Date.now() - 60_000);
});

test("a netlink line has each request with the kernel's answer", () => {
  codec.requestBegin(1);
  codec.requestLinkGet({ name: "eth0" });
  codec.requestLinkDelete({ index: 9 });
  const bytes = codec.requestMemory().subarray(0, codec.requestFinish().lengthBytes);
  const answers = [
    { errno: 0, message: undefined },
    { errno: 19, message: "gone" },
  ];
  const [line] = logged(() => debug?.netlink(bytes, answers, 1, 0.25));
  expect(line).toMatchObject({
    step: "netlink",
    tookMs: 0.25,
    messages: 1,
    requests: [
      { message: "RTM_GETLINK", name: "eth0", answer: "ok" },
      { message: "RTM_DELLINK", index: 9, answer: "No such device (ENODEV): gone" },
    ],
  });
});

test("a log that cannot be written, or would spoil standard output, is no log and no failure", () => {
  const err = spyOn(console, "error").mockImplementation(() => {});
  try {
    startLog("/no/such/directory/log", {});
    startLog("/dev/stdout", {});
    expect(debug).toBeUndefined();
    expect(err.mock.calls.flat().join("\n")).toMatch(
      // A socket cannot be opened by that name at all.
      /no debug log: open .*ENOENT.*\n.*\/dev\/stdout(?: is standard output|: .*ENXIO)/,
    );
  } finally {
    err.mockRestore();
  }
});
