/** What Podman is told besides results: versions, and what went wrong. */

import { afterEach, expect, spyOn, test } from "bun:test";
import { version } from "../../build.ts";
import type { Undo } from "../../src/ipvlan/undo.ts";
import { closeWorld } from "../../src/ipvlan/world.ts";
import { openContainer, openContainerIfAlive } from "../../src/netavark/container.ts";
import { errorText } from "../../src/netavark/error.ts";
import { readStatusBlock } from "../../src/netavark/external.ts";
import { takeBack } from "../../src/netavark/take-back.ts";
import { infoDocument, versionDocument } from "../../src/netavark/version.ts";

let said: ReturnType<typeof spyOn> | undefined;
afterEach(() => {
  said?.mockRestore();
});

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (thrown) {
    return errorText(thrown);
  }
  throw new Error("it was accepted");
}

test("another plugin's answer to setup, with null for what it does not say", () => {
  const plugin = { name: "mine", path: "/usr/libexec/netavark/mine" };
  const none = { dns_search_domains: null, dns_server_ips: null, interfaces: null };
  expect(readStatusBlock(plugin, {})).toEqual(none);
  expect(readStatusBlock(plugin, { dns_server_ips: ["192.0.2.53"], more: 1 })).toEqual({
    ...none,
    dns_server_ips: ["192.0.2.53"],
  });
  for (const answer of [null, [], "up", 1])
    expect(refusal(() => readStatusBlock(plugin, answer))).toBe(
      'plugin "mine" failed: JSON Decoding error: a status block must be an object',
    );
});

test("versions, and that there is no firewall", () => {
  expect(JSON.parse(versionDocument())).toEqual({
    version: expect.stringMatching(/^2\.\d+\.\d+$/),
    ipvlan: version(),
    target: `${process.arch === "arm64" ? "aarch64" : "x86_64"}-unknown-linux-gnu`,
    default_fw_driver: "none",
  });
  // As netavark writes it, for people to read.
  expect(versionDocument()).toStartWith('{\n  "version": "2.');
  expect(JSON.parse(infoDocument())).toEqual({ version: version(), api_version: "1.0.0", name: "ipvlan" });
});

test("a namespace that cannot be one, in netavark's words; one that has gone is nothing to clean up", () => {
  const own = "namespace path /proc/self/ns/net is the host's network namespace itself";
  for (const open of [openContainer, openContainerIfAlive])
    expect(refusal(() => open("/proc/self/ns/net"))).toBe(
      `${own}; an ipvlan link belongs into a container's own`,
    );
  expect(refusal(() => openContainer("/absent"))).toBe(
    "invalid namespace path: IO error: No such file or directory (os error 2)",
  );
  for (const gone of ["/absent", "/etc/passwd", "/etc/passwd/below", "/proc/self/ns/uts"]) {
    const world = openContainerIfAlive(gone);
    expect([gone, world]).toEqual([gone, undefined]);
    if (world !== undefined) closeWorld(world);
  }
});

test("what could not be taken back is said on standard error, and the rest is taken back", async () => {
  said = spyOn(console, "error").mockImplementation(() => {});
  const undo: Undo = [];
  const done: string[] = [];
  undo.push(() => void done.push("first"));
  undo.push(() => {
    throw new Error("the link is stuck");
  });
  undo.push(async () => void done.push("last"));
  await takeBack(undo);
  expect(done).toEqual(["last", "first"]);
  expect(said.mock.calls).toEqual([["ipvlan: undoing a failed setup: the link is stuck"]]);
});
