import { accessSync, constants, existsSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf } from "../../error.ts";
import { runDirectory } from "../../linux/run-directory.ts";
import { pluginPath } from "../chain.ts";
import { IPAM_NAMES, programVersion } from "../install.ts";
import { LEASE_DIRECTORY } from "../leases.ts";
import { namesIn } from "../networks.ts";
import { type Diagnosis, error, ok, warning } from "./diagnosis.ts";

const OTHERS_MAY_WRITE = 0o002;
const STICKY = 0o1000;
/** Less is a file system that is about to be full. */
const ROOM_MIN_BYTES = 10e6;

/** The plugin directories, and this program in them. */
export function examinePlugins(): Diagnosis[] {
  const directories = pluginPath()
    .split(":")
    .filter((directory) => existsSync(directory));
  if (directories.length === 0)
    return [
      warning(
        "plugins",
        `none of ${pluginPath().replaceAll(":", ", ")} is there`,
        "ipvlan install makes the first of them, with --dest another; or set CNI_PATH",
      ),
    ];
  // A runtime takes the first; what stands behind it is nobody's.
  const first = directories.find((directory) => namesIn(directory).includes("ipvlan"));
  const diagnoses = directories.map((directory) => examineDirectory(directory, directory === first));
  if (first === undefined)
    diagnoses.push(
      warning(
        "plugins",
        `there is no ipvlan in ${directories.join(", ")}`,
        `ipvlan install --dest ${directories[0]}`,
      ),
    );
  return diagnoses;
}

function examineDirectory(directory: string, hasFirst: boolean): Diagnosis {
  const subject = `plugins in ${directory}`;
  const names = namesIn(directory);
  if (!hasFirst) return ok(subject, names.join(", ") || "none");
  const version = programVersion(`${directory}/ipvlan`);
  if (version === undefined)
    return warning(
      subject,
      "the ipvlan there is another program, such as the reference plugin",
      `ipvlan install --dest ${directory} --force, to use this one`,
    );
  if (version !== PLUGIN_VERSION)
    return warning(
      subject,
      `the ipvlan there is ${version}, this one is ${PLUGIN_VERSION}`,
      `ipvlan install --dest ${directory}`,
    );
  return ok(subject, names.join(", "));
}

/** Whether addresses of that type come from inside this program. */
export function isInside(type: string, isExternal: boolean): boolean {
  return [...IPAM_NAMES, "dhcp"].includes(type) && !isExternal;
}

/** A plugin that is a program must be in one of the directories, and executable. `what` says what it is for. */
export function examineProgram(subject: string, what: string, type: string): Diagnosis[] {
  const directories = pluginPath().split(":");
  const found = directories.find((directory) => namesIn(directory).includes(type));
  if (found === undefined)
    return [
      error(
        subject,
        `${what} ${type} is not in ${directories.join(", ")}`,
        "install it there, or correct the type",
      ),
    ];
  const path = `${found}/${type}`;
  try {
    accessSync(path, constants.X_OK);
  } catch {
    return [error(subject, `${what} ${path} cannot be executed`, `chmod 755 ${path}`)];
  }
  return [ok(subject, `${what} ${type} is in ${found}`)];
}

/** Directories that an ADD writes to. */
export function examineDirectories(): Diagnosis[] {
  return [examineWritable("records", runDirectory()), examineWritable("leases", LEASE_DIRECTORY)];
}

/** A directory, or where it will be made: can it be written, and is there room. */
export function examineWritable(subject: string, directory: string): Diagnosis {
  try {
    let present = directory;
    while (!existsSync(present)) present = dirname(present);
    accessSync(present, constants.W_OK);
    if ((statSync(present).mode & OTHERS_MAY_WRITE) === OTHERS_MAY_WRITE && !isSticky(present))
      return warning(subject, `everybody may write to ${present}`, `chmod o-w ${present}`);
    const { bavail, bsize } = statfsSync(present);
    if (bavail * bsize < ROOM_MIN_BYTES)
      return error(subject, `the file system of ${directory} is full`, "make room");
    return ok(subject, present === directory ? directory : `${directory}, made by the first ADD`);
  } catch (thrown) {
    return error(
      subject,
      `${directory} cannot be written: ${messageOf(thrown)}`,
      "make it writable for root",
    );
  }
}

/** As /tmp is: nobody removes what others made. */
function isSticky(directory: string): boolean {
  return (statSync(directory).mode & STICKY) !== 0;
}
