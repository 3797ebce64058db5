/** Leases on disk, as plugin and daemon share them. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { leaseName } from "../../src/ipam/dhcp/lease-file.ts";
import {
  type Lease,
  leaseNames,
  readLease,
  removeLease,
  updateLease,
  writeLease,
} from "../../src/ipam/dhcp/store.ts";
import { bootId } from "../../src/linux/clock.ts";
import { variable } from "../support/variable.ts";

let directory: string;
let runDirectory: Disposable;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "ipvlan-dhcp-"));
  runDirectory = variable("IPVLAN_RUN_DIR", directory);
});

afterEach(() => {
  rmSync(directory, { recursive: true });
  runDirectory[Symbol.dispose]();
});

function lease(change: Partial<Lease> = {}): Lease {
  return {
    boot: bootId(),
    family: 4,
    iaid: 0,
    network: "net",
    containerId: "c1",
    netns: "/run/netns/c1",
    ifName: "eth0",
    namespace: "0:4:1",
    socketPath: "/run/ipvlan/dhcp.sock",
    clientId: "00ff",
    requests: [1, 3],
    provides: [[12, "61"]],
    address: "192.0.2.50",
    prefixLength: 24,
    server: "192.0.2.2",
    serverMac: "020000000009",
    startedAt: 5,
    renewAt: 10,
    rebindAt: null,
    expiresAt: null,
    lost: null,
    ...change,
  };
}

test("a lease is read as it was written, and is gone once removed", () => {
  const name = leaseName(lease());
  expect(name).toBe("net,c1,eth0.lease");
  expect([readLease(name), leaseNames()]).toEqual([undefined, []]);
  removeLease(name);
  writeLease(lease());
  expect(readLease(name)).toEqual(lease());
  expect(leaseNames()).toEqual([name]);
  removeLease(name);
  removeLease(name);
  expect(readdirSync(join(directory, "dhcp"))).toEqual([".lock"]);
});

test("a lease is changed or removed only as long as it is the one that was looked at", () => {
  const name = leaseName(lease());
  expect(updateLease(name, writeAndGet(lease()), { lost: "why" })).toBe(true);
  expect(readLease(name)?.lost).toBe("why");
  writeLease(lease({ startedAt: 6 }));
  expect(updateLease(name, lease(), "remove")).toBe(false);
  expect(updateLease(name, lease(), { lost: "why" })).toBe(false);
  expect(readLease(name)).toEqual(lease({ startedAt: 6 }));
  expect(updateLease(name, lease({ startedAt: 6 }), "remove")).toBe(true);
  expect(updateLease(name, lease({ startedAt: 6 }), {})).toBe(false);
  expect(readLease(name)).toBeUndefined();
});

function writeAndGet(one: Lease): Lease {
  writeLease(one);
  return one;
}

test("torn, foreign and old files are no leases", async () => {
  writeLease(lease());
  for (const text of ["", "{", "[]", '"x"', JSON.stringify(lease({ boot: "another" })), "x".repeat(70_000)]) {
    await Bun.write(join(directory, "dhcp/a.lease"), text);
    expect(readLease("a.lease")).toBeUndefined();
  }
  await Bun.write(join(directory, "secret"), JSON.stringify(lease()));
  for (const name of ["../secret", "secret", "../dhcp/net,c1,eth0.lease"])
    expect(readLease(name)).toBeUndefined();
});

test("a name that is too long for a file is a digest, another one for each attachment", () => {
  const [one, other] = ["x", "y"].map((last) => leaseName(lease({ containerId: "c".repeat(255) + last })));
  expect(one).toMatch(/^[0-9a-f]{64}\.lease$/);
  expect(one).not.toBe(other!);
});
