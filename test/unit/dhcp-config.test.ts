/** What `ipam` of type dhcp may say, in the reference's words and ours. */

import { expect, test } from "bun:test";
import { readDhcpConfig } from "../../src/ipam/dhcp/config.ts";
import { fold } from "../../src/json.ts";

const attachment = { containerId: "c1", netns: "/run/netns/c1", ifName: "eth0" };

function read(ipam: object, args = "", containerId = "c1") {
  return readDhcpConfig(fold({ type: "dhcp", ...ipam }), "mynet", { ...attachment, containerId }, args);
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");

test("without a word the identifier is the reference's, and the usual options are asked for", () => {
  const { client, ...rest } = read({});
  expect(text(client.clientId)).toBe("\0c1/mynet/eth0");
  expect(client.requests).toEqual([1, 121, 3, 33, 6, 15, 119, 26, 58, 59]);
  expect(client.provides).toEqual([]);
  expect(rest).toEqual({
    families: [4],
    socketPath: "/run/ipvlan/dhcp.sock",
    priority: undefined,
    timeoutSeconds: 60,
    conflictSeconds: 0.5,
  });
});

test("an identifier that is too long is cut to what an option holds", () => {
  expect(read({}, "", "c".repeat(300)).client.clientId).toHaveLength(255);
});

test("options are provided by name or number, an argument before a value, and none without either", () => {
  const { client } = read(
    {
      provide: [
        { option: "dhcp-client-identifier", value: "id", fromArg: "K8S_POD_NAME" },
        { option: "host-name", value: "fallback", fromArg: "ABSENT" },
        { Option: "user-class", Value: "gold" },
        { option: 60, value: "vendor" },
        { option: "124", fromArg: "ABSENT" },
      ],
    },
    "IgnoreUnknown=1;K8S_POD_NAME=web=0",
  );
  expect(text(client.clientId)).toBe("web=0");
  expect(client.provides.map(([code, value]) => [code, text(value)])).toEqual([
    [12, "fallback"],
    [77, "\u0004gold"],
    [60, "vendor"],
  ]);
});

test("options are requested besides the usual ones, or instead of them; the mask is always among them", () => {
  expect(read({ request: [{ option: "host-name" }, { option: 42 }] }).client.requests.slice(-2)).toEqual([
    12, 42,
  ]);
  expect(read({ request: [{ skipDefault: true }, { option: "routers" }] }).client.requests).toEqual([1, 3]);
});

test("socket, priority and times are read", () => {
  const read1 = read({ daemonSocketPath: "/x.sock", priority: 7, timeoutSeconds: 5, conflictMs: 0 });
  expect(read1).toMatchObject({ socketPath: "/x.sock", priority: 7, timeoutSeconds: 5, conflictSeconds: 0 });
});

test.each([
  [{ timeoutSeconds: 0 }, "invalid ipam.timeoutSeconds 0: must be from 1 to 600"],
  [{ conflictMs: 10_001 }, "invalid ipam.conflictMs 10001: must be from 0 to 10000"],
  [{ daemonSocketPath: 1 }, "invalid ipam.daemonSocketPath 1: must be a string"],
  [{ request: [{ option: 255 }] }, "invalid ipam.request[0].option 255: must be a number from 1 to 254"],
  [
    { provide: [{ option: 53, value: "x" }] },
    "invalid ipam.provide[0].option 53: belongs to the exchange itself",
  ],
  [{ provide: [{ option: "routers ", value: "x" }] }, 'invalid ipam.provide[0].option "routers "'],
  [{ provide: [{ option: 12, value: "x".repeat(256) }] }, "the value of option 12 has 256 bytes, too many"],
  [{ families: [5] }, "invalid ipam.families[0] 5: must be 4 or 6"],
  [{ families: [] }, "invalid ipam.families []: must name 4, 6 or both"],
  [{ priority: -1 }, "invalid ipam.priority -1: must not be negative"],
])("%j is refused", (ipam, sentence) => {
  expect(() => read(ipam)).toThrow(sentence);
});
