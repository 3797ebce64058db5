import { existsSync, lstatSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../error.ts";
import { allRecords } from "../ipvlan/record.ts";
import type { CommandInput } from "./command.ts";
import { fileName, IPAM_NAMES, PLUGIN_DIRECTORY, programVersion } from "./install.ts";

/** `ipvlan uninstall` */
export function uninstall({ text, has }: CommandInput): number {
  const directory = text("dest") ?? PLUGIN_DIRECTORY;
  const name = fileName(text("name"));
  const path = join(directory, name);
  if (!existsSync(path)) {
    console.log(`${path} is not there.`);
    return 0;
  }
  if (programVersion(path) === undefined)
    throw new Failure("busy", `${path} is not this program`, {
      remedy: "remove it by hand if that is meant",
    });
  const count = allRecords().length;
  if (count > 0 && !has("force"))
    throw new Failure(
      "busy",
      `${count} endpoints are attached on this host, and only the plugin can remove them`,
      {
        remedy: "stop their containers (see: ipvlan list), or say --force",
      },
    );
  for (const each of IPAM_NAMES) {
    const link = join(directory, each);
    const status = lstatSync(link, { throwIfNoEntry: false });
    if (status?.isSymbolicLink() && readlinkSync(link) === name) remove(link);
  }
  remove(path);
  return 0;
}

function remove(path: string): void {
  rmSync(path);
  console.log(`${path}: removed`);
}
