import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { versionAnswer } from "../cni/version.ts";
import { Failure, messageOf } from "../error.ts";
import type { CommandInput } from "./command.ts";
import { copyInPieces } from "./copy.ts";

/** Where CNI runtimes look for plugins. */
export const PLUGIN_DIRECTORY = "/opt/cni/bin";

/** IPAM plugins that this program is when it is called by their name. */
export const IPAM_NAMES = ["host-local", "static"];

/** `ipvlan install` */
export function install({ text, has }: CommandInput): number {
  const directory = text("dest") ?? PLUGIN_DIRECTORY;
  const name = fileName(text("name"));
  const target = join(directory, name);
  const former = existsSync(target) ? programVersion(target) : undefined;
  if (existsSync(target) && former === undefined && !has("force"))
    throw new Failure("busy", `${target} is there, and is not this program`, {
      remedy: "move it away, choose another --name, or say --force",
    });
  place(directory, name, text("dest") === undefined);
  console.log(`${target}: ${PLUGIN_VERSION}${former === undefined ? "" : `, was ${former}`}`);
  if (has("ipam")) for (const each of IPAM_NAMES) linkIpam(directory, each, name);
  return 0;
}

/** A name in the directory; throws a Failure for what leads out of it. */
export function fileName(given: string | undefined): string {
  const name = given ?? "ipvlan";
  if (name === "" || name.startsWith(".") || name.includes("/"))
    throw new Failure("config", `"${name}" cannot be a plugin's file name`);
  return name;
}

/** Write, sync, try, rename: the name always leads to a whole program. */
function place(directory: string, name: string, isDefault: boolean): void {
  const staging = join(directory, `.${name}.${process.pid}`);
  try {
    // A machine that has never had a plugin lacks it. A directory that somebody named is a slip, or not mounted yet.
    if (isDefault) mkdirSync(directory, { recursive: true });
    copyInPieces(process.execPath, staging, 0o755);
    // Whatever the umask is.
    chmodSync(staging, 0o755);
    sync(staging);
    verify(staging);
    renameSync(staging, join(directory, name));
    sync(directory);
  } catch (thrown) {
    rmSync(staging, { force: true });
    if (thrown instanceof Failure) throw thrown;
    throw new Failure("io", `cannot install into ${directory}: ${messageOf(thrown)}`, {
      remedy: isDefault
        ? "run it as root, or name another directory with --dest"
        : "make the directory, and be allowed to write to it",
    });
  }
}

function sync(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function verify(program: string): void {
  const child = Bun.spawnSync([program], { env: { CNI_COMMAND: "VERSION" }, timeout: 30_000 });
  if (child.exitCode === 0 && child.stdout.toString().trim() === versionAnswer()) return;
  throw new Failure("internal", `the copy at ${program} does not work: it was not put in place`, {
    details: child.stderr.toString().trim() || `exit status ${child.exitCode}`,
    remedy: "see whether the directory is mounted noexec, and has room",
  });
}

/** The version of a copy of this program; undefined for any other file. */
export function programVersion(path: string): string | undefined {
  try {
    const child = Bun.spawnSync([path, "version"], { env: {}, timeout: 30_000 });
    return /^ipvlan (\S+)\n/.exec(child.stdout.toString())?.[1];
  } catch {
    // It cannot be executed.
    return undefined;
  }
}

function linkIpam(directory: string, name: string, target: string): void {
  const path = join(directory, name);
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) symlinkSync(target, path);
  else if (!(status.isSymbolicLink() && readlinkSync(path) === target)) {
    console.log(`${path}: left alone, it is another program`);
    return;
  }
  console.log(`${path} -> ${target}`);
}
