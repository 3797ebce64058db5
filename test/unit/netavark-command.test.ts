/** The command line: who is meant, and what it says. */

import { describe, expect, test } from "bun:test";
import { isForNetavark, readCommandLine, UsageError } from "../../src/netavark/command.ts";

test.each([
  [["create"], true],
  [["setup", "/n"], true],
  [["teardown", "/n"], true],
  [["info"], true],
  [["update", "podman"], true],
  [["dhcp-proxy"], true],
  [["firewalld-reload"], true],
  [["firewall-reload"], true],
  [["--config", "/c", "version"], true],
  [["--config=/c", "version"], true],
  [["-c", "/c", "--version"], true],
  [["-f/file", "setup", "/n"], true],
  [["--rootless=true", "setup"], true],
  [["-r", "true", "setup"], true],
  [["--plugin-directory", "/p", "setup"], true],
  [["--firewall-driver", "none", "setup"], true],
  [["-a/a", "setup"], true],
  [["--aardvark-binary=/a", "setup"], true],
  [["-V"], true],
  [[], false],
  [["version"], false],
  [["--version"], false],
  [["help"], false],
  [["-h"], false],
  [["demo"], false],
  [["--nonsense"], false],
  [["constructor"], false],
  [["toString"], false],
])("%j is for netavark: %p", (words, expected) => {
  expect(isForNetavark(words)).toBe(expected);
});

describe("reading", () => {
  test("options in every spelling, those without a meaning for ipvlan passed over", () => {
    const words = [
      "--file=/a=b",
      "-c",
      "/c",
      "-rtrue",
      "-a",
      "",
      "--plugin-directory",
      "/p",
      "--plugin-directory=/q",
    ];
    expect(readCommandLine([...words, "--firewall-driver", "none", "setup", "/n", "--more"])).toEqual({
      subcommand: "setup",
      operands: ["/n", "--more"],
      hasGlobalOptions: true,
      file: "/a=b",
      pluginDirectories: ["/p", "/q"],
      wants: undefined,
    });
    expect(readCommandLine(["-f=/x"]).file).toBe("/x");
    expect(readCommandLine(["-f/x"]).file).toBe("/x");
    expect(readCommandLine(["-fx", "setup"])).toMatchObject({ file: "x", subcommand: "setup" });
  });

  test("a plugin's command line has none", () => {
    expect(readCommandLine(["setup", "/n"])).toMatchObject({ hasGlobalOptions: false, operands: ["/n"] });
  });

  test("help and version", () => {
    expect(readCommandLine(["--config", "x", "--version"]).wants).toBe("version");
    expect(readCommandLine(["-h"]).wants).toBe("help");
  });

  test.each([
    [["--nonsense"], "unexpected argument '--nonsense' found"],
    [["-x"], "unexpected argument '-x' found"],
    [["--config"], "a value is required for '--config' but none was supplied"],
    [["-r", "maybe"], "invalid value 'maybe' for '-r': true or false"],
  ])("%j is wrong", (words, text) => {
    expect(() => readCommandLine(words)).toThrow(new UsageError(text));
  });
});
