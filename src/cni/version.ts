/** CNI specification versions spoken here, oldest first. */
export const SUPPORTED_VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

export type CniVersion = (typeof SUPPORTED_VERSIONS)[number];

/** The newest of them: the version of answers that belong to no configuration. */
export const NEWEST_VERSION = "1.1.0" satisfies CniVersion;

/** True when `version` is one of the supported versions, letter by letter. */
export function isSupported(version: string): version is CniVersion {
  return (SUPPORTED_VERSIONS as readonly string[]).includes(version);
}

/**
 * The answer to VERSION (spec section 2, "VERSION"), one line without its newline. Standard input is not read:
 * the spec would have the input's `cniVersion` echoed, but no runtime looks at it, each sends its newest anyway,
 * and a runtime that leaves standard input open would keep us waiting.
 */
export function versionAnswer(): string {
  return JSON.stringify({ cniVersion: NEWEST_VERSION, supportedVersions: SUPPORTED_VERSIONS });
}
