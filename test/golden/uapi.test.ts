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
  const constants: Record<string, number> = { ...(await import("../../wasm/uapi.ts")) };
  expect(Object.keys(constants).length).toBeGreaterThan(100);
  expect(constants).toEqual(asHeadersHave(constants, headers, expressionOf));
});

test.each([
  ["x64", "asm/unistd_64.h"],
  ["arm64", "asm-generic/unistd.h"],
])("on %s every system call has the number of <%s>", (arch, header) => {
  const table = join(import.meta.dir, "../../src/linux/syscalls.ts");
  const script = `Object.defineProperty(process, "arch", { value: "${arch}" });
    console.log(JSON.stringify((await import(${JSON.stringify(table)})).NR));`;
  const numbers = JSON.parse(run([process.execPath, "-e", script]));
  expect(Object.keys(numbers).length).toBeGreaterThan(20);
  expect(numbers).toEqual(asHeadersHave(numbers, [header], (name) => `__NR_${name}`));
});

/** What these names stand for in C. Throws when one is unknown there. */
function asHeadersHave(
  names: Record<string, number>,
  includes: string[],
  expressionOf: (name: string) => string,
): Record<string, number> {
  if (Bun.which("gcc") === null)
    throw new Error(
      "gcc is missing; install it with the kernel's headers: apt-get install gcc linux-libc-dev",
    );
  const directory = mkdtempSync(join(tmpdir(), "uapi."));
  try {
    const lines = [
      ...includes.map((header) => `#include <${header}>`),
      "#include <stdio.h>",
      "int main(void) {",
      ...Object.keys(names).map((name) => `  printf("${name} %lld\\n", (long long)(${expressionOf(name)}));`),
      "}",
    ];
    writeFileSync(join(directory, "uapi.c"), `${lines.join("\n")}\n`);
    run(["gcc", "-D_GNU_SOURCE", "-o", join(directory, "uapi"), join(directory, "uapi.c")]);
    const printed = run([join(directory, "uapi")])
      .trim()
      .split("\n");
    return Object.fromEntries(
      printed.map((line) => line.split(" ")).map(([name, value]) => [name!, Number(value)]),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function run(cmd: string[]): string {
  const done = Bun.spawnSync({ cmd });
  if (done.exitCode !== 0) throw new Error(`${cmd[0]}: ${done.stderr}`);
  return done.stdout.toString();
}
