/** `ipvlan demo`, what a person runs first. */

import { expect, test } from "bun:test";
import { binary } from "../kernel/environment.ts";
import { command } from "../support/command.ts";

test("the demo attaches two containers that ping each other, and nothing is left", async () => {
  const { exitCode, stdout, stderr } = await command([binary, "demo"]);
  expect([exitCode, stderr]).toEqual([0, ""]);
  for (const line of ["mode l2 on master uplink0", "ping  alice -> bob: reply", "ping  bob -> alice: reply"])
    expect(stdout).toContain(line);
  expect(stdout).toEndWith("Nothing is left: no link, no lease, no record.\n");
});
