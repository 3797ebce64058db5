/** The run directory: what is made there, for whom to read, and what is swept away. */

import { afterAll, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lockRunFile, readRunFile, sweepEmptyFiles } from "../../src/ipvlan/lock.ts";
import { dropEmptyRecords, lockRecord, strangeRecords, writeRecord } from "../../src/ipvlan/record.ts";
import { scratch } from "../support/ipam.ts";
import { variable } from "../support/variable.ts";

const directory = scratch();
const run = join(directory.path, "deep", "run");
const runDirectory = variable("IPVLAN_RUN_DIR", run);

beforeEach(() => rmSync(run, { recursive: true, force: true }));
afterAll(() => {
  runDirectory[Symbol.dispose]();
  directory[Symbol.dispose]();
});

const identity = { network: "net", containerId: "c1", ifName: "eth0" };
const record = {
  ...identity,
  ...{ netns: "/run/netns/c1", namespace: "4-1", master: "eth0", port: "4-1-2", mode: "l2", flag: "bridge" },
};
const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);

test("the first record makes the directory, and both are root's alone", () => {
  writeRecord(record);
  expect(JSON.parse(readFileSync(join(run, "net,c1,eth0"), "utf8"))).toEqual(record);
  expect([modeOf(run), modeOf(join(run, "net,c1,eth0"))]).toEqual(["700", "600"]);
});

test("so does the first lock", () => {
  const path = join(run, "ports", "p");
  lockRunFile(path).release();
  expect([modeOf(join(run, "ports")), modeOf(path)]).toEqual(["700", "600"]);
  // Locked, and not written yet.
  expect(readRunFile(path, 100)).toBeUndefined();
});

test("a path that cannot be a directory is an error of the run directory", () => {
  mkdirSync(join(directory.path, "deep"), { recursive: true });
  writeFileSync(run, "");
  for (const work of [() => writeRecord(record), () => lockRecord(identity)])
    expect(work).toThrow(`cannot write the endpoint's record ${join(run, "net,c1,eth0")}`);
});

test("a file that others keep locked is told", () => {
  const path = join(run, "ports", "p");
  const lock = lockRunFile(path);
  using _ = variable("IPVLAN_LOCK_TIMEOUT_MS", "20");
  try {
    expect(() => lockRunFile(path)).toThrow(
      expect.objectContaining({
        kind: "busy",
        message: `${path} was held by others for 0.02 s`,
        remedy: "try again; if it lasts, look for processes that hang with that file open",
      }),
    );
  } finally {
    lock.release();
  }
});

test("empty files are swept away, those excepted that somebody has locked", () => {
  const folder = join(run, "ports");
  mkdirSync(join(folder, "folder"), { recursive: true });
  for (const name of ["empty", "full", "locked"])
    writeFileSync(join(folder, name), name === "full" ? "{}" : "");
  const lock = lockRunFile(join(folder, "locked"));
  try {
    sweepEmptyFiles(folder);
    expect(readdirSync(folder).sort()).toEqual(["folder", "full", "locked"]);
  } finally {
    lock.release();
  }
  sweepEmptyFiles(folder);
  expect(readdirSync(folder).sort()).toEqual(["folder", "full"]);
  sweepEmptyFiles(join(run, "absent"));
  expect(existsSync(join(run, "absent"))).toBe(false);
});

test("what is no record is told, and goes when nobody has it locked", () => {
  writeRecord(record);
  mkdirSync(join(run, "ports"));
  const [torn, locked] = [join(run, "net,c2,eth0"), join(run, "net,c3,eth0")];
  writeFileSync(torn, "{");
  const lock = lockRecord({ ...identity, containerId: "c3" });
  try {
    expect(strangeRecords().sort()).toEqual([torn, locked]);
    dropEmptyRecords();
    expect(readdirSync(run).sort()).toEqual(["net,c1,eth0", "net,c3,eth0", "ports"]);
  } finally {
    lock.release();
  }
});
