import { type Dns, isDnsEmpty } from "../net/result.ts";
import type { CniVersion } from "./version.ts";

/** Two layouts came before today's: one address a family; then addresses that say their family. */
export type Layout = "one-per-family" | "with-version" | "current";

export const LAYOUTS: Record<CniVersion, Layout> = {
  "0.1.0": "one-per-family",
  "0.2.0": "one-per-family",
  "0.3.0": "with-version",
  "0.3.1": "with-version",
  "0.4.0": "with-version",
  "1.0.0": "current",
  "1.1.0": "current",
};

/** True when a result of this version can be without an address (spec 0.3.0 and newer). */
export function allowsNoAddress(version: CniVersion): boolean {
  return LAYOUTS[version] !== "one-per-family";
}

/** The first that says anything: the configuration's, else IPAM's, else the previous plugin's. */
export function firstDns(...candidates: (Dns | undefined)[]): Dns {
  for (const dns of candidates) if (dns !== undefined && !isDnsEmpty(dns)) return dns;
  return {};
}
