import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../error.ts";

/** The names in a directory, sorted; none when it is not there or may not be read. */
export function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

/** A configuration as libcni finds it: a file of the directory that runtimes read. */
export interface NetworkFile {
  path: string;
  name: string;
  /** Of the whole list. */
  cniVersion: string;
  plugins: Record<string, unknown>[];
  disableCheck: boolean;
}

/** NETCONFPATH, or where runtimes look. */
export function configurationDirectory(): string {
  return process.env.NETCONFPATH || "/etc/cni/net.d";
}

/** Paths of the configurations in the directory, in the order in which runtimes take them. */
export function configurationFiles(directory: string): string[] {
  return namesIn(directory)
    .filter((name) => /\.(conf|conflist|json)$/.test(name))
    .map((name) => join(directory, name));
}

/** Reads a .conflist, or a .conf as a list of one. Throws an Error that names the file. */
export function readNetworkFile(path: string): NetworkFile {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, "utf8"));
    const { plugins, ...rest } = parsed as { plugins?: unknown; [key: string]: unknown };
    const { name, cniVersion, disableCheck } = rest;
    return {
      path,
      name: typeof name === "string" ? name : "",
      cniVersion: typeof cniVersion === "string" ? cniVersion : "0.1.0",
      plugins: (Array.isArray(plugins) ? plugins : [rest]) as Record<string, unknown>[],
      disableCheck: disableCheck === true || disableCheck === "true",
    };
  } catch (thrown) {
    throw new Error(`cannot read ${path}: ${messageOf(thrown)}`);
  }
}

/** Every configuration of the directory that can be read. */
export function networkFiles(directory: string): NetworkFile[] {
  return configurationFiles(directory).flatMap((path) => {
    try {
      return [readNetworkFile(path)];
    } catch {
      // `validate` and `doctor` tell about files that cannot be read.
      return [];
    }
  });
}

/** The configuration of that name, as libcni finds it: the first file that bears it. */
export function findNetwork(name: string, directory: string): NetworkFile | undefined {
  return networkFiles(directory).find((network) => network.name === name);
}
