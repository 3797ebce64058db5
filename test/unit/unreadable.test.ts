/** What cannot be read is not taken for something that is not there. */

import { expect, test } from "bun:test";
import { existsSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { namespaceMark } from "../../src/linux/socket.ts";
import { callOurs, type IpamCall, leasesOf, scratch } from "../support/ipam.ts";

/** A file that can be opened, but whose first byte is EIO. */
const UNREADABLE = "/proc/self/mem";

function callFor(dataDir: string, verb: IpamCall["verb"], containerId: string): IpamCall {
  return {
    verb,
    containerId,
    validAttachments: [],
    config: { cniVersion: "1.0.0", name: "net", ipam: { dataDir, subnet: "10.1.2.0/24" } },
  };
}

test("GC says that a lease could not be read, and frees the others", () => {
  using directory = scratch();
  const store = join(directory.path, "net");
  callOurs(callFor(directory.path, "ADD", "c1"));
  symlinkSync(UNREADABLE, join(store, "10.1.2.9"));
  expect(callOurs(callFor(directory.path, "GC", "")).error).toContain(`${store}/10.1.2.9`);
  expect(existsSync(join(store, "10.1.2.2"))).toBe(false);
});

test("DEL that finds no lease says which one it could not read, each time, and frees it when it can", () => {
  using directory = scratch();
  const store = join(directory.path, "net");
  callOurs(callFor(directory.path, "ADD", "c1"));
  symlinkSync(UNREADABLE, join(store, "10.1.2.9"));
  for (let time = 0; time < 2; time++)
    expect(callOurs(callFor(directory.path, "DEL", "c2")).error).toContain(`${store}/10.1.2.9`);
  expect(callOurs(callFor(directory.path, "DEL", "c1"))).toEqual({});
  rmSync(join(store, "10.1.2.9"));
  expect(callOurs(callFor(directory.path, "DEL", "c2"))).toEqual({});
  expect(leasesOf(directory.path, "net")).toEqual({});
});

test("a directory in a lease's place is nobody's, and no error", () => {
  using directory = scratch();
  callOurs(callFor(directory.path, "ADD", "c1"));
  mkdirSync(join(directory.path, "net/10.1.2.9"));
  expect(callOurs(callFor(directory.path, "DEL", "c2"))).toEqual({});
  expect(callOurs(callFor(directory.path, "GC", ""))).toEqual({});
});

test("a namespace whose mark the kernel does not tell for want of something is not another namespace", () => {
  const namespace = { fd: -1, path: "/run/netns/a", identity: "0:4:1" };
  expect(() => namespaceMark(namespace, { fd: -1, sequence: 1 })).toThrow("/run/netns/a");
});
