import { describe, expect, test } from "bun:test";
import { gate, isCommand } from "../../src/cni/gate.ts";
import { isSupported, SUPPORTED_VERSIONS, versionAnswer } from "../../src/cni/version.ts";
import { Failure } from "../../src/error.ts";

const OLD = ["0.1.0", "0.2.0", "0.3.0", "0.3.1"];

/** kind, message and details of what `work` throws. */
function failureOf(work: () => unknown) {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof Failure) return [thrown.kind, thrown.message, thrown.details];
    throw thrown;
  }
  return "did not throw";
}

test("VERSION is answered with the reference's very line", () => {
  expect(versionAnswer()).toBe(
    '{"cniVersion":"1.1.0","supportedVersions":["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]}',
  );
});

test("version.ts imports nothing, so that VERSION loads nothing", async () => {
  const source = await Bun.file(new URL("../../src/cni/version.ts", import.meta.url)).text();
  expect(new Bun.Transpiler({ loader: "ts" }).scanImports(source)).toEqual([]);
});

test("versions are compared letter by letter", () => {
  expect(SUPPORTED_VERSIONS.every(isSupported)).toBe(true);
  for (const version of ["", "1", "1.0", "1.1", "1.1.0 ", "v1.1.0", "01.1.0", "1.1.1"])
    expect(isSupported(version)).toBe(false);
});

test("VERSION is no verb of a network, nor is a word in other case or of an object's prototype", () => {
  for (const command of ["ADD", "DEL", "CHECK", "STATUS", "GC"]) expect(isCommand(command)).toBe(true);
  for (const command of ["VERSION", "add", "", "toString", "__proto__", "constructor"])
    expect(isCommand(command)).toBe(false);
});

describe("gates", () => {
  test("ADD and DEL accept every supported version", () => {
    for (const version of SUPPORTED_VERSIONS) {
      expect(gate("ADD", version)).toBe(version);
      expect(gate("DEL", version)).toBe(version);
    }
  });

  test("CHECK needs 0.4.0", () => {
    for (const version of OLD)
      expect(failureOf(() => gate("CHECK", version)).slice(0, 2)).toEqual([
        "version",
        "config version does not allow CHECK",
      ]);
    for (const version of ["0.4.0", "1.0.0", "1.1.0"]) expect(gate("CHECK", version) as string).toBe(version);
  });

  test("STATUS and GC need 1.1.0", () => {
    for (const command of ["STATUS", "GC"] as const) {
      for (const version of [...OLD, "0.4.0", "1.0.0"])
        expect(failureOf(() => gate(command, version)).slice(0, 2)).toEqual([
          "version",
          `config version does not allow ${command}`,
        ]);
      expect(gate(command, "1.1.0")).toBe("1.1.0");
    }
  });

  test("an unknown version is refused with the list of supported ones", () => {
    const list = '["0.1.0" "0.2.0" "0.3.0" "0.3.1" "0.4.0" "1.0.0" "1.1.0"]';
    for (const version of ["9.9.9", "abc", "1.0.5", "1.1"])
      expect(failureOf(() => gate("ADD", version))).toEqual([
        "version",
        "incompatible CNI versions",
        `config is "${version}", plugin supports ${list}`,
      ]);
    expect(failureOf(() => gate("CHECK", "1.0.5")).slice(0, 2)).toEqual([
      "version",
      "incompatible CNI versions",
    ]);
  });

  test("a version newer than all is refused by the verbs that compare", () => {
    for (const command of ["CHECK", "STATUS", "GC"] as const)
      for (const version of ["1.1.1", "1.2.0", "2", "10.0.0"])
        expect(failureOf(() => gate(command, version)).slice(0, 2)).toEqual([
          "version",
          `plugin version does not allow ${command}`,
        ]);
  });

  test("a version that is no number cannot be compared", () => {
    const cases: [string, string][] = [
      ["abc", 'failed to convert major version part "abc": not a number'],
      ["1.x.0", 'failed to convert minor version part "x": not a number'],
      ["1.1.-1", 'failed to convert micro version part "-1": not a number'],
      ["1.", 'failed to convert minor version part "": not a number'],
      ["1.2.3.4", 'invalid version "1.2.3.4": too many parts'],
    ];
    for (const [version, message] of cases)
      expect(failureOf(() => gate("CHECK", version)).slice(0, 2)).toEqual(["decode", message]);
  });

  test("missing parts are zero: 2 is newer, 0 is older", () => {
    expect(failureOf(() => gate("GC", "0")).slice(0, 2)).toEqual([
      "version",
      "config version does not allow GC",
    ]);
  });
});
