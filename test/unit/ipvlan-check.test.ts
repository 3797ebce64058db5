/** CHECK, as far as it goes without an endpoint; the rest needs a driver (test/e2e/check.test.ts). */

import { expect, test } from "bun:test";
import type { Call } from "../../src/ipvlan/call.ts";
import { check } from "../../src/ipvlan/check.ts";
import { emptyResult } from "../../src/net/result.ts";

const call: Call = {
  network: "net",
  attachment: { containerId: "c1", netns: "/proc/self/ns/net", ifName: "eth0" },
  endpoint: { master: undefined, mode: "l2", flag: "bridge", mtu: undefined, linkInContainer: false },
  ipam: undefined,
  prevResult: undefined,
  validAttachments: undefined,
  mayBeOwnNamespace: true,
};

test("without the result of ADD there is nothing to compare with", () => {
  expect(check(call)).rejects.toMatchObject({
    kind: "config",
    message: '"prevResult" is required for CHECK',
    remedy: "pass the result of ADD",
  });
});

test("a result without this interface is another attachment's", () => {
  const other = { name: "eth0", sandbox: "/run/netns/other" };
  for (const interfaces of [[], [other], [{ ...other, name: "eth1", sandbox: "/proc/self/ns/net" }]])
    expect(check({ ...call, prevResult: { ...emptyResult(), interfaces } })).rejects.toMatchObject({
      kind: "check",
      message: 'prevResult has no interface "eth0" in namespace "/proc/self/ns/net"',
      remedy: "run DEL and ADD again to restore the endpoint",
    });
});
