import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const headers = [
  "sys/socket.h",
  "errno.h",
  "linux/netlink.h",
  "linux/rtnetlink.h",
  "linux/if_link.h",
  "linux/if_addr.h",
  "linux/if.h",
  "linux/if_arp.h",
];

/** NAME_BYTES is the size of struct name. */
function expressionOf(name: string): string {
  return name.endsWith("_BYTES") ? `sizeof(struct ${name.slice(0, -"_BYTES".length).toLowerCase()})` : name;
}

test("every constant of wasm/uapi.ts is the system headers'", async () => {
  if (Bun.which("gcc") === null)
    throw new Error(
      "gcc is missing; install it with the kernel's headers: apt-get install gcc linux-libc-dev",
    );
  const constants: Record<string, number> = { ...(await import("../../wasm/uapi.ts")) };
  const names = Object.keys(constants);
  const directory = mkdtempSync(join(tmpdir(), "uapi."));
  try {
    const lines = [
      ...headers.map((header) => `#include <${header}>`),
      "#include <stdio.h>",
      "int main(void) {",
      ...names.map((name) => `  printf("${name} %lld\\n", (long long)(${expressionOf(name)}));`),
      "}",
    ];
    writeFileSync(join(directory, "uapi.c"), `${lines.join("\n")}\n`);
    run(["gcc", "-D_GNU_SOURCE", "-o", join(directory, "uapi"), join(directory, "uapi.c")]);
    const printed = run([join(directory, "uapi")])
      .trim()
      .split("\n");
    const system = Object.fromEntries(
      printed.map((line) => line.split(" ")).map(([name, value]) => [name!, Number(value)]),
    );
    expect(names.length).toBeGreaterThan(100);
    expect(constants).toEqual(system);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

function run(cmd: string[]): string {
  const done = Bun.spawnSync({ cmd });
  if (done.exitCode !== 0) throw new Error(`${cmd[0]}: ${done.stderr}`);
  return done.stdout.toString();
}
