import { accessSync, constants, existsSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf } from "../../error.ts";
import { runDirectory } from "../../linux/run-directory.ts";
import { pluginPath } from "../chain.ts";
import { IPAM_NAMES, programVersion } from "../install.ts";
import { LEASE_DIRECTORY } from "../leases.ts";
import { namesIn } from "../networks.ts";
import { type Diagnosis, error, ok, warning } from "./diagnosis.ts";

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
        "ipvlan install --dest DIR, or set CNI_PATH",
      ),
    ];
  const diagnoses = directories.map(examineDirectory);
  if (!directories.some((directory) => namesIn(directory).includes("ipvlan")))
    diagnoses.push(
      warning(
        "plugins",
        `there is no ipvlan in ${directories.join(", ")}`,
        `ipvlan install --dest ${directories[0]}`,
      ),
    );
  return diagnoses;
}

function examineDirectory(directory: string): Diagnosis {
  const subject = `plugins in ${directory}`;
  const names = namesIn(directory);
  if (!names.includes("ipvlan")) return ok(subject, names.join(", ") || "none");
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

/** An IPAM type that is a program must be in one of the directories. */
export function examineIpamProgram(subject: string, type: string, isExternal: boolean): Diagnosis[] {
  if ([...IPAM_NAMES, "dhcp"].includes(type) && !isExternal) return [];
  const directories = pluginPath().split(":");
  const found = directories.find((directory) => namesIn(directory).includes(type));
  if (found !== undefined) return [ok(subject, `IPAM plugin ${type} is in ${found}`)];
  return [
    error(
      subject,
      `IPAM plugin ${type} is not in ${directories.join(", ")}`,
      "install it there, or correct ipam.type",
    ),
  ];
}

/** Directories that an ADD writes to. */
export function examineDirectories(): Diagnosis[] {
  return [examineWritable("records", runDirectory()), examineWritable("leases", LEASE_DIRECTORY)];
}

function examineWritable(subject: string, directory: string): Diagnosis {
  try {
    let present = directory;
    while (!existsSync(present)) present = dirname(present);
    accessSync(present, constants.W_OK);
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
