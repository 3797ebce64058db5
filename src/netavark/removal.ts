import * as v from "valibot";
import type { Attachment } from "../ipam/ipam.ts";
import type { RouteAdd } from "../linux/codec.ts";
import { text, validate } from "../schema.ts";
import { routeSchema } from "./input.ts";
import { recordName, staticRoute } from "./plan.ts";
import { checkContainerId, checkContainerInterface } from "./rules.ts";

/** What teardown has to know. */
export interface Removal {
  network: string;
  attachment: Attachment;
  routes: RouteAdd[];
}

const removalSchema = v.object({
  containerId: text,
  network: v.object({ name: text, routes: v.nullish(v.unknown()) }),
  options: v.object({ interface_name: text }),
});

/**
 * Reads only what is needed to clean up: a network that could never have been set up, or that has been changed since,
 * must not keep its containers from being removed. Throws a `config` Failure when not even that is there.
 */
export function removalOf(netns: string, containerId: unknown, network: object, options: object): Removal {
  const input = validate(removalSchema, { containerId, network, options }, "");
  const ifName = input.options.interface_name;
  checkContainerInterface(ifName);
  checkContainerId(input.containerId);
  return {
    network: recordName(input.network.name),
    attachment: { containerId: input.containerId, netns, ifName },
    routes: readableRoutes(input.network.routes),
  };
}

function readableRoutes(routes: unknown): RouteAdd[] {
  if (!Array.isArray(routes)) return [];
  return routes.flatMap((route) => {
    const read = v.safeParse(routeSchema, route);
    if (!read.success) return [];
    try {
      return staticRoute(read.output);
    } catch {
      // Setup refused it.
      return [];
    }
  });
}
