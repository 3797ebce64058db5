import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { leavePort, portName } from "../../src/ipvlan/port.ts";
import type { Namespace } from "../../src/linux/netns.ts";
import type { Link } from "../../src/linux/rtnetlink.ts";
import { scratch } from "../support/ipam.ts";
import { variable } from "../support/variable.ts";

describe("the name of a port, by which every release finds what another one wrote", () => {
  const home = { identity: "4:4026531833" } as Namespace;
  const link = (more: Partial<Link>) =>
    ({ index: 12, linkIndex: undefined, kind: undefined, ...more }) as Link;

  test("is the master's namespace and index there, without a colon", () => {
    expect(portName(home, link({}))).toBe("4-4026531833-12");
  });

  test("is that of the master below, when an ipvlan link is the master", () => {
    expect(portName(home, link({ kind: "ipvlan", linkIndex: 3 }))).toBe("4-4026531833-3");
    expect(portName(home, link({ kind: "vlan", linkIndex: 3 }))).toBe("4-4026531833-12");
  });
});

describe("leaving a port", () => {
  const gone = { netns: "/nonexistent", namespace: "4:1", ifName: "eth0" };
  const leftAfter = (port: string, files: Record<string, string>) => {
    using directory = scratch();
    using _ = variable("IPVLAN_RUN_DIR", directory.path);
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(directory.path, "ports"), { recursive: true });
      writeFileSync(join(directory.path, "ports", name), text);
    }
    leavePort({ port, ...gone });
    return (readdirSync(directory.path, { recursive: true }) as string[]).sort();
  };
  const witness = (more: object) => JSON.stringify({ ...gone, ...more });

  test("that has no file, or no name yet, makes none", () => {
    expect(leftAfter("4-1-2", {})).toEqual([]);
    expect(leftAfter("", { "4-1-3": witness({}) })).toEqual(["ports", "ports/4-1-3"]);
  });

  test("takes the file that names the endpoint, or nobody", () => {
    for (const text of [witness({}), witness({ netns: "/another/path" }), "", "{", "null", '"eth0"', "{}"])
      expect([text, leftAfter("4-1-2", { "4-1-2": text })]).toEqual([text, ["ports"]]);
  });

  test("leaves the file that names another one", () => {
    for (const text of [witness({ ifName: "eth1" }), witness({ namespace: "4:2" })])
      expect([text, leftAfter("4-1-2", { "4-1-2": text })]).toEqual([text, ["ports", "ports/4-1-2"]]);
  });
});

test("an endpoint that leaves while another one hands it the port waits, and takes the port's file with it", async () => {
  using directory = scratch();
  using _ = variable("IPVLAN_RUN_DIR", directory.path);
  const path = join(directory.path, "ports/4-1-2");
  const witness = (ifName: string) => ({ netns: "/nonexistent", namespace: `4:${ifName}`, ifName });
  mkdirSync(join(directory.path, "ports"));
  writeFileSync(path, JSON.stringify(witness("first")));
  // The first one, leaving too, has the lock and has chosen the second as the next witness.
  const script = 'echo held; sleep 0.3; printf %s "$1" > "$0"';
  const leaving = Bun.spawn(["flock", path, "sh", "-c", script, path, JSON.stringify(witness("second"))], {
    stdout: "pipe",
  });
  await leaving.stdout.getReader().read();
  leavePort({ port: "4-1-2", ...witness("second") });
  expect(await leaving.exited).toBe(0);
  expect(existsSync(path)).toBe(false);
});
