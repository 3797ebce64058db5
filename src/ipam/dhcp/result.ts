import { messageOf } from "../../error.ts";
import type { Dns, Result, Route } from "../../net/result.ts";
import { present } from "../../net/schema.ts";
import { dotted } from "./client.ts";
import type { Grant } from "./grant.ts";
import { MalformedMessage } from "./malformed.ts";
import {
  address,
  OPTION,
  type OptionRoute,
  readAddresses,
  readClasslessRoutes,
  readName,
  readSearchList,
  readStaticRoutes,
  readUint16,
} from "./option.ts";

const RT_SCOPE_LINK = 253;
/** The least a link carries (RFC 2132, option 26). */
const MTU_MIN = 68;
/** The longest lifetime of an address that is not for ever. */
const LIFETIME_MAX_SECONDS = 0xffff_fffe;

/** What a lease gives to the endpoint. */
export interface Given {
  result: Result;
  /** What the link is to carry at most; undefined: no word of it. */
  mtu: number | undefined;
  /** Options that were of no use. */
  complaints: string[];
}

/**
 * Address, routes, names and MTU out of the options of an ACK, as far as they were asked for. One that cannot be read is
 * left out: the lease is good without it. `now` is in boot seconds.
 */
export function givenBy(grant: Grant, requests: number[], priority: number | undefined, now: number): Given {
  const complaints: string[] = [];
  const read = <T>(code: number, reader: (value: Uint8Array) => T): T | undefined => {
    const value = requests.includes(code) ? grant.message.options.get(code) : undefined;
    if (value === undefined) return undefined;
    try {
      return reader(value);
    } catch (thrown) {
      if (!(thrown instanceof MalformedMessage)) throw thrown;
      complaints.push(`option ${code} is left out: ${messageOf(thrown)}`);
      return undefined;
    }
  };
  const [router] = read(OPTION.routers, readAddresses) ?? [];
  const gateway = router === undefined || router === 0 ? undefined : address(router);
  const classless = read(OPTION.classlessRoutes, readClasslessRoutes);
  const routes = classless ?? [
    ...(read(OPTION.staticRoutes, readStaticRoutes) ?? []),
    ...(gateway === undefined ? [] : [{ dst: { ...address(0), length: 0 }, gateway }]),
  ];
  const mtu = read(OPTION.mtu, readUint16);
  const dns = present<Dns>(
    {
      nameservers: read(OPTION.nameServers, readAddresses)?.map(dotted),
      domain: read(OPTION.domainName, readName),
      search: read(OPTION.domainSearch, readSearchList),
    },
    ["nameservers", "domain", "search"],
  );
  return {
    result: {
      interfaces: [],
      ips: [
        {
          address: { ...address(grant.address), length: grant.prefixLength },
          ...(gateway === undefined ? {} : { gateway }),
          ...lifetimeOf(grant, now),
        },
      ],
      routes: routes.map((route) => routeOf(route, priority)),
      dns,
    },
    mtu: mtu === undefined || mtu < MTU_MIN ? undefined : mtu,
    complaints,
  };
}

function routeOf({ dst, gateway }: OptionRoute, priority: number | undefined): Route {
  return {
    dst,
    ...(gateway === undefined ? { scope: RT_SCOPE_LINK } : { gw: gateway }),
    ...(priority === undefined ? {} : { priority }),
  };
}

function lifetimeOf(grant: Grant, now: number): { lifetimeSeconds?: number } {
  const seconds = lifetimeSeconds(grant, now);
  return seconds === undefined ? {} : { lifetimeSeconds: seconds };
}

/** What is left of a lease, in whole seconds for the kernel; undefined for ever. */
export function lifetimeSeconds({ expiresAt }: { expiresAt: number }, now: number): number | undefined {
  if (expiresAt === Infinity) return undefined;
  return Math.min(LIFETIME_MAX_SECONDS, Math.max(1, Math.ceil(expiresAt - now)));
}
