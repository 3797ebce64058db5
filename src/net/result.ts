import type { IpAddress, IpPrefix } from "./ip.ts";

/** A network interface of a result (CNI spec 1.1.0, section "ADD success"). */
export interface Interface {
  name: string;
  mac?: string;
  mtu?: number;
  /** The namespace it lives in; absent for an interface of the host. */
  sandbox?: string;
  socketPath?: string;
  pciID?: string;
}

/** An address with its prefix length; `interface` is an index into the result's interfaces. */
export interface IpConfig {
  address: IpPrefix;
  gateway?: IpAddress;
  interface?: number;
  /** How long the address may be used unless its lease is renewed; for the kernel alone, no result says it. */
  lifetimeSeconds?: number;
}

/** A route. `table`, `scope` and `priority` carry the kernel's numbers; `mtu` and `advmss` are route metrics. */
export interface Route {
  dst: IpPrefix;
  gw?: IpAddress;
  mtu?: number;
  advmss?: number;
  priority?: number;
  table?: number;
  scope?: number;
}

/** resolv.conf in the container, as far as the network knows it. */
export interface Dns {
  nameservers?: string[];
  domain?: string;
  search?: string[];
  options?: string[];
}

/** What an attachment has: the one internal form of every version of a CNI result. */
export interface Result {
  interfaces: Interface[];
  ips: IpConfig[];
  routes: Route[];
  dns: Dns;
}

/** A result with nothing in it. */
export function emptyResult(): Result {
  return { interfaces: [], ips: [], routes: [], dns: {} };
}

/** True when no DNS field is set. */
export function isDnsEmpty(dns: Dns): boolean {
  return !(dns.nameservers?.length || dns.domain || dns.search?.length || dns.options?.length);
}
