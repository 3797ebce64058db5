/** Which privilege lacks, in words, when the kernel says no more than EPERM. */

import { expect, test } from "bun:test";
import { Failure } from "../../src/error.ts";
import { explained, explaining } from "../../src/ipvlan/privilege.ts";
import { EACCES, EPERM, KernelError } from "../../src/linux/errno.ts";

test.each([
  ["setns", "/run/netns/c1", "namespace", "the plugin may not enter /run/netns/c1: it lacks CAP_SYS_ADMIN"],
  ["socket", "AF_PACKET", "interface", "the plugin may not use packet sockets: it lacks CAP_NET_RAW"],
  ["RTM_NEWLINK", "eth0", "interface", "the plugin may not change eth0: it lacks CAP_NET_ADMIN"],
  ["RTM_DELROUTE", "10.0.0.0/8", "interface", "the plugin may not change 10.0.0.0/8: it lacks CAP_NET_ADMIN"],
])("%s of %s", (operation, subject, kind, message) => {
  const thrown = new KernelError(operation, subject, EPERM);
  expect(explained(thrown)).toMatchObject({ kind, message, cause: thrown });
  expect((explained(thrown) as Failure).remedy).toStartWith(
    "run the runtime as root, or with that capability",
  );
  expect(explained(thrown, "unavailable")).toMatchObject({ kind: "unavailable", message });
});

test("anything else stays as it is", async () => {
  const others = [
    new KernelError("open", "/run/ipvlan/net,c1,eth0", EPERM),
    new KernelError("socket", "AF_NETLINK", EPERM),
    new KernelError("bind", "AF_PACKET", EPERM),
    new KernelError("RTM_NEWLINK", "eth0", EACCES),
    new Failure("config", "mtu 1 is too small"),
    new TypeError("a mistake of ours"),
  ];
  for (const thrown of others) {
    expect(explained(thrown)).toBe(thrown);
    expect(explained(thrown, "unavailable")).toBe(thrown);
    expect(await explaining(Promise.reject(thrown)).catch((found) => found)).toBe(thrown);
  }
});

test("what succeeds is passed on", async () => {
  expect(await explaining(Promise.resolve(7))).toBe(7);
});
