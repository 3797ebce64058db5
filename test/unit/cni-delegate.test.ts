import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DelegateOptions, delegate, findPlugin } from "../../src/cni/delegate.ts";
import { errorDocument } from "../../src/cni/error.ts";
import { execute, NotStarted, quote } from "../../src/cni/execute.ts";
import { Failure } from "../../src/error.ts";
import { formatPrefix } from "../../src/net/ip.ts";

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "cni-delegate-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let count = 0;
const STDIN = Buffer.from('{ "name" : "n",  "ipam": {"type":"x"} }\n');

/** A plugin made of shell; its calls are logged to `${path}.log`, one command a line. */
function plugin(script: string, interpreter = "/bin/sh"): string {
  const type = `ipam${count++}`;
  const path = join(directory, type);
  writeFileSync(path, `#!${interpreter}\necho "$CNI_COMMAND" >> '${path}.log'\n${script}\n`);
  chmodSync(path, 0o755);
  return type;
}

function ipam(type: string, change: Partial<DelegateOptions> = {}, variables: Record<string, string> = {}) {
  return delegate({
    type,
    path: directory,
    cniVersion: "1.1.0",
    execution: {
      stdin: STDIN,
      variables: { PATH: "/usr/bin:/bin", CNI_COMMAND: "ADD", ...variables },
      busyPauseMs: 5,
    },
    ...change,
  });
}

const commandsOf = (type: string) =>
  existsSync(join(directory, `${type}.log`))
    ? readFileSync(join(directory, `${type}.log`), "utf8")
        .trim()
        .split("\n")
    : [];

async function failureOf(work: () => unknown): Promise<Failure> {
  try {
    await work();
  } catch (thrown) {
    if (thrown instanceof Failure) return thrown;
    throw thrown;
  }
  throw new Error("did not throw");
}

/** code, msg and details of the error document. */
async function documentOf(work: () => unknown) {
  const { code, msg, details } = errorDocument(await failureOf(work), "1.1.0");
  return [code, msg, details];
}

describe("looking a plugin up", () => {
  const refusal = (type: string, path: string) =>
    failureOf(() => findPlugin(type, path)).then(({ kind, message }) => [kind, message]);

  test("takes the first regular file of that name, executable or not", () => {
    for (const part of ["a", "b", "c/x"]) mkdirSync(join(directory, part), { recursive: true });
    mkdirSync(join(directory, "a/x"));
    writeFileSync(join(directory, "b/x"), "");
    expect(findPlugin("x", `${directory}/none:${directory}/a:${directory}/b:${directory}/c`)).toBe(
      `${directory}/b/x`,
    );
  });

  test("follows symbolic links", () => {
    symlinkSync("/bin/sh", join(directory, "link"));
    symlinkSync("/nowhere", join(directory, "dangling"));
    expect(findPlugin("link", directory)).toBe(`${directory}/link`);
    expect(() => findPlugin("dangling", directory)).toThrow();
  });

  test("an empty element is the working directory", () => {
    expect(findPlugin("package.json", `/none:`)).toBe("./package.json");
  });

  test("says where it looked", async () => {
    expect(await refusal("nobody", "/a:/b")).toEqual([
      "ipam",
      'failed to find plugin "nobody" in path [/a /b]',
    ]);
    expect(await refusal("", "/a")).toEqual(["config", "no plugin name provided"]);
    expect(await refusal("x", "")).toEqual(["ipam", "no paths provided"]);
    expect((await failureOf(() => findPlugin("x", ""))).remedy).toBe("set CNI_PATH");
    expect((await failureOf(() => findPlugin("nobody", "/a"))).remedy).toBe(
      "install the IPAM plugin there, or correct ipam.type",
    );
    expect((await failureOf(() => findPlugin("a/b", "/a"))).remedy).toBe(
      "ipam.type must be the name of a file in CNI_PATH",
    );
  });

  test("never leaves the directories", async () => {
    for (const type of ["a/b", "/bin/sh", "../sh", "..", ".", "x/", "sh\0"])
      expect(await refusal(type, "/bin:/usr/bin")).toEqual(["config", `invalid plugin name: ${type}`]);
  });

  test("a missing plugin makes STATUS unavailable, and every other verb fail", async () => {
    const missing = ipam("nobody");
    expect((await failureOf(() => missing.status())).kind).toBe("unavailable");
    for (const verb of ["add", "del", "check", "gc"] as const)
      expect((await failureOf(() => missing[verb]())).kind).toBe("ipam");
  });
});

describe("executing a plugin", () => {
  test("gives it the exact bytes, no arguments, the working directory and the environment with its command", async () => {
    const type = plugin(
      `cat > "$OUT.stdin"; env > "$OUT.env"; echo "$#" > "$OUT.args"; pwd > "$OUT.cwd"; echo '{}'`,
    );
    const OUT = join(directory, "seen");
    await ipam(
      type,
      {},
      { OUT, CNI_ARGS: "A=B;C=D", TRACEPARENT: "t", BUN_BE_BUN: "1", BUN_OPTIONS: "x" },
    ).check();
    expect(readFileSync(`${OUT}.stdin`).equals(STDIN)).toBe(true);
    expect(readFileSync(`${OUT}.args`, "utf8")).toBe("0\n");
    expect(readFileSync(`${OUT}.cwd`, "utf8").trim()).toBe(process.cwd());
    const environment = readFileSync(`${OUT}.env`, "utf8").split("\n");
    for (const line of ["CNI_COMMAND=CHECK", "CNI_ARGS=A=B;C=D", "TRACEPARENT=t"])
      expect(environment).toContain(line);
    expect(environment.filter((line) => line.startsWith("BUN_"))).toEqual([]);
    expect(environment.filter((line) => line.startsWith("CNI_COMMAND="))).toHaveLength(1);
  });

  test("passes each verb on as itself", async () => {
    const type = plugin("echo '{}'");
    const verbs = ipam(type);
    await verbs.add();
    await verbs.del();
    await verbs.check();
    await verbs.status();
    await verbs.gc();
    expect(commandsOf(type)).toEqual(["ADD", "DEL", "CHECK", "STATUS", "GC"]);
  });

  test("gives it pipes, which a shell script can open by name", async () => {
    const type = plugin('echo noise > /dev/stderr; echo \'{"msg":"m"}\' > /dev/stdout; exit 1');
    expect((await failureOf(() => ipam(type).del())).message).toBe("m");
  });

  test("leaves no pipe open", async () => {
    const isPipe = (fd: string) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith("pipe:");
      } catch {
        return false;
      }
    };
    const pipes = () => readdirSync("/proc/self/fd").filter(isPipe).length;
    const type = plugin("exit 0");
    const before = pipes();
    for (let run = 0; run < 5; run++) await ipam(type).del();
    chmodSync(join(directory, type), 0o644);
    await failureOf(() => ipam(type).del());
    // Bun closes its own copies in another thread.
    for (let wait = 0; pipes() > before && wait < 100; wait++) await Bun.sleep(10);
    // Fewer when those of an earlier test have been closed meanwhile.
    expect(pipes()).toBeLessThanOrEqual(before);
  });

  test("a plugin need not read its input", async () => {
    await ipam(plugin("exit 0"), {
      execution: { stdin: new Uint8Array(1 << 20), variables: { PATH: "/bin" } },
    }).del();
  });

  test("what cannot be executed is told with the kernel's reason, and nothing is undone", async () => {
    const type = plugin("exit 0");
    chmodSync(join(directory, type), 0o644);
    expect(await documentOf(() => ipam(type).add())).toEqual([
      105,
      `cannot execute ${directory}/${type}: Permission denied (EACCES)`,
      undefined,
    ]);
    expect((await failureOf(() => ipam(type).status())).kind).toBe("unavailable");
    expect(commandsOf(type)).toEqual([]);
  });

  test("a file being written is tried again", async () => {
    const type = plugin("exit 0");
    const fd = openSync(join(directory, type), "r+");
    const slow = ipam(type, { execution: { stdin: STDIN, variables: { PATH: "/bin" }, busyPauseMs: 200 } });
    // The pause stands the event loop still, so that somebody else has to close the file: a process that has it too.
    const holder = Bun.spawn(["sleep", "0.3"], { stdio: [fd, "ignore", "ignore"] });
    closeSync(fd);
    await slow.del();
    await holder.exited;
    expect(commandsOf(type)).toEqual(["DEL"]);
  });

  test("but not for ever, and it is an error then", async () => {
    const type = plugin("exit 0");
    const fd = openSync(join(directory, type), "r+");
    const start = performance.now();
    for (const verb of ["add", "del", "check", "status", "gc"] as const)
      expect(await documentOf(() => ipam(type)[verb]())).toEqual([
        11,
        `cannot execute ${directory}/${type}: Text file busy (ETXTBSY)`,
        "try again when the plugin's installation is complete",
      ]);
    expect(performance.now() - start).toBeGreaterThanOrEqual(5 * 5 * 5);
    closeSync(fd);
    expect(commandsOf(type)).toEqual([]);
  });
});

test("what the kernel refuses to execute has not run, and needs no undoing", async () => {
  const file = (name: string, content: string, mode: number) => {
    const path = join(directory, name);
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  };
  symlinkSync("loop", join(directory, "loop"));
  const busy = file("busy", "#!/bin/sh\n", 0o755);
  const fd = openSync(busy, "r+");
  const paths = {
    ENOENT: join(directory, "absent"),
    ENOTDIR: join(busy, "below"),
    EACCES: file("plain", "#!/bin/sh\n", 0o644),
    ENOEXEC: file("garbage", "\0\0\0\0", 0o755),
    ELOOP: join(directory, "loop"),
    ETXTBSY: busy,
  };
  const execution = { stdin: STDIN, variables: { PATH: "/bin" }, busyPauseMs: 1 };
  for (const [code, path] of Object.entries(paths)) {
    const failure = await failureOf(() => execute(path, "ADD", execution));
    expect([code, failure instanceof NotStarted]).toEqual([code, true]);
    expect(failure.message).toContain(`(${code})`);
  }
  closeSync(fd);
});

describe("a plugin's result", () => {
  const addressesOf = async (output: string, change: Partial<DelegateOptions> = {}) => {
    const { ips } = await ipam(plugin(`cat > /dev/null; printf '%s' '${output}'`), change).add();
    return ips.map((ip) => formatPrefix(ip.address));
  };

  test("may be of any version", async () => {
    expect(await addressesOf('{"cniVersion":"0.2.0","ip4":{"ip":"10.0.0.2/8"}}')).toEqual(["10.0.0.2/8"]);
    expect(
      await addressesOf('{"cniVersion":"0.4.0","ips":[{"version":"4","address":"10.0.0.3/8"}]}'),
    ).toEqual(["10.0.0.3/8"]);
  });

  test("without a version is of the configuration's", async () => {
    expect(await addressesOf('{"ip4":{"ip":"10.0.0.2/8"}}', { cniVersion: "0.1.0" })).toEqual(["10.0.0.2/8"]);
    expect(await addressesOf('{"ips":[{"address":"10.0.0.2/8"}]}')).toEqual(["10.0.0.2/8"]);
  });

  test("null is an empty one", async () => {
    expect(await addressesOf("null")).toEqual([]);
  });

  const UNUSABLE: [output: string, message: RegExp][] = [
    ["", /^IPAM plugin .* printed no result: unexpected end of JSON input$/],
    ["garbage", /^IPAM plugin .* printed no result: /],
    ["{} {}", /^IPAM plugin .* printed no result: /],
    ["[]", /^invalid result of .* \[\]: must be an object$/],
    ['{"cniVersion":"7.0.0"}', /^unsupported CNI result version "7.0.0"$/],
    ['{"ips":[{"address":"x"}]}', /^invalid result of .*\.ips\[0\]\.address "x": must be an address/],
  ];
  for (const [output, message] of UNUSABLE)
    test(`unusable (${output}) is an error, and what it took is given back`, async () => {
      const type = plugin(`[ "$CNI_COMMAND" = DEL ] || printf '%s' '${output}'`);
      const failure = await failureOf(() => ipam(type).add());
      expect(failure.kind).toBe("ipam");
      expect(failure.message).toMatch(message);
      expect(commandsOf(type)).toEqual(["ADD", "DEL"]);
    });

  test("is looked at for ADD only", async () => {
    const { del, check, status, gc } = ipam(plugin("echo garbage"));
    for (const verb of [del, check, status, gc]) await verb();
  });
});

describe("a plugin's failure", () => {
  const failing = (script: string) => {
    const type = plugin(script);
    return { type, path: join(directory, type), ipam: ipam(type) };
  };

  test("is passed on as it said it", async () => {
    const { ipam } = failing(
      `echo '{"cniVersion":"1.0.0","code":11,"msg":"later","details":"really"}'; exit 1`,
    );
    for (const verb of ["add", "del", "check", "status", "gc"] as const)
      expect(await documentOf(() => ipam[verb]())).toEqual([11, "later", "really"]);
  });

  test("with a code of 0, or keys in another case, too", async () => {
    expect(await documentOf(() => failing(`echo '{"Code":0,"Msg":"m"}'; exit 3`).ipam.del())).toEqual([
      0,
      "m",
      undefined,
    ]);
  });

  test("without a code has ours", async () => {
    for (const document of ['{"msg":"m","details":"d"}', '{"code":null,"msg":"m","details":"d"}'])
      expect(await documentOf(() => failing(`echo '${document}'; exit 1`).ipam.del())).toEqual([
        105,
        "m",
        "d",
      ]);
  });

  test("without a message says how it ended", async () => {
    const { ipam, path } = failing(`echo '{"code":7}'; exit 2`);
    expect(await documentOf(() => ipam.del())).toEqual([
      7,
      "netplugin failed with no error message: exit status 2",
      `IPAM plugin ${path} (DEL): exit status 2`,
    ]);
  });

  test("in no JSON is quoted", async () => {
    const noNumber = "code is not a number";
    const outputs = {
      'panic: "x"': 'JSON Parse error: Unexpected identifier "panic"',
      "[]": "not an object",
      "{}": "neither code nor msg",
      "1": "not an object",
      '{"code":"x","msg":"m"}': noNumber,
      '{"code":-1,"msg":"m"}': noNumber,
    };
    for (const [output, why] of Object.entries(outputs)) {
      const { ipam, path } = failing(`echo on stderr >&2; printf '%s' '${output}'; exit 1`);
      const [code, message, details] = await documentOf(() => ipam.check());
      expect(code).toBe(105);
      expect(message).toBe(
        `netplugin failed but error parsing its diagnostic message ${JSON.stringify(output)}: ${why}`,
      );
      expect(details).toBe(`IPAM plugin ${path} (CHECK): exit status 1`);
    }
  });

  test("on standard error alone is quoted", async () => {
    const { ipam } = failing(`echo 'something "bad"' >&2; exit 4`);
    const [code, message] = await documentOf(() => ipam.del());
    expect([code, message]).toEqual([105, 'netplugin failed: "something \\"bad\\"": exit status 4']);
  });

  test("in silence says how it ended", async () => {
    expect((await documentOf(() => failing("exit 5").ipam.del()))[1]).toBe(
      "netplugin failed with no error message: exit status 5",
    );
    expect((await documentOf(() => failing("kill -9 $$").ipam.del()))[1]).toBe(
      "netplugin failed with no error message: signal: SIGKILL",
    );
  });

  test("of STATUS that it does not explain is unavailability", async () => {
    expect((await documentOf(() => failing("exit 1").ipam.status()))[0]).toBe(50);
  });

  test("of ADD is followed by a DEL, whose own failure is not told", async () => {
    const { ipam, type } = failing(`echo "{\\"code\\":100,\\"msg\\":\\"$CNI_COMMAND failed\\"}"; exit 1`);
    expect((await documentOf(() => ipam.add())).slice(0, 2)).toEqual([100, "ADD failed"]);
    expect(commandsOf(type)).toEqual(["ADD", "DEL"]);
  });

  test("of another verb is not", async () => {
    const { ipam, type } = failing("exit 1");
    await failureOf(() => ipam.del());
    await failureOf(() => ipam.check());
    expect(commandsOf(type)).toEqual(["DEL", "CHECK"]);
  });
});

test("as much is quoted as a page, and what is left out is told", () => {
  for (const [length, text] of [
    [4095, "x".repeat(4095)],
    [4096, "x".repeat(4096)],
    [4097, `${"x".repeat(4096)}...`],
  ] as const)
    expect(quote("x".repeat(length))).toBe(`"${text}"`);
});

describe("what GC is to keep besides", () => {
  const host = [{ containerId: "(host)", ifName: "ivh0" }];
  const added = { containerID: "(host)", ifname: "ivh0" };
  const KEYS = ["cni.dev/valid-attachments", "cni.dev/attachments"] as const;
  const told = async (config: object, alsoValid = host) => {
    const type = plugin(`cat >'${directory}/told'`);
    const execution = {
      stdin: Buffer.from(JSON.stringify(config)),
      variables: { PATH: "/usr/bin:/bin" },
    };
    await ipam(type, { execution }).gc(alsoValid);
    return JSON.parse(readFileSync(join(directory, "told"), "utf8"));
  };

  test("is added to what the runtime named, under either key", async () => {
    const given = { containerID: "c1", ifname: "eth0" };
    const [now, then] = KEYS;
    expect(await told({ name: "n", [now]: [given], [then]: [] })).toEqual({
      name: "n",
      [now]: [given, added],
      [then]: [added],
    });
    expect(await told({ name: "n", [then]: [given] })).toEqual({ name: "n", [then]: [given, added] });
  });

  test("names nothing where the runtime did not say what is valid", async () => {
    expect(await told({ name: "n" })).toEqual({ name: "n" });
    expect(await told({ name: "n", [KEYS[0]]: null })).toEqual({ name: "n", [KEYS[0]]: null });
    expect(await told({ name: "n", [KEYS[0]]: [] }, [])).toEqual({ name: "n", [KEYS[0]]: [] });
  });
});

describe("a plugin from before spec 1.1.0", () => {
  const OLD = '{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]}';
  const NEW = '{"cniVersion":"1.1.0","supportedVersions":["1.0.0","1.1.0"]}';
  const knowing = (versions: string) =>
    plugin(
      `[ "$CNI_COMMAND" = VERSION ] && { echo '${versions}'; exit 0; }
       echo '{"code":4,"msg":"unknown CNI_COMMAND"}'; exit 1`,
    );

  test("has nothing that GC could ask for", async () => {
    const type = knowing(OLD);
    await ipam(type).gc();
    expect(commandsOf(type)).toEqual(["GC", "VERSION"]);
  });

  test("cannot serve an ADD of 1.1.0, which STATUS tells", async () => {
    const type = knowing(OLD);
    expect(await documentOf(() => ipam(type).status())).toEqual([
      50,
      `IPAM plugin ${directory}/${type} does not support cniVersion 1.1.0, only 0.4.0, 1.0.0`,
      "unknown CNI_COMMAND; update the plugin, or lower the network's cniVersion",
    ]);
  });

  test("is no excuse for a newer one, nor for one whose version is not known", async () => {
    for (const versions of [NEW, "garbage", "{}", '{"supportedVersions":[1]}', ""])
      for (const verb of ["gc", "status"] as const)
        expect(await documentOf(() => ipam(knowing(versions))[verb]())).toEqual([
          4,
          "unknown CNI_COMMAND",
          undefined,
        ]);
  });
});

describe("limits", () => {
  const quick = { IPVLAN_IPAM_TIMEOUT_MS: "200" };
  const alive = (pid: string) =>
    existsSync(`/proc/${pid}`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));

  test("a plugin that does not end is killed with all it started", async () => {
    const type = plugin(`sleep 60 & echo $! > "$OUT"; sleep 60`);
    const OUT = join(directory, "pid");
    const start = performance.now();
    expect(await documentOf(() => ipam(type, {}, { OUT, ...quick }).del())).toEqual([
      11,
      `IPAM plugin ${directory}/${type} (DEL) did not finish within 200 ms`,
      "try again; IPVLAN_IPAM_TIMEOUT_MS allows more time",
    ]);
    expect(performance.now() - start).toBeLessThan(2000);
    const pid = readFileSync(OUT, "utf8").trim();
    await Bun.sleep(20);
    expect(alive(pid)).toBe(false);
  });

  test("an ADD that does not end is undone", async () => {
    const type = plugin(`[ "$CNI_COMMAND" = DEL ] || exec sleep 60`);
    expect((await failureOf(() => ipam(type, {}, quick).add())).kind).toBe("busy");
    expect(commandsOf(type)).toEqual(["ADD", "DEL"]);
  });

  test("a time that is no number of milliseconds is the usual one", async () => {
    for (const text of ["", "0", "-1", "1e3", "abc", "99999999999"])
      await ipam(plugin("sleep 0.05"), {}, { IPVLAN_IPAM_TIMEOUT_MS: text }).del();
  });

  test("a plugin that prints without end is stopped", async () => {
    const type = plugin(`[ "$CNI_COMMAND" = DEL ] || exec yes`);
    const [code, message] = await documentOf(() => ipam(type).add());
    expect([code, message]).toEqual([
      105,
      `IPAM plugin ${directory}/${type} (ADD) printed more than 1048576 bytes on standard output`,
    ]);
    expect(commandsOf(type)).toEqual(["ADD", "DEL"]);
  });

  test("a question after the versions is not asked of a plugin that did not end", async () => {
    const type = plugin("exec sleep 60");
    for (const verb of ["status", "gc"] as const)
      expect((await failureOf(() => ipam(type, {}, quick)[verb]())).kind).toBe("busy");
    expect(commandsOf(type)).toEqual(["STATUS", "GC"]);
  });

  test("a megabyte and a byte is too much", async () => {
    const type = plugin("head -c 1048577 /dev/zero");
    expect((await failureOf(() => ipam(type).del())).message).toContain("printed more than 1048576 bytes");
  });

  test("a megabyte is not too much", async () => {
    const type = plugin(`printf '{"x":"'; head -c 1048568 /dev/zero | tr '\\0' x; printf '"}'`);
    expect((await ipam(type).add()).ips).toEqual([]);
  });

  test("somebody who keeps the pipe open after the plugin is not waited for", async () => {
    const type = plugin(`sleep 60 & echo $! > "$OUT"; echo '{"ips":[{"address":"10.0.0.2/8"}]}'`);
    const OUT = join(directory, "pid2");
    expect((await ipam(type, {}, { OUT }).add()).ips).toHaveLength(1);
    const pid = readFileSync(OUT, "utf8").trim();
    expect(alive(pid)).toBe(true);
    process.kill(Number(pid));
  });
});

describe("a plugin's standard error", () => {
  const SOURCE = join(import.meta.dir, "../../src/cni/delegate.ts");

  for (const status of [0, 1])
    test(`is passed on when it ends with ${status} and has printed something`, async () => {
      const type = plugin(
        `echo noise >&2; head -c 100000 /dev/zero | tr '\\0' x >&2; echo '{"msg":"m"}'; exit ${status}`,
      );
      const code = `
        const { delegate } = await import(${JSON.stringify(SOURCE)});
        const execution = { stdin: new Uint8Array(), variables: process.env };
        try {
          await delegate({ type: "${type}", path: "${directory}", cniVersion: "1.1.0", execution }).del();
        } catch {}`;
      const child = Bun.spawn([process.execPath, "-e", code], { stdout: "pipe", stderr: "pipe" });
      const stderr = await new Response(child.stderr).text();
      expect([stderr.slice(0, 6), stderr.length]).toEqual(["noise\n", 100_006]);
      expect(await new Response(child.stdout).text()).toBe("");
    });
});
