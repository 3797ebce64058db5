import type { Ipam } from "../ipam/ipam.ts";
import type { NetworkConfig } from "./config.ts";
import { delegate, findPlugin } from "./delegate.ts";
import type { Environment } from "./environment.ts";

/**
 * Who gives the network's addresses; undefined when nobody does. `variables` are what a plugin that is executed gets.
 * Throws when an ADD could not find its plugin: then nothing has been touched yet. Every other verb has work to do
 * without it.
 */
export function ipamFor(
  config: NetworkConfig,
  environment: Environment,
  variables: Record<string, string | undefined>,
): Ipam | undefined {
  if (config.ipam === undefined) return undefined;
  const { type } = config.ipam;
  if (environment.command === "ADD") findPlugin(type, environment.path);
  return delegate({
    type,
    path: environment.path,
    cniVersion: config.cniVersion,
    execution: { stdin: config.bytes, variables },
  });
}
