import { describe, expect, test } from "bun:test";
import { readEnvironment } from "../../src/cni/environment.ts";
import { Failure } from "../../src/error.ts";

const FULL = {
  CNI_CONTAINERID: "c1",
  CNI_NETNS: "/run/netns/c1",
  CNI_IFNAME: "eth0",
  CNI_ARGS: "IgnoreUnknown=1;A=B",
  CNI_PATH: "/opt/cni/bin:/usr/lib/cni",
};

const REQUIRED: Record<string, string[]> = {
  ADD: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"],
  CHECK: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"],
  DEL: ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"],
  STATUS: ["CNI_PATH"],
  GC: ["CNI_PATH"],
};

function refusal(variables: Record<string, string | undefined>) {
  try {
    readEnvironment(variables);
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    expect(thrown.kind).toBe("environment");
    return thrown.details === undefined ? [thrown.message] : [thrown.message, thrown.details];
  }
  return "accepted";
}

test("everything is read", () => {
  expect(readEnvironment({ CNI_COMMAND: "ADD", ...FULL })).toEqual({
    command: "ADD",
    containerId: "c1",
    netns: "/run/netns/c1",
    ifName: "eth0",
    args: "IgnoreUnknown=1;A=B",
    path: "/opt/cni/bin:/usr/lib/cni",
    mayBeOwnNamespace: false,
  });
});

test("CNI_NETNS_OVERRIDE is 1 or true, in any case", () => {
  const read = (value: string) =>
    readEnvironment({ CNI_COMMAND: "ADD", ...FULL, CNI_NETNS_OVERRIDE: value }).mayBeOwnNamespace;
  for (const value of ["1", "true", "TRUE", "True"]) expect(read(value)).toBe(true);
  for (const value of ["", "0", "yes", "11", "true "]) expect(read(value)).toBe(false);
});

describe("required variables", () => {
  for (const [command, required] of Object.entries(REQUIRED)) {
    for (const name of Object.keys(FULL)) {
      const verdict = required.includes(name) ? "required" : "optional";
      test(`${name} is ${verdict} for ${command}, and empty is missing`, () => {
        for (const value of [undefined, ""])
          expect(refusal({ CNI_COMMAND: command, ...FULL, [name]: value })).toEqual(
            verdict === "required" ? [`required env variables [${name}] missing`] : "accepted",
          );
      });
    }
  }

  test("all that are missing are listed, in their order", () => {
    expect(refusal({ CNI_COMMAND: "ADD" })).toEqual([
      "required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing",
    ]);
    expect(refusal({ CNI_COMMAND: "DEL", CNI_IFNAME: "eth0" })).toEqual([
      "required env variables [CNI_CONTAINERID,CNI_PATH] missing",
    ]);
    expect(refusal({})).toEqual(["required env variables [CNI_COMMAND] missing"]);
  });

  test("a command that does not exist requires nothing", () => {
    expect(readEnvironment({ CNI_COMMAND: "FOO" }).command).toBe("FOO");
  });

  test("a wrong value is reported before a missing one", () => {
    expect(refusal({ CNI_COMMAND: "ADD", CNI_IFNAME: "a/b" })).toEqual([
      "interface name contains / or : or whitespace characters",
    ]);
    expect(refusal({ CNI_COMMAND: "ADD", CNI_CONTAINERID: "/", CNI_IFNAME: "a/b" })).toEqual([
      "invalid characters in containerID",
      "/",
    ]);
  });

  test("what a command does not require is not validated", () => {
    for (const command of ["STATUS", "GC"])
      expect(refusal({ CNI_COMMAND: command, CNI_PATH: "/x", CNI_CONTAINERID: "/", CNI_IFNAME: "a/b" })).toBe(
        "accepted",
      );
  });
});

test("container ids", () => {
  const read = (id: string) => refusal({ CNI_COMMAND: "DEL", ...FULL, CNI_CONTAINERID: id });
  for (const id of ["a", "0", "a_b.c-d", "x".repeat(5000)]) expect(read(id)).toBe("accepted");
  for (const id of ["-a", ".a", "_a", "a/b", "a\n", "ä", "a b", "..", "a:b"])
    expect(read(id)).toEqual(["invalid characters in containerID", id]);
});

describe("interface names", () => {
  const read = (name: string, command = "ADD") =>
    refusal({ CNI_COMMAND: command, ...FULL, CNI_IFNAME: name });

  test("of up to 15 bytes are accepted, whatever else they hold", () => {
    for (const name of ["eth0", "-", "...", "123456789012345", "ééééééé", "\ufeffa", "$(x)"])
      expect(read(name)).toBe("accepted");
  });

  test("are counted in bytes", () => {
    for (const name of ["1234567890123456", "éééééééé"])
      expect(read(name)).toEqual([
        "interface name is too long",
        "interface name should be less than 16 characters",
      ]);
  });

  test("cannot be . or ..", () => {
    for (const name of [".", ".."]) expect(read(name)).toEqual(["interface name is . or .."]);
  });

  test("have no /, no : and no white space of Unicode", () => {
    const white = " \t\n\v\f\r\u0085\u00a0\u1680\u2000\u2005\u200a\u2028\u2029\u202f\u205f\u3000";
    for (const character of `/:${white}`)
      expect(read(`a${character}b`)).toEqual(["interface name contains / or : or whitespace characters"]);
  });

  test("have no %, which the kernel would expand; DEL looks for the name and finds none", () => {
    const details = 'CNI_IFNAME is "eth%d"; the kernel would replace the % with a number';
    for (const command of ["ADD", "CHECK"])
      expect(read("eth%d", command)).toEqual(["interface name contains %", details]);
    expect(read("eth%d", "DEL")).toBe("accepted");
  });
});
