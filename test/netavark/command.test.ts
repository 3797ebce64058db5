/** Which of its faces the program shows, and what netavark's own callers expect of its command line. */

import { expect, test } from "bun:test";
import { binary } from "../kernel/environment.ts";
import { command } from "../support/command.ts";
import { netavarkInput, network, pluginInput } from "../support/netavark.ts";
import { bed, linkOf } from "../support/netavark-bed.ts";

const environment = { PATH: process.env.PATH ?? "" };

function run(words: string[], input: object | string = "", more: Record<string, string> = {}) {
  const stdin = typeof input === "string" ? input : JSON.stringify(input);
  return command([binary, ...words], { stdin, environment: { ...environment, ...more } });
}

test("CNI_COMMAND counts before any word on the command line", async () => {
  const answer = await run(["setup", "/n"], "{}", { CNI_COMMAND: "VERSION" });
  expect(JSON.parse(answer.stdout)).toHaveProperty("supportedVersions");
});

test("without options, the input tells netavark's callers from a plugin's", async () => {
  await using world = await bed();
  const { host, container } = world;
  for (const input of [netavarkInput(), pluginInput()]) {
    const call = (verb: string) =>
      host.run([binary, verb, container.path], { stdin: JSON.stringify(input), environment });
    const answer = await call("setup");
    expect(answer).toMatchObject({ exitCode: 0, stderr: "" });
    expect(Object.keys(JSON.parse(answer.stdout))).toEqual(
      "networks" in input ? ["podman"] : ["dns_search_domains", "dns_server_ips", "interfaces"],
    );
    expect((await linkOf(container))?.linkinfo?.info_kind).toBe("ipvlan");
    expect((await call("teardown")).stdout).toBe("");
  }
  const asked = network({ network_interface: "" });
  const asPlugin = await run(["create"], { ...asked, driver: "bun-ipvlan" });
  expect(JSON.parse(asPlugin.stdout)).toMatchObject({ driver: "bun-ipvlan" });
  const request = { network: asked, used: { names: { podman: "0" } }, options: {} };
  expect(await run(["create"], request)).toMatchObject({
    exitCode: 1,
    stdout: '{"error":"network already exists podman"}\n',
  });
});

test("versions: of what netavark is spoken, and for Podman's info", async () => {
  expect((await run(["--config", "/c", "--version"])).stdout).toMatch(/^netavark 2\.\d+\.\d+ \(ipvlan /);
  const document = JSON.parse((await run(["--config", "/tmp/\xff.test", "version"])).stdout);
  expect(document).toMatchObject({ version: expect.stringMatching(/^2\.\d+\.\d+$/) });
  expect(await run(["--version"])).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^ipvlan /) });
});

test.each([
  ["update", "it serves no names, so there are no DNS servers to update"],
  ["dhcp-proxy", "ipvlan networks cannot have their addresses from DHCP"],
  ["firewalld-reload", "it makes no firewall rules"],
  ["firewall-reload", "it makes no firewall rules"],
])("%s is refused with a reason", async (subcommand, why) => {
  const answer = await run(["--config", "/c", subcommand], "null");
  expect(answer).toMatchObject({ exitCode: 1, stderr: "" });
  expect(JSON.parse(answer.stdout)).toEqual({ error: `ipvlan does not do ${subcommand}: ${why}` });
});

test.each([
  [["--config", "/c"], "a subcommand is required"],
  [["--config", "/c", "setup"], "setup needs the path of a network namespace"],
  [["--config", "/c", "setup", "/n", "more"], "unexpected argument 'more' found"],
  [["teardown", "/n", "more"], "unexpected argument 'more' found"],
  [["--config", "/c", "nonsense"], "unrecognized subcommand 'nonsense'"],
  [["--config", "/c", "--nonsense"], "unexpected argument '--nonsense' found"],
])("%j: what is wrong with it on standard error, and status 2", async (words, text) => {
  const answer = await run(words);
  expect(answer).toMatchObject({ exitCode: 2, stdout: "" });
  expect(answer.stderr).toStartWith(`error: ${text}\n`);
});

test("help, for who asks as netavark's callers do", async () => {
  for (const words of [
    ["--config", "/c", "--help"],
    ["--config", "/c", "help"],
  ]) {
    const { exitCode, stdout, stderr } = await run(words);
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("teardown");
  }
});

test("the namespace is looked at before the input is read", async () => {
  expect(await run(["-f", "/absent", "setup", "/absent"])).toMatchObject({
    exitCode: 1,
    stdout: '{"error":"invalid namespace path: IO error: No such file or directory (os error 2)"}\n',
  });
});

test("an input file that is not there", async () => {
  await using world = await bed();
  expect(await run(["-f", "/absent", "setup", world.container.path])).toMatchObject({
    exitCode: 1,
    stdout: '{"error":"failed to load network options: IO error: No such file or directory (os error 2)"}\n',
  });
});

test("an interrupt does not stop a teardown halfway", async () => {
  await using world = await bed();
  const { host, container } = world;
  const stdin = JSON.stringify(pluginInput());
  await host.run([binary, "setup", container.path], { stdin, environment });
  const child = Bun.spawn(["ip", "netns", "exec", host.name, binary, "teardown", container.path], {
    stdin: "pipe",
    env: environment,
  });
  await waitsForInput(child.pid);
  child.kill("SIGINT");
  child.kill("SIGTERM");
  child.stdin.write(stdin);
  await child.stdin.end();
  expect(await child.exited).toBe(0);
  expect(await container.linkNames()).toEqual([]);
});

/** SIGINT and SIGTERM, counted from one. */
const BOTH = (1 << 1) | (1 << 14);

/** Waits until the process has set its signals and reads. */
async function waitsForInput(pid: number): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const status = await Bun.file(`/proc/${pid}/status`).text();
    const ignored = Number.parseInt(/SigIgn:\s*(\S+)/.exec(status)?.[1] ?? "0", 16);
    if ((ignored & BOTH) === BOTH) return;
    await Bun.sleep(10);
  }
  throw new Error("it does not ignore SIGINT");
}
