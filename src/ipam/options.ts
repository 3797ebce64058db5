import type { Result } from "../net/result.ts";
import type { Attachment, ValidAttachment } from "./ipam.ts";

/** What an in-process IPAM is told. Everything that came as JSON is still as it came: checked where it is used. */
export interface IpamOptions {
  /** The network's name: a directory of host-local's store bears it. */
  network: string;
  /** The configuration's version: before 0.3.0 a result has at most one address of each family. */
  cniVersion: string;
  /** The `ipam` object of the configuration. */
  config: object;
  attachment: Attachment;
  /** CNI_ARGS; "" when unset. */
  cniArgs: string;
  /** `args.cni.ips` of the configuration. */
  argsIps: unknown;
  /** `runtimeConfig.ips`. */
  runtimeIps: unknown;
  /** `runtimeConfig.ipRanges`. */
  runtimeIpRanges: unknown;
  /** CHECK: what ADD made. */
  prevResult: Result | undefined;
  /** GC: what is in use; undefined when the runtime did not say. */
  validAttachments: ValidAttachment[] | undefined;
}

/** The options of a call in which the runtime asks for nothing in particular. */
export const NOTHING_ASKED = {
  cniArgs: "",
  argsIps: undefined,
  runtimeIps: undefined,
  runtimeIpRanges: undefined,
  prevResult: undefined,
  validAttachments: undefined,
} satisfies Partial<IpamOptions>;
