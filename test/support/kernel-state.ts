/** Compares what the plugin says with what the kernel has. */

import { expect } from "bun:test";
import type { Namespace } from "./namespace.ts";
import type { CniResult, CniRoute } from "./network.ts";

export interface KernelLink {
  ifname: string;
  address: string;
  mtu: number;
  flags: string[];
  linkinfo?: { info_kind?: string; info_data?: Record<string, unknown> };
  addr_info: { family: string; local: string; prefixlen: number; scope: string; broadcast?: string }[];
}

export interface KernelRoute {
  dst: string;
  gateway?: string;
  dev: string;
  table: string;
  protocol: string;
  scope: string;
  metric?: number;
  flags: string[];
  /** Only IPv6 routes have one. */
  pref?: string;
  metrics?: { mtu?: number; advmss?: number }[];
}

/** A link with its addresses. */
export async function linkOf(container: Namespace, ifName = "eth0"): Promise<KernelLink> {
  const [link] = await container.json<KernelLink[]>(`address show dev ${ifName}`);
  return link as KernelLink;
}

/** The routes that somebody asked for on a link, of all tables; not those that the kernel adds by itself. */
export async function routesOf(container: Namespace, ifName = "eth0"): Promise<KernelRoute[]> {
  const all = [
    ...(await container.json<KernelRoute[]>("-4 route show table all")),
    ...(await container.json<KernelRoute[]>("-6 route show table all")),
  ];
  return all.filter((route) => route.dev === ifName && route.protocol === "boot");
}

/**
 * The link is ipvlan in that mode and with that flag, up, and has MAC, MTU, addresses and routes exactly as the result
 * says; nothing is there that the result does not say.
 */
export async function expectResultIsTrue(
  result: CniResult,
  container: Namespace,
  { ifName = "eth0", mode = "l2", flag = "bridge" } = {},
): Promise<void> {
  const index = (result.interfaces ?? []).findIndex(
    (each) => each.name === ifName && each.sandbox === container.path,
  );
  const link = await linkOf(container, ifName);
  expect(result.interfaces?.[index]).toEqual({
    name: ifName,
    mac: link.address,
    mtu: link.mtu,
    sandbox: container.path,
  });
  expect(link.flags).toContain("UP");
  expect(link.linkinfo).toEqual({ info_kind: "ipvlan", info_data: { mode, [flag]: true } });
  const own = (result.ips ?? []).filter((ip) => ip.interface === index);
  const present = link.addr_info.filter((each) => each.scope !== "link");
  expect(present.map((each) => `${each.local}/${each.prefixlen}`).sort()).toEqual(
    own.map((ip) => ip.address).sort(),
  );
  const routes = await routesOf(container, ifName);
  expect(routes.map(kernelText).sort()).toEqual(
    (result.routes ?? []).map((route) => resultText(route, own)).sort(),
  );
}

/** A route in words that both sides can be put into. */
function kernelText(route: KernelRoute): string {
  const dst =
    route.dst.includes("/") || route.dst === "default"
      ? route.dst
      : `${route.dst}/${route.pref === undefined ? 32 : 128}`;
  const [{ mtu, advmss } = {}] = route.metrics ?? [];
  return text(dst, route.gateway, { mtu, advmss, priority: route.metric, table: Number(route.table) });
}

function resultText(route: CniRoute, ips: NonNullable<CniResult["ips"]>): string {
  const isIpv6 = route.dst.includes(":");
  const isDirect = route.gw === undefined && route.scope === 253;
  const gateway = isDirect
    ? undefined
    : (route.gw ?? ips.find((ip) => ip.address.includes(":") === isIpv6 && ip.gateway)?.gateway);
  const dst = route.dst === "0.0.0.0/0" || route.dst === "::/0" ? "default" : route.dst;
  return text(dst, gateway, route);
}

function text(
  dst: string,
  gateway: string | undefined,
  route: { [Key in keyof CniRoute]?: CniRoute[Key] | undefined },
): string {
  // An IPv6 route without a metric gets 1024; main is the table of a route that names none.
  const priority = route.priority && route.priority !== 1024 ? ` metric ${route.priority}` : "";
  const table = route.table && route.table !== 254 ? ` table ${route.table}` : "";
  const mtu = route.mtu ? ` mtu ${route.mtu}` : "";
  const advmss = route.advmss ? ` advmss ${route.advmss}` : "";
  return `${dst}${gateway ? ` via ${gateway}` : ""}${priority}${table}${mtu}${advmss}`;
}
