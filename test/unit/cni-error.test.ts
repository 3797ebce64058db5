import { expect, test } from "bun:test";
import { codes, errorDocument } from "../../src/cni/error.ts";
import { formatJson } from "../../src/cni/json.ts";
import { Failure, type FailureKind, joinFailures } from "../../src/error.ts";
import { EBUSY, KernelError } from "../../src/linux/errno.ts";

test("every kind has its code", () => {
  const expected: Record<FailureKind, number> = {
    version: 1,
    unsupported: 2,
    environment: 4,
    io: 5,
    decode: 6,
    config: 7,
    "own-namespace": 8,
    busy: 11,
    unavailable: 50,
    limited: 51,
    namespace: 100,
    master: 101,
    interface: 102,
    address: 103,
    route: 104,
    ipam: 105,
    check: 106,
    internal: 999,
  };
  expect(codes()).toEqual(expected);
  for (const [kind, code] of Object.entries(expected))
    expect(errorDocument(new Failure(kind as FailureKind, "no"), "1.0.0")).toEqual({
      cniVersion: "1.0.0",
      code,
      msg: "no",
    });
});

test("codes are distinct", () => {
  expect(new Set(Object.values(codes())).size).toBe(Object.keys(codes()).length);
});

test("details are the failure's own, then the cause, then the remedy", () => {
  const cause = new KernelError("RTM_NEWLINK", "eth0", EBUSY, "already a macvlan port");
  const failure = new Failure("master", "eth0 cannot serve", {
    cause,
    details: "mode l2",
    remedy: "remove the macvlan links",
  });
  expect(errorDocument(failure, "1.1.0")).toEqual({
    cniVersion: "1.1.0",
    code: 101,
    msg: "eth0 cannot serve",
    details:
      "mode l2; RTM_NEWLINK eth0: Device or resource busy (EBUSY): already a macvlan port; remove the macvlan links",
  });
});

test("the causes of causes are told, what the message says already is not", () => {
  const kernel = new KernelError("open", "/x", 2);
  const inner = new Failure("namespace", "inner", { cause: kernel, details: "inner details" });
  const outer = new Failure("interface", `outer: ${kernel.message}`, { cause: inner });
  expect(errorDocument(outer, "1.1.0").details).toBe("inner; inner details");
});

test("a kernel's sentence is told however deep it lies", () => {
  const kernel = new KernelError("open", "/x", 2);
  const inner = new Failure("namespace", "inner", { cause: new Failure("io", "between", { cause: kernel }) });
  expect(errorDocument(inner, "1.1.0").details).toBe("between; open /x: No such file or directory (ENOENT)");
});

test("a cause that is its own cause ends", () => {
  const error = new Error("round");
  error.cause = error;
  expect(errorDocument(new Failure("internal", "x", { cause: error }), "1.1.0").details).toBe("round");
});

test("another plugin's error is passed on as it is, code 0 too", () => {
  for (const code of [0, 11, 4711]) {
    const failure = new Failure("ipam", "theirs", {
      code,
      details: "said",
      remedy: "ours",
      cause: new Error("x"),
    });
    expect(errorDocument(failure, "0.4.0")).toEqual({
      cniVersion: "0.4.0",
      code,
      msg: "theirs",
      details: "said",
    });
  }
});

test("several failures keep the first one's code and remedy", () => {
  const joined = joinFailures([
    new Failure("ipam", "one", { remedy: "do" }),
    new KernelError("RTM_DELLINK", "e0", 1),
  ]);
  expect(errorDocument(joined, "1.1.0")).toEqual({
    cniVersion: "1.1.0",
    code: 105,
    msg: "one; RTM_DELLINK e0: Operation not permitted (EPERM)",
    details: "do",
  });
});

test("what is no Failure is our own fault, and its stack stays here", () => {
  for (const thrown of [new TypeError("undefined is not a function"), "undefined is not a function"]) {
    const document = errorDocument(thrown, "1.1.0");
    expect(document).toEqual({ cniVersion: "1.1.0", code: 999, msg: "undefined is not a function" });
    expect(JSON.stringify(document)).not.toContain(".ts");
  }
});

test("documents are printed as Go prints them", () => {
  expect(formatJson(errorDocument(new Failure("config", 'a<b>&\u2028\u2029"\\'), "1.1.0"))).toBe(
    `{
    "cniVersion": "1.1.0",
    "code": 7,
    "msg": "a\\u003cb\\u003e\\u0026\\u2028\\u2029\\"\\\\"
}`,
  );
});
