/** The daemon's socket: what it answers to whom, and that nobody can stop it by talking nonsense. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { askDaemon } from "../../src/ipam/dhcp/protocol.ts";
import { until } from "../support/running.ts";

const directory = mkdtempSync(join(tmpdir(), "ipvlan-dhcpd-"));
const path = join(directory, "dhcp.sock");
const root = join(import.meta.dir, "../..");
const words = [
  process.execPath,
  "--preload",
  join(root, "test/support/preload.ts"),
  join(root, "src/main.ts"),
  "dhcp-daemon",
];
let daemon: Bun.Subprocess;

beforeAll(async () => {
  daemon = start(words, directory);
  await until(() => existsSync(path), "the socket");
});

afterAll(async () => {
  await stop(daemon);
  rmSync(directory, { recursive: true });
});

function start(command: string[], runDirectory: string): Bun.Subprocess {
  return Bun.spawn(command, {
    env: { ...process.env, IPVLAN_RUN_DIR: runDirectory },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  });
}

async function stop(running: Bun.Subprocess): Promise<void> {
  running.kill();
  await running.exited;
}

/** What comes back until the daemon closes the connection. */
async function say(text: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let heard = "";
  const socket = await Bun.connect({
    unix: path,
    socket: {
      data: (_, bytes) => {
        heard += bytes.toString();
      },
      close: () => resolve(heard),
      error: () => resolve(heard),
    },
  });
  socket.write(text);
  return promise;
}

test("it says that it is there, and how many leases it keeps", () => {
  expect(askDaemon(path, { ask: "status" })).toEqual({ version: 1, leases: 0 });
});

test("only its owner may talk to it", () => {
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a lease that is not on disk is not kept, one that is not kept may be forgotten", () => {
  expect(() => askDaemon(path, { ask: "keep", lease: "a.lease" })).toThrow(
    /refuses: .*dhcp has no lease a\.lease/,
  );
  expect(askDaemon(path, { ask: "forget", lease: "a.lease" }).leases).toBe(0);
});

test.each([
  "\n",
  "nonsense\n",
  '{"version":2,"ask":"status"}\n',
  '{"version":1,"ask":"keep"}\n',
  '{"version":1,"ask":"everything","lease":"x"}\n',
  `${"[".repeat(4000)}\n`,
])("%j is not understood", async (line) => {
  expect(JSON.parse(await say(line))).toEqual({
    version: 1,
    error: "the request is not understood",
    leases: 0,
  });
});

test("a line without end is cut off, and a crowd is served", async () => {
  expect(await say("x".repeat(5000))).toBe("");
  const answers = await Promise.all(Array.from({ length: 150 }, () => say('{"version":1,"ask":"status"}\n')));
  expect(new Set(answers)).toEqual(new Set(['{"version":1,"leases":0}\n']));
});

test("nobody there, or somebody else, is said in the error", async () => {
  expect(() => askDaemon(join(directory, "absent.sock"), { ask: "status" })).toThrow(
    /does not answer at .*absent\.sock/,
  );
  // A server in this thread could not answer while it is asked.
  const other = join(directory, "other.sock");
  const script =
    'use Socket; socket(S,1,1,0); bind(S,pack_sockaddr_un("$ARGV[0]~")); listen(S,9); rename "$ARGV[0]~",$ARGV[0]; accept(C,S); syswrite(C,"HTTP/1.0 200\\n"); sleep 9';
  const stranger = start(["perl", "-e", script, other], directory);
  await until(() => existsSync(other), "the stranger's socket");
  expect(() => askDaemon(other, { ask: "status" })).toThrow(/no DHCP daemon of this version/);
  await stop(stranger);
});

test("its socket has its name only when it listens: whoever finds it is served", async () => {
  const own = mkdtempSync(join(tmpdir(), "ipvlan-dhcpd-"));
  const [socket, log] = [join(own, "dhcp.sock"), join(own, "log")];
  writeFileSync(socket, "what a daemon left that was killed");
  const strace = Bun.which("strace") ?? "strace is missing: test/kernel/setup installs it";
  // The tracer stands beside, so that it is the daemon that is stopped.
  const traced = start(
    [strace, "-D", "-f", "-qq", "-e", "trace=bind,listen,renameat2", "-o", log, ...words],
    own,
  );
  await until(() => statSync(socket).isSocket(), "the socket");
  expect(askDaemon(socket, { ask: "status" }).leases).toBe(0);
  await stop(traced);
  const calls = readFileSync(log, "utf8").match(/\b(bind|listen|renameat2)\(.*= 0$/gm)!;
  expect(calls.map((call) => call.split("(")[0]).slice(-3)).toEqual(["bind", "listen", "renameat2"]);
  expect(calls.at(-1)).toEndWith(`"${socket}", 0) = 0`);
  rmSync(own, { recursive: true });
});

test("a path that no socket can have is refused", () => {
  expect(() => askDaemon(`/${"x".repeat(120)}`, { ask: "status" })).toThrow("has 121 bytes, more than 107");
});

test("it takes the listening socket that systemd hands over", async () => {
  const own = mkdtempSync(join(tmpdir(), "ipvlan-dhcpd-"));
  const passed = join(own, "passed.sock");
  // As sd_listen_fds(3) says: descriptor 3, and the variables name this very process.
  const script = `BEGIN { $^F = 9 } use Socket; use POSIX; socket(S,1,1,0); $p=shift;
    bind(S,pack_sockaddr_un("$p~")); listen(S,9); rename "$p~",$p; POSIX::dup2(fileno(S),3); $ENV{LISTEN_PID}=$$; $ENV{LISTEN_FDS}=1; exec @ARGV`;
  const activated = start(["perl", "-e", script, passed, ...words], own);
  await until(() => existsSync(passed), "the socket");
  // It is asked before the daemon has started: the connection waits for it.
  expect(askDaemon(passed, { ask: "status" }).leases).toBe(0);
  expect(existsSync(join(own, "dhcp.sock"))).toBe(false);
  await stop(activated);
  rmSync(own, { recursive: true });
});
