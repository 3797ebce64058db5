/** What a conformance case is: calls to a plugin in a small world, described as plain data. */

import type { Release } from "../support/plugin.ts";

/**
 * In every text of a case, also deep inside a configuration, these words stand for what differs from world to world:
 * `@container`, `@host` (paths of the namespaces), `@leases`, `@directory` (of the world), `@nowhere` (no such path).
 */
export interface Case {
  /** Said in differences.ts and docs/conformance.md too. */
  name: string;
  /** Only against these releases of the reference. */
  releases?: Release[];
  /** `ip` commands in the host, and in the container, before the first step. */
  host?: string;
  container?: string;
  /** A shell script in the container, also before. */
  script?: string;
  steps: Step[];
}

export interface Step {
  /** What the observations are called by; by default the verb. Unlike any other of the case. */
  label?: string;
  verb: "ADD" | "DEL" | "CHECK" | "STATUS" | "GC" | "VERSION";
  /** Goes to standard input: as JSON, or as it is when it is a text. */
  config: object | string;
  /** The last successful ADD's result goes into the configuration. */
  prevResult?: boolean;
  /** Changes to what a runtime would say; undefined removes a variable. */
  environment?: Record<string, string | undefined>;
  /** `ip` commands in the host, and in the container, just before this step. */
  host?: string;
  container?: string;
  /** A shell script in the container just before this step. */
  script?: string;
  /** Whether the world is looked at after this step; by default after an ADD and after the last. */
  look?: boolean;
}

/** Where the master is, in the worlds of test/support. */
export const master = "eth0";

export const v4 = { address: "192.0.2.11/24", gateway: "192.0.2.2" };
export const v6 = { address: "2001:db8:1::11/64", gateway: "2001:db8:1::2" };
export const defaults = [{ dst: "0.0.0.0/0" }, { dst: "::/0" }];

/** The static IPAM plugin with these addresses. */
export function fixed(addresses: object[], more: object = {}): object {
  return { type: "static", addresses, ...more };
}

/** The host-local IPAM plugin with these ranges. */
export function hostLocal(more: object = {}): object {
  return { type: "host-local", dataDir: "@leases", ranges: [[{ subnet: "192.0.2.0/24" }]], ...more };
}

/** A configuration with what most have; undefined leaves a key out. */
export function network(more: object = {}): object {
  return {
    cniVersion: "1.0.0",
    name: "network",
    type: "ipvlan",
    master,
    ipam: fixed([v4], { routes: [{ dst: "0.0.0.0/0" }] }),
    ...more,
  };
}

/** An attachment from its beginning to its end. */
export function life(name: string, config: object, more: Partial<Case> = {}, step: Partial<Step> = {}): Case {
  return {
    name,
    ...more,
    steps: [
      { verb: "ADD", config, ...step },
      { verb: "CHECK", config, prevResult: true, ...step },
      { verb: "DEL", config, prevResult: true, ...step },
    ],
  };
}

/** One call. */
export function once(
  name: string,
  verb: Step["verb"],
  config: object | string,
  step: Partial<Step> = {},
  more: Partial<Case> = {},
): Case {
  return { name, ...more, steps: [{ verb, config, ...step }] };
}
