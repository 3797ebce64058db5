import { Failure } from "../error.ts";
import { type CniVersion, isSupported, NEWEST_VERSION, SUPPORTED_VERSIONS } from "./version.ts";

/** The verbs of the specification besides VERSION. */
export type Command = "ADD" | "DEL" | "CHECK" | "STATUS" | "GC";

/** True when `command` is a verb of a network; VERSION is none. */
export function isCommand(command: string): command is Command {
  return (
    command === "ADD" || command === "DEL" || command === "CHECK" || command === "STATUS" || command === "GC"
  );
}

/**
 * Passes a supported version on when `command` exists in it. Throws a `version` Failure (code 1) when it does not
 * or the version is not spoken here, and a `decode` Failure (code 6) for a version that is no number.
 */
export function gate(command: Command, version: string): CniVersion {
  // ADD and DEL were there from the beginning.
  if (command === "CHECK") refuseOtherThan("0.4.0", command, version);
  else if (command !== "ADD" && command !== "DEL") refuseOtherThan("1.1.0", command, version);
  if (!isSupported(version))
    throw new Failure("version", "incompatible CNI versions", { details: mismatch(version) });
  return version;
}

/** Throws unless the version is from `since`, the spec's that brought the verb, to the newest one. */
function refuseOtherThan(since: CniVersion, command: Command, version: string): void {
  const parts = parseVersion(version);
  if (compare(parts, parseVersion(since)) < 0)
    throw new Failure("version", `config version does not allow ${command}`, {
      details: `config is ${JSON.stringify(version)}, ${command} needs ${JSON.stringify(since)}`,
    });
  if (compare(parts, parseVersion(NEWEST_VERSION)) > 0)
    throw new Failure("version", `plugin version does not allow ${command}`, {
      details: mismatch(version),
    });
}

function mismatch(version: string): string {
  const supported = SUPPORTED_VERSIONS.map((text) => JSON.stringify(text)).join(" ");
  return `config is ${JSON.stringify(version)}, plugin supports [${supported}]`;
}

/** Up to three decimal parts; missing ones are 0. */
export function parseVersion(version: string): [major: number, minor: number, micro: number] {
  const parts = version.split(".");
  const quoted = JSON.stringify(version);
  if (parts.length > 3) throw new Failure("decode", `invalid version ${quoted}: too many parts`);
  const numbers = ["major", "minor", "micro"].map((name, index) => {
    const part = parts[index] ?? "0";
    if (/^[0-9]{1,9}$/.test(part)) return Number(part);
    throw new Failure(
      "decode",
      `failed to convert ${name} version part ${JSON.stringify(part)}: not a number`,
      {
        details: `version is ${quoted}`,
      },
    );
  });
  return numbers as [number, number, number];
}

function compare(a: number[], b: number[]): number {
  for (let index = 0; index < a.length; index++)
    if (a[index] !== b[index]) return a[index]! - (b[index] ?? 0);
  return 0;
}
