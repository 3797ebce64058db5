import type { Ipam } from "../ipvlan/call.ts";
import type { NetworkConfig } from "./config.ts";
import { delegate } from "./delegate.ts";
import type { Environment } from "./environment.ts";

/**
 * Who gives the network's addresses; undefined when nobody does. `variables` are what a plugin that is executed gets.
 */
export function ipamFor(
  config: NetworkConfig,
  environment: Environment,
  variables: Record<string, string | undefined>,
): Ipam | undefined {
  if (config.ipam === undefined) return undefined;
  return delegate({
    type: config.ipam.type,
    path: environment.path,
    stdin: config.bytes,
    cniVersion: config.cniVersion,
    variables,
  });
}
