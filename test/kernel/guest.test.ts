/** What test/kernel/guest promises: everything else rests on it. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command, type Output } from "../support/command.ts";
import { guestCommand, kernels, setUp } from "./environment.ts";

const program = join(import.meta.dir, "guest");
// Guests put their files below TMPDIR, so what one leaves behind shows here.
const scratch = mkdtempSync(join(tmpdir(), "ipvlan-guest-test."));
const base = join(scratch, "tmp");

beforeAll(async () => {
  expect(await setUp()).toBeString();
  await Bun.write(join(scratch, "shared/file"), "here");
  await Bun.write(join(base, ".keep"), "");
}, 300_000);

afterAll(() => {
  expect(readdirSync(base)).toEqual([".keep"]);
  rmSync(scratch, { recursive: true });
});

function guest(...words: string[]): Promise<Output> {
  const environment = { ...process.env, TMPDIR: base, FROM_HERE: "passed on" } as Record<string, string>;
  return command([program, ...words], { environment, timeoutMs: 60_000 });
}

describe.each([...kernels])("kernel %s", (kernel) => {
  test("brings back what a command prints and its exit status", async () => {
    const script = "uname -r; id -u; ip -o link show lo; echo complaint >&2; exit 42";
    const { exitCode, stdout, stderr } = await guest("--kernel", kernel, "sh", "-c", script);
    const [release, user, loopback] = stdout.split("\n");
    expect(release).toStartWith(`${kernel}.`);
    expect(user).toBe("0");
    expect(loopback).toContain("LOOPBACK,UP");
    expect(stderr).toBe("complaint\n");
    expect(exitCode).toBe(42);
  });

  test("brings back a great deal of output unharmed", async () => {
    const script = "seq 200000; seq 1000 >&2";
    const { stdout, stderr, exitCode } = await guest("--kernel", kernel, "sh", "-c", script);
    expect(exitCode).toBe(0);
    expect(stdout.length).toBe(1_288_895);
    expect(stdout).toEndWith("\n200000\n");
    expect(stderr).toEndWith("\n1000\n");
  });

  test("has the links that tests need", async () => {
    const lines = ["ipvlan mode l3s", "ipvlan mode l2 private", "macvlan", "vlan id 5"].map(
      (type, index) => `ip link add link one name link${index} type ${type} && ip link del link${index}`,
    );
    const others = ["one type veth peer name two", "bridge0 type bridge", "spare type dummy"];
    const script = [...others.map((words) => `ip link add ${words}`), ...lines].join(" && ");
    expect(await guest("--kernel", kernel, "sh", "-c", script)).toEqual({
      exitCode: 0,
      stdout: "",
      stderr: "",
    });
  });

  test("says what happened when the guest dies", async () => {
    const { exitCode, stderr } = await guest("--kernel", kernel, "sh", "-c", "echo c > /proc/sysrq-trigger");
    expect(exitCode).toBe(125);
    expect(stderr).toContain("panic");
  });
});

test("ends when the time is up", async () => {
  const begun = performance.now();
  const { exitCode, stdout, stderr } = await guest("--timeout", "4", "sh", "-c", "echo early; sleep 1000");
  expect(exitCode).toBe(124);
  expect(stdout).toBe("early\n");
  expect(stderr).toContain("time is up after 4 s");
  expect(performance.now() - begun).toBeLessThan(15_000);
});

test("does not wait for what the command left running", async () => {
  const { exitCode, stdout } = await guest("sh", "-c", "sleep 1000 & echo done");
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "done\n" });
});

test("reports a signal as a shell does, and a missing program", async () => {
  expect((await guest("sh", "-c", "kill -TERM $$")).exitCode).toBe(143);
  const missing = await guest("no-such-program");
  expect(missing.exitCode).toBe(127);
  expect(missing.stderr).toContain("no-such-program");
});

test("gives the command the environment and the directory asked for, and no more", async () => {
  const options = ["--env", "FROM_HERE", "--env", "TWO=a=b c", "--env", "EMPTY=", "--directory", "/usr"];
  const { stdout } = await guest(...options, "sh", "-c", "pwd; env | grep -v -e ^PWD= -e ^_= | sort");
  expect(stdout.split("\n").filter((line) => !line.startsWith("PATH="))).toEqual([
    ...["/usr", "EMPTY=", "FROM_HERE=passed on", "HOME=/root", "LANG=C.UTF-8", "TERM=dumb", "TWO=a=b c", ""],
  ]);
});

test("shares directories, and keeps only what is written where that was asked for", async () => {
  const [read, write] = [join(scratch, "shared"), join(scratch, "kept")];
  await Bun.write(join(write, "before"), "");
  const script = `cat ${read}/file; echo lost >${read}/file; echo kept >${write}/new; echo lost >/etc/ipvlan-lost; ls /tmp`;
  const { stdout, exitCode } = await guest(
    "--directory",
    "/",
    "--read",
    read,
    "--write",
    write,
    "sh",
    "-c",
    script,
  );
  expect({ stdout, exitCode }).toEqual({ stdout: `here${scratch.split("/").at(-1)}\n`, exitCode: 0 });
  expect(await Bun.file(join(read, "file")).text()).toBe("here");
  expect(await Bun.file(join(write, "new")).text()).toBe("kept\n");
  expect(await Bun.file("/etc/ipvlan-lost").exists()).toBe(false);
});

test("loads further modules, with those they need", async () => {
  const { stdout } = await guest("--module", "nf_tables", "--module", "vxlan", "cat", "/proc/modules");
  expect(stdout).toMatch(/^nf_tables /m);
  expect(stdout).toMatch(/^udp_tunnel /m);
  const refused = await guest("--module", "no_such_module", "true");
  expect(refused.exitCode).toBe(125);
  expect(refused.stderr).toContain("no module no_such_module");
});

test("refuses what it does not understand", async () => {
  expect((await guest("--kernel", "5", "true")).exitCode).toBe(125);
  expect((await guest("--read", "/no/such/directory", "true")).exitCode).toBe(125);
  expect((await guest("--nonsense", "true")).exitCode).toBe(125);
  expect((await guest()).exitCode).toBe(125);
});

test("several run side by side", async () => {
  const runs = await Promise.all(["a", "b", "c"].map((word) => guest("sh", "-c", `sleep 1; echo ${word}`)));
  expect(runs.map((run) => run.stdout)).toEqual(["a\n", "b\n", "c\n"]);
});

describe.each(["SIGTERM", "SIGINT", "SIGKILL"] as const)("killed by %s", (signal) => {
  test("takes the guest along", async () => {
    const mark = `ipvlan-guest-mark-${signal}`;
    const child = Bun.spawn([program, "--directory", "/", "sh", "-c", "echo up; sleep 1000", mark], {
      env: { ...process.env, TMPDIR: base },
      stdout: "pipe",
      stderr: "ignore",
    });
    for await (const _ of child.stdout) break;
    const run = readdirSync(base).find((name) => name.startsWith("ipvlan-guest."));
    expect(await processesNaming(`${run}`)).not.toEqual([]);
    child.kill(signal);
    await child.exited;
    const deadline = performance.now() + 5000;
    while ((await processesNaming(`${run}`)).length > 0 && performance.now() < deadline) await Bun.sleep(50);
    expect(await processesNaming(`${run}`)).toEqual([]);
    // Only then nobody is left to tidy up; the next run would, a minute later.
    if (signal === "SIGKILL") rmSync(join(base, `${run}`), { recursive: true });
  });
});

/** The command lines that contain `text`. */
async function processesNaming(text: string): Promise<string[]> {
  const numbers = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    numbers.map((number) =>
      Bun.file(`/proc/${number}/cmdline`)
        .text()
        .catch(() => ""),
    ),
  );
  return lines.filter((line) => line.includes(text));
}

test("ends with who started it, even when that was killed", async () => {
  const words = guestCommand({ kernel: "7", timeoutSeconds: 60 }, ["sh", "-c", "echo up; sleep 1000"]);
  const script = `Bun.spawn(${JSON.stringify(words)}, { stdout: "inherit" }); setInterval(() => {}, 1000);`;
  const starter = Bun.spawn([process.execPath, "-e", script], {
    env: { ...process.env, TMPDIR: base },
    stdout: "pipe",
  });
  const output = starter.stdout.getReader();
  const { value } = await output.read();
  expect(new TextDecoder().decode(value)).toBe("up\n");
  starter.kill("SIGKILL");
  // The pipe's other end is closed when the guest has ended.
  expect((await output.read()).done).toBeTrue();
  while (readdirSync(base).length > 1) await Bun.sleep(50);
});
