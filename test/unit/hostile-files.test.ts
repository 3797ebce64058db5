/** State files and plugins that say what they should not: where it would lead them, had they their way. */

import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { answerAsIpam } from "../../src/cni/ipam-plugin.ts";
import { del } from "../../src/ipvlan/del.ts";
import { gc } from "../../src/ipvlan/gc.ts";
import { leaveHost } from "../../src/ipvlan/host-access.ts";
import { leavePort } from "../../src/ipvlan/port.ts";
import { allRecords, readRecord } from "../../src/ipvlan/record.ts";
import { leaveVlan } from "../../src/ipvlan/vlan.ts";
import { openNamespace } from "../../src/linux/netns.ts";
import { setUpNetworks } from "../../src/netavark/networks.ts";
import { survives } from "../support/hostile.ts";
import { scratch } from "../support/ipam.ts";
import { variable } from "../support/variable.ts";

const directory = scratch();
const run = join(directory.path, "run");
const canary = join(directory.path, "canary");
const runDirectory = variable("IPVLAN_RUN_DIR", run);

beforeEach(() => {
  rmSync(run, { recursive: true, force: true });
  for (const name of ["ports", "vlans", "hosts"]) mkdirSync(join(run, name), { recursive: true });
  writeFileSync(canary, "{}");
});
afterAll(() => {
  runDirectory[Symbol.dispose]();
  directory[Symbol.dispose]();
});

const identity = { network: "net", containerId: "c1", ifName: "eth0" };
const right = {
  ...identity,
  netns: "/nonexistent",
  namespace: "0:4:1",
  master: "eth0",
  port: "p",
  mode: "l2",
  flag: "bridge",
};
const wrong: [string, object][] = [
  ...["../../canary", "..", ".", "", "a/b", "a\0b"].flatMap((name): [string, object][] => [
    // An empty port is right, see below.
    ...(name === "" ? [] : [[`port ${JSON.stringify(name)}`, { port: name }] as [string, object]]),
    [`VLAN ${JSON.stringify(name)}`, { vlan: name }],
    [`host's name ${JSON.stringify(name)}`, { host: { name, containers: [] } }],
  ]),
  ["another network's name", { network: "other" }],
  ["a network that is a path", { network: "../net" }],
  ["another container's id", { containerId: "c2" }],
  ["another interface's name", { ifName: "eth1" }],
  ...["netns", "namespace", "master", "port", "mode", "flag", "vlan"].map((key): [string, object] => [
    `a number for ${key}`,
    { [key]: 7 },
  ]),
  ["a word for whether it is gone", { gone: "yes" }],
  ["a host that is none", { host: 7 }],
  ["a host without containers", { host: { name: "h" } }],
  ["a host whose containers are no addresses", { host: { name: "h", containers: ["x"] } }],
  ["a host whose containers are numbers", { host: { name: "h", containers: [7] } }],
];

describe("a record with", () => {
  test.each(wrong)("%s counts as none, and leads nowhere", async (_, change) => {
    const file = join(run, "net,c1,eth0");
    writeFileSync(file, JSON.stringify({ ...right, ...change }));
    expect(readRecord(identity)).toBeUndefined();
    expect(allRecords()).toEqual([]);
    const attachment = { containerId: "c1", ifName: "eth0", netns: "" };
    const endpoint = {
      master: "x",
      mode: "l2",
      flag: "bridge",
      mtu: undefined,
      linkInContainer: false,
    } as const;
    const call = { network: "net", attachment, endpoint, ipam: undefined, prevResult: undefined };
    await gc({ ...call, validAttachments: [] });
    await del({ ...call, validAttachments: undefined });
    expect(existsSync(canary)).toBe(true);
    expect(readdirSync(run).sort()).toEqual(["hosts", "ports", "vlans"]);
  });

  test("all that belongs in it is read", () => {
    const whole = {
      ...right,
      vlan: "v",
      host: { name: "h", containers: ["10.0.0.1", "fd00::1"] },
      gone: true,
    };
    // From before the VLAN was there.
    for (const record of [whole, { ...whole, port: "" }]) {
      writeFileSync(join(run, "net,c1,eth0"), JSON.stringify(record));
      expect(readRecord(identity)).toEqual(record);
    }
  });
});

test("state that is too long to be read does not stop a removal", async () => {
  const long = Buffer.alloc(70_000, " ");
  for (const path of ["ports/p", "vlans/v", "hosts/h"]) writeFileSync(join(run, path), long);
  leavePort({ ...right, port: "p" });
  leaveVlan("v");
  await leaveHost({ ...identity, host: { name: "h", containers: [] } }, undefined);
  for (const name of ["ports", "vlans", "hosts"]) expect(readdirSync(join(run, name))).toEqual([]);
});

test("a port's witness can only be called what an interface is called", () => {
  const port = (ifName: string) => {
    const witness = { netns: "/nonexistent", namespace: "0-0", ifName };
    writeFileSync(join(run, "ports/p"), JSON.stringify(witness));
    leavePort({ netns: "/nonexistent", namespace: "1-1", ifName: "eth0", port: "p" });
    return existsSync(join(run, "ports/p"));
  };
  // Another endpoint's port stays; what names nobody is as good as no witness at all.
  for (const name of ["e", "x".repeat(15), "ééééééé"]) expect([name, port(name)]).toEqual([name, true]);
  for (const name of ["", "x".repeat(16), "éééééééé", "a\0b"])
    expect([name, port(name)]).toEqual([name, false]);
});

test("a NUL in a path is the configuration's mistake and not ours", async () => {
  const variables = {
    CNI_CONTAINERID: "c1",
    CNI_NETNS: "/nonexistent",
    CNI_IFNAME: "eth0",
    CNI_PATH: "/nonexistent",
  };
  for (const path of [{ dataDir: `${directory.path}/a\0b` }, { resolvConf: "/etc/hosts\0x" }]) {
    const ipam = { type: "host-local", subnet: "10.1.0.0/24", dataDir: join(directory.path, "d"), ...path };
    const config = Buffer.from(JSON.stringify({ cniVersion: "1.1.0", name: "net", ipam }));
    for (const [CNI_COMMAND, code] of [
      ["ADD", 105],
      ["STATUS", 50],
    ] as const) {
      const { document } = await answerAsIpam("host-local", { CNI_COMMAND, ...variables }, () => config);
      expect(JSON.parse(document)).toMatchObject({ code, msg: expect.stringContaining("NUL") });
    }
  }
  expect(() => openNamespace("/proc/self/ns/net\0")).toThrow("NUL");
  await survives(() => openNamespace("/proc/self/ns/net\0"));
});

describe("a netavark plugin", () => {
  const path = join(directory.path, "plugins");
  const input = (driver: string) => ({
    container_id: "c1",
    networks: { net: { interface_name: "eth0" } },
    network_info: { net: { name: "net", driver } },
  });
  const plugin = (name: string, script: string) => {
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  };
  const setUp = async (driver: string) => {
    const { runPlugin } = await import("../../src/netavark/external.ts");
    return runPlugin({ name: driver, path: join(path, driver) }, ["setup", "/nonexistent"], input(driver));
  };

  test("may print a megabyte and no more", async () => {
    // Whole numbers of the shell's blocks, and a quoted text around them.
    const limit = 1 << 20;
    const print = (length: number) => `printf '"'; head -c ${length - 2} /dev/zero | tr '\\0' x; printf '"'`;
    for (const length of [limit - 1, limit]) {
      plugin("talker", print(length));
      expect(String(await setUp("talker"))).toHaveLength(length - 2);
    }
    plugin("talker", print(limit + 1));
    expect(setUp("talker")).rejects.toThrow(`printed more than ${limit} bytes`);
    plugin("talker", "yes");
    expect(setUp("talker")).rejects.toThrow(`printed more than ${limit} bytes`);
  });

  test("that has printed too much is ended, though it hears no signal that can be ignored", async () => {
    const late = join(path, "late");
    plugin("talker", `trap '' TERM INT HUP; yes 2>&-; sleep 1; touch ${late}`);
    await expect(setUp("talker")).rejects.toThrow("printed more than");
    expect(existsSync(late)).toBe(false);
  });

  test("tears down in a process group of its own, which no interrupt of ours reaches, and sets up in ours", async () => {
    const { runPlugin } = await import("../../src/netavark/external.ts");
    const told = join(path, "told");
    plugin("teller", `echo '{}'; echo "$$ $(cut -d ' ' -f 5 /proc/$$/stat)" >${told}`);
    const groupOf = (verb: "setup" | "teardown") => {
      runPlugin({ name: "teller", path: join(path, "teller") }, [verb, "/nonexistent"], {});
      const [pid, group] = readFileSync(told, "utf8").trim().split(" ");
      return group === pid ? "its own" : "ours";
    };
    expect([groupOf("setup"), groupOf("teardown")]).toEqual(["ours", "its own"]);
  });

  test("gets no variable of Bun's", async () => {
    plugin("teller", "env | grep -c ^BUN_ | tr -d '\\n'");
    using _ = variable("BUN_BE_BUN", "1");
    expect(await setUp("teller")).toBe(0);
  });
});

test("a network called __proto__ needs no plugin to be refused", async () => {
  const networks = JSON.parse('{"__proto__": {"interface_name": "eth0"}}') as object;
  const input = { container_id: "c1", networks, network_info: {} };
  await survives(() =>
    setUpNetworks(
      "/proc/self/ns/net",
      [],
      () => input,
      () => {},
    ),
  );
});
