/** What the command line says and takes, without a kernel. */

import { expect, spyOn, test } from "bun:test";
import { readArguments } from "../../src/cli/arguments.ts";
import { type Command, UsageError, usageOf } from "../../src/cli/command.ts";
import { COMMANDS } from "../../src/cli/commands.ts";
import { SHELLS } from "../../src/cli/completion/words.ts";
import { completionScript } from "../../src/cli/completion.ts";
import { explain, overview } from "../../src/cli/help.ts";
import { nearest } from "../../src/cli/nearest.ts";
import { missingCapabilities } from "../../src/cli/privileges.ts";
import { runCli } from "../../src/cli/run.ts";
import { painter, table, wantsColour, wrap } from "../../src/cli/terminal.ts";

const plain = painter(false);

/** Runs the face with standard output and error caught. */
async function say(...words: string[]): Promise<{ status: number; out: string; err: string }> {
  const out = spyOn(console, "log").mockImplementation(() => {});
  const err = spyOn(console, "error").mockImplementation(() => {});
  try {
    const status = await runCli(words);
    const text = (spy: typeof out) => spy.mock.calls.flat().join("\n");
    return { status, out: text(out), err: text(err) };
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
}

test("without a word it answers as every CNI plugin does, and nothing on standard output", async () => {
  const { status, out, err } = await say();
  expect([status, out]).toEqual([0, ""]);
  expect(err).toContain("CNI protocol versions supported: 0.1.0, ");
});

test("help lists every command, and explains each with its options", async () => {
  const { out } = await say("help");
  for (const { name, summary } of COMMANDS) expect(out).toContain(`${name.padEnd(11)}  ${summary}`);
  for (const command of COMMANDS) {
    const text = (await say(command.name, "--help")).out;
    expect(text).toContain(`ipvlan ${command.name}`);
    for (const { name } of command.options ?? []) expect(text).toContain(`--${name}`);
  }
  expect(overview(plain)).not.toContain("\x1b");
  expect(explain(COMMANDS[0]!, painter(true))).toContain("\x1b[1m");
});

test("a wrong command line ends with status 2 and says what is wrong", async () => {
  expect(await say("lst")).toMatchObject({ status: 2, err: expect.stringContaining('did you mean "list"?') });
  expect(await say("validate")).toMatchObject({ status: 2, err: expect.stringContaining("FILE is missing") });
  expect(await say("list", "x")).toMatchObject({
    status: 2,
    err: expect.stringContaining('what is "x" for?'),
  });
  expect(await say("list", "--jsn")).toMatchObject({ status: 2, err: expect.stringContaining("--jsn") });
  expect(await say("completion", "csh")).toMatchObject({ status: 2, out: "" });
});

test("version says the version, also with two dashes", async () => {
  expect((await say("--version")).out).toStartWith(`ipvlan ${PLUGIN_VERSION}\nCNI 0.1.0, `);
});

test("options and operands are read as the command declares them", () => {
  const command: Command = {
    name: "x",
    summary: "",
    description: [],
    operands: [
      { name: "A", kind: "file" },
      { name: "B", kind: "file", optional: true, repeated: true },
    ],
    options: [
      { name: "json", summary: "" },
      { name: "dest", short: "d", value: "DIR", summary: "" },
    ],
    load: async () => () => 0,
  };
  const input = readArguments(command, ["one", "-d", "/x", "two", "--json", "--", "--three"]);
  expect(input.operands).toEqual(["one", "two", "--three"]);
  expect([input.text("dest"), input.has("json"), input.text("none")]).toEqual(["/x", true, undefined]);
  expect(() => readArguments(command, ["one", "--dest"])).toThrow(UsageError);
  expect(usageOf(command)).toBe("x [--json] [--dest DIR] A [B...]");
});

test("colour is for terminals whose user has not refused it", () => {
  expect(wantsColour({ isTTY: true }, {})).toBe(true);
  expect(wantsColour({ isTTY: true }, { NO_COLOR: "1" })).toBe(false);
  expect(wantsColour({ isTTY: true }, { NO_COLOR: "" })).toBe(true);
  expect(wantsColour({ isTTY: true }, { TERM: "dumb" })).toBe(false);
  expect(wantsColour({}, {})).toBe(false);
});

test("tables align what is wide, and lines do not end in spaces", () => {
  expect(table(["A", "LONG"], [["日本", "x"], ["y"]], plain)).toBe("A     LONG\n日本  x\ny");
  expect(wrap("one two three", 9, "  ")).toBe("  one two\n  three");
});

test("the nearest word is close, or there is none", () => {
  expect(nearest("mastr", ["mode", "master", "mtu"])).toBe("master");
  expect(nearest("mdoe", ["mode", "master"])).toBe("mode");
  expect(nearest("bandwidth", ["mode", "master"])).toBeUndefined();
});

test("capabilities are read from the process's status", () => {
  expect(missingCapabilities("CapEff:\t000001ffffffffff\n")).toEqual([]);
  expect(missingCapabilities("CapEff:\t00000000a80425fb\n")).toEqual(["CAP_NET_ADMIN", "CAP_SYS_ADMIN"]);
  expect(missingCapabilities("")).toEqual(["CAP_NET_ADMIN", "CAP_SYS_ADMIN"]);
});

test("each completion script names every command and option", () => {
  for (const shell of SHELLS) {
    const script = completionScript(shell)!;
    for (const { name, options } of COMMANDS) {
      expect(script).toContain(name);
      for (const option of options ?? []) expect(script).toContain(option.name);
    }
  }
});

test("bash takes its script, and completes commands, options and files with it", () => {
  const complete = (...words: string[]) => {
    const script = `${completionScript("bash")}
      COMP_WORDS=(ipvlan ${words.map((word) => `'${word}'`).join(" ")})
      COMP_CWORD=${words.length}
      _ipvlan
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = Bun.spawnSync(["bash", "-c", script], { cwd: import.meta.dir });
    expect(stderr.toString()).toBe("");
    return stdout.toString().trim().split("\n");
  };
  expect(complete("do")).toEqual(["doctor"]);
  expect(complete("list", "--")).toEqual(["--json", "--leases", "--help"]);
  expect(complete("completion", "")).toEqual([...SHELLS]);
  expect(complete("validate", "cli-w")).toEqual(["cli-words.test.ts"]);
  expect(complete("help", "val")).toEqual(["validate"]);
});
