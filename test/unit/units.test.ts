/** The units of systemd in docs/dhcp are units, as far as systemd is here to say; and name what there is. */

import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { COMMANDS } from "../../src/cli/commands.ts";

const directory = join(import.meta.dir, "../../docs/dhcp");
const names = ["ipvlan-dhcp.service", "ipvlan-dhcp.socket"];
const unit = (name: string) => readFileSync(join(directory, name), "utf8");

test("the service starts a command that exists, on the socket where the plugin looks", () => {
  const [, program, command] = /^ExecStart=(\S+) (\S+)$/m.exec(unit("ipvlan-dhcp.service")) ?? [];
  expect(program).toBe("/opt/cni/bin/ipvlan");
  expect(COMMANDS.map(({ name }) => name)).toContain(command!);
  expect(unit("ipvlan-dhcp.socket")).toContain("\nListenStream=/run/ipvlan/dhcp.sock\n");
});

const hasSystemd = Bun.which("systemd-analyze") !== null;

test.skipIf(!hasSystemd)("systemd finds nothing wrong with them", () => {
  const scratch = mkdtempSync(join(tmpdir(), "ipvlan-units-"));
  try {
    // It looks for the program as well; any that is there will do.
    for (const name of names)
      writeFileSync(join(scratch, name), unit(name).replace("/opt/cni/bin/ipvlan", process.execPath));
    const { exitCode, stderr } = Bun.spawnSync(
      ["systemd-analyze", "verify", ...names.map((name) => join(scratch, name))],
      { env: { PATH: process.env.PATH ?? "", SYSTEMD_LOG_LEVEL: "warning" } },
    );
    const ours = stderr
      .toString()
      .split("\n")
      .filter((line) => line.includes("ipvlan-dhcp"));
    expect([exitCode, ours]).toEqual([0, []]);
  } finally {
    rmSync(scratch, { recursive: true });
  }
});
