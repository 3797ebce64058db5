/** Runs the binary that ships where and how an enemy would like it to, and watches what it touches. */

import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, normalize } from "node:path";
import { binary } from "../kernel/environment.ts";

export interface Run {
  /** null: it had to be killed. */
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  environment?: Record<string, string>;
  stdin?: string | Uint8Array;
  cwd?: string;
  /** Under another name it is another plugin. */
  program?: string;
  words?: string[];
  /** What it is killed after. */
  timeoutMs?: number;
}

/** An IPAM-only call that needs no driver: `link` gives the program. */
export const CONTAINER = {
  CNI_CONTAINERID: "c1",
  CNI_NETNS: "/nonexistent",
  CNI_IFNAME: "eth0",
  CNI_PATH: "/nonexistent",
};

/** Runs the binary with exactly this environment. */
export function release(options: RunOptions = {}): Run {
  return spawn([options.program ?? binary, ...(options.words ?? [])], options);
}

function spawn(
  words: string[],
  { environment = {}, stdin = "", cwd = "/", timeoutMs = 30_000 }: RunOptions,
): Run {
  const done = Bun.spawnSync(words, {
    env: environment,
    cwd,
    stdin: Buffer.from(stdin),
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  return { exitCode: done.exitCode, stdout: done.stdout.toString(), stderr: done.stderr.toString() };
}

/** A system call on a path. */
export interface Touch {
  call: string;
  path: string;
  /** It could change something: creates, removes, renames, or opens for writing. */
  changes: boolean;
}

/** As `release`; tells every path that any of its system calls names, and every socket it opens. */
export function watched(options: RunOptions = {}): Run & { touches: Touch[]; sockets: string[] } {
  const directory = mkdtempSync(join(tmpdir(), "ipvlan-strace-"));
  try {
    const log = join(directory, "log");
    const strace = Bun.which("strace");
    if (strace === null) throw new Error("strace is missing: test/kernel/setup installs it");
    const words = [strace, "-f", "-qq", "-s", "4096", "-xx", "-e", "trace=%file,socket,connect", "-o", log];
    const run = spawn([...words, options.program ?? binary, ...(options.words ?? [])], options);
    const lines = readFileSync(log, "utf8").split("\n");
    return {
      ...run,
      touches: lines.flatMap(touchesOf),
      sockets: lines.filter((line) => /\b(socket|connect)\(/.test(line)),
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const WRITING = /^(mkdir|unlink|rmdir|rename|link|symlink|chmod|chown|truncate|mknod|utimensat|creat)/;

/** `-xx` writes every text in hexadecimal, so that no path can look like something else. */
function touchesOf(line: string): Touch[] {
  const call = /^\d+ +(\w+)\(/.exec(line)?.[1];
  if (call === undefined || call === "socket" || call === "connect") return [];
  // The arguments of execve are no paths, but its first one.
  const texts = [...line.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, hex]) => hex!.replaceAll("\\x", ""));
  const paths = (call === "execve" ? texts.slice(0, 1) : texts).map((hex) =>
    Buffer.from(hex, "hex").toString(),
  );
  const changes = WRITING.test(call) || /O_(WRONLY|RDWR|CREAT|TRUNC)/.test(line);
  return paths.filter((path) => path !== "").map((path) => ({ call, path, changes }));
}

/** What starting up touches on every Linux: the loader, the C library, the C library's settings, this process and machine. */
const SYSTEM =
  /^(\/etc\/(ld\.so\.(cache|preload)|localtime)|\/(usr\/)?lib(64)?\/([\w-]+-linux-gnu\/)?(glibc-hwcaps\/.*|lib(c|m|dl|pthread|rt|gcc_s)\.so(\.\d+)?)|\/usr\/share\/zoneinfo\/.*|\/proc\/(self|thread-self|sys|stat|meminfo|cpuinfo|mounts|\d+)(\/.*)?|\/sys\/(devices\/system|fs\/cgroup|kernel\/mm)(\/.*)?|\/dev\/(null|urandom))$/;

/** The touched paths that are neither the system's nor below one of these. */
export function unexpected(touches: Touch[], ...allowed: string[]): string[] {
  const isBelow = (path: string, each: string) => path === each || path.startsWith(`${each}/`);
  const isAllowed = ({ path, call, changes }: Touch) =>
    // Where it stands it may ask, not look.
    call === "getcwd" ||
    (SYSTEM.test(normalize(path)) && !changes) ||
    allowed.some((each) => isBelow(normalize(path).replace(/(.)\/$/, "$1"), each));
  return touches.filter((touch) => !isAllowed(touch)).map(({ call, path }) => `${call} ${path}`);
}

/** The binary under the name `host-local`, in that directory. */
export function hostLocalIn(directory: string): string {
  const link = join(directory, "host-local");
  symlinkSync(binary, link);
  return link;
}

/** What host-local is configured with. */
export function ipamOnly(ipam: Record<string, unknown>, name = "net"): string {
  return JSON.stringify({
    cniVersion: "1.1.0",
    name,
    ipam: { type: "host-local", subnet: "10.1.0.0/24", ...ipam },
  });
}
