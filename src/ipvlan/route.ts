import type { RouteAdd } from "../linux/codec.ts";
import { type IpAddress, type IpPrefix, networkOf, prefixContains } from "../net/ip.ts";
import type { IpConfig, Result, Route } from "../net/result.ts";
import type { EndpointOptions } from "./call.ts";

// linux/rtnetlink.h
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const LINK_LOCAL: IpPrefix = { family: 6, value: 0xfe80n << 112n, length: 10 };

/** A result's routes as the options want them: a metric for those without, the default routes left out or added. */
export function shapeRoutes({ ips, routes }: Result, { metric, defaultRoute }: EndpointOptions): Route[] {
  let shaped = routes;
  if (defaultRoute === false) shaped = shaped.filter((route) => route.dst.length > 0);
  if (defaultRoute === true) shaped = [...shaped, ...missingDefaults(ips, routes)];
  if (metric === undefined) return shaped;
  return shaped.map((route) => (route.priority === undefined ? { ...route, priority: metric } : route));
}

/** A default route for each family that has a gateway and none yet. */
function missingDefaults(ips: IpConfig[], routes: Route[]): Route[] {
  const families = ([4, 6] as const).filter(
    (family) =>
      ips.some((ip) => ip.address.family === family && ip.gateway !== undefined) &&
      !routes.some((route) => route.dst.family === family && route.dst.length === 0),
  );
  return families.map((family) => ({ dst: { family, value: 0n, length: 0 } }));
}

/** A route of a result as the kernel is asked for it: through that link, whatever else could reach its gateway. */
export function routeThrough(linkIndex: number, route: Route, ips: IpConfig[]): RouteAdd {
  const dst = networkOf(route.dst);
  const gateway = gatewayOf(route, ips);
  return {
    dst,
    oif: linkIndex,
    scope: route.scope ?? (gateway === undefined && dst.family === 4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE),
    ...(gateway === undefined ? {} : { gateway, onlink: !isOnLink(gateway, ips) }),
    ...(route.priority ? { priority: route.priority } : {}),
    ...(route.table ? { table: route.table } : {}),
    ...(route.mtu ? { mtu: route.mtu } : {}),
    ...(route.advmss ? { advmss: route.advmss } : {}),
  };
}

/**
 * A route without a gateway takes the first one that an address of its family came with. A route of link scope leads to
 * the link itself: the kernel would refuse any gateway for it.
 */
export function gatewayOf(route: Route, ips: IpConfig[]): IpAddress | undefined {
  if (route.gw !== undefined || route.scope === RT_SCOPE_LINK) return route.gw;
  for (const { address, gateway } of ips)
    if (address.family === route.dst.family && gateway !== undefined) return gateway;
  return undefined;
}

function isOnLink(gateway: IpAddress, ips: IpConfig[]): boolean {
  return prefixContains(LINK_LOCAL, gateway) || ips.some((ip) => prefixContains(ip.address, gateway));
}
