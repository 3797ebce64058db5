import type { Result } from "../net/result.ts";

/**
 * Who gives addresses. Each function throws a `Failure`; `add` takes nothing when it throws.
 */
export interface Ipam {
  /** Takes addresses for the attachment. */
  add(): Promise<Result> | Result;
  /** Gives back what the attachment holds; holding nothing is success. */
  del(): Promise<void> | void;
  /** Throws unless the attachment still holds its addresses. */
  check(): Promise<void> | void;
  /** Throws when no address could be given now. */
  status(): Promise<void> | void;
  /** Frees what no valid attachment holds. */
  gc(): Promise<void> | void;
}

/** Whose addresses are: a container has some for each of its interfaces. */
export interface Owner {
  containerId: string;
  ifName: string;
}

/** What an in-process IPAM is told. Everything that came as JSON is still as it came: checked where it is used. */
export interface IpamOptions {
  /** The network's name: a directory of host-local's store bears it. */
  network: string;
  /** The configuration's version: before 0.3.0 a result has at most one address of each family. */
  cniVersion: string;
  /** The `ipam` object of the configuration. */
  config: object;
  owner: Owner;
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
  validOwners: Owner[] | undefined;
}
