import { IFA_F_DADFAILED, IFA_F_TENTATIVE, RTM_NEWLINK } from "../../wasm/uapi.ts";
import { Failure } from "../error.ts";
import * as codec from "../linux/codec.ts";
import {
  EADDRINUSE,
  EEXIST,
  EHOSTUNREACH,
  EINVAL,
  ENETUNREACH,
  ENOENT,
  isErrno,
  KernelError,
} from "../linux/errno.ts";
import { sleep } from "../linux/libc.ts";
import { inNamespace } from "../linux/netns.ts";
import { addressesOf, type Link } from "../linux/rtnetlink.ts";
import { type Acknowledgement, exchange } from "../linux/socket.ts";
import { netPath, readSysctl, writeSysctl } from "../linux/sysctl.ts";
import {
  formatAddress,
  formatPrefix,
  type IpAddress,
  type IpPrefix,
  networkOf,
  prefixContains,
} from "../net/ip.ts";
import type { IpConfig, Route } from "../net/result.ts";
import type { World } from "./world.ts";

/** A namespace that is being torn down may hold its address a moment longer: how often to ask again, and the pause. */
const ADDRESS_TRIES = 20;
const ADDRESS_PAUSE_MS = 50;
/** How long duplicate address detection may take, and how often to look. */
const DAD_TIMEOUT_MS = 5000;
const DAD_PAUSE_MS = 20;
/** The least an IPv6 link must carry (RFC 8200). */
const IPV6_MTU_MIN = 1280;
// linux/if.h
const IFF_LOWER_UP = 0x10000;
// linux/rtnetlink.h
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const LINK_LOCAL: IpPrefix = { family: 6, value: 0xfe80n << 112n, length: 10 };

/** One request of a batch, and what to make of the kernel's answer. */
interface Step {
  pack(): void;
  refusal(answer: Acknowledgement): Failure | undefined;
}

/**
 * Gives the link its addresses, brings it up, and adds its routes, in one send; returns the link as the kernel then has
 * it. Addresses come before up, because the kernel announces only those that are there at that moment.
 * Throws a Failure that names the address or route the kernel refused; what was done stays for the caller to undo.
 */
export function configureLink(world: World, link: Link, ips: IpConfig[], routes: Route[]): Link {
  const ipv6 = ips.find((ip) => ip.address.family === 6);
  if (ipv6 !== undefined && link.mtu < IPV6_MTU_MIN) {
    throw new Failure(
      "config",
      `address ${formatPrefix(ipv6.address)} needs an MTU of ${IPV6_MTU_MIN}, not ${link.mtu}`,
      {
        remedy: 'raise "mtu", or leave IPv6 out',
      },
    );
  }
  inNamespace(world.container, world.home, () => prepare(link.name, ipv6));
  for (let attempt = 1; ; attempt++) {
    const { configured, refusal } = send(world, link, ips, routes, attempt > 1);
    if (refusal === undefined) return configured;
    if (!isErrno(refusal.cause, EADDRINUSE) || attempt === ADDRESS_TRIES) throw refusal;
    sleep(ADDRESS_PAUSE_MS);
  }
}

function send(
  world: World,
  link: Link,
  ips: IpConfig[],
  routes: Route[],
  again: boolean,
): { configured: Link; refusal: Failure | undefined } {
  const steps = [
    ...ips.map((ip) => addressStep(link, ip.address, again)),
    upStep(link),
    ...routes.map((route) => routeStep(link, route, ips)),
  ];
  let configured = link;
  const answers = exchange(
    world.inside,
    () => {
      for (const step of steps) step.pack();
      codec.requestLinkGet({ index: link.index });
    },
    (type) => {
      if (type === RTM_NEWLINK) configured = codec.responseLink();
    },
  );
  for (const [index, step] of steps.entries()) {
    const answer = answers[index];
    const refusal = answer === undefined || answer.errno === 0 ? undefined : step.refusal(answer);
    if (refusal !== undefined) return { configured, refusal };
  }
  return { configured, refusal: undefined };
}

function addressStep(link: Link, address: IpPrefix, again: boolean): Step {
  return {
    pack: () =>
      codec.requestAddressAdd({
        index: link.index,
        address,
        broadcast: hasBroadcast(address),
        replace: again,
      }),
    refusal: (answer) => {
      const cause = new KernelError("RTM_NEWADDR", formatPrefix(address), answer.errno, answer.message);
      if (answer.errno === EADDRINUSE) {
        return new Failure(
          "address",
          `address ${formatAddress(address)} is in use by another ipvlan link on this master`,
          {
            cause,
            remedy:
              "look for an endpoint that was not removed, or for two networks that give out the same addresses",
          },
        );
      }
      return new Failure("address", `the kernel refused address ${formatPrefix(address)} on "${link.name}"`, {
        cause,
        remedy: answer.errno === EEXIST ? "let the IPAM give each address once" : undefined,
      });
    },
  };
}

/** Point-to-point prefixes have no broadcast address (RFC 3021). */
function hasBroadcast(address: IpPrefix): boolean {
  return address.family === 4 && address.length < 31;
}

function upStep(link: Link): Step {
  return {
    pack: () => codec.requestLinkSet({ index: link.index, up: true }),
    refusal: (answer) =>
      new Failure("interface", `cannot bring "${link.name}" up`, {
        cause: new KernelError("RTM_SETLINK", link.name, answer.errno, answer.message),
      }),
  };
}

function routeStep(link: Link, route: Route, ips: IpConfig[]): Step {
  const dst = networkOf(route.dst);
  const gateway = gatewayOf(route, ips);
  const text = `route ${formatPrefix(dst)}${gateway === undefined ? "" : ` via ${formatAddress(gateway)}`}`;
  return {
    pack: () =>
      codec.requestRouteAdd({
        dst,
        oif: link.index,
        scope: route.scope ?? (gateway === undefined && dst.family === 4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE),
        ...(gateway === undefined ? {} : { gateway, onlink: !isOnLink(gateway, ips) }),
        ...(route.priority ? { priority: route.priority } : {}),
        ...(route.table ? { table: route.table } : {}),
        ...(route.mtu ? { mtu: route.mtu } : {}),
        ...(route.advmss ? { advmss: route.advmss } : {}),
      }),
    refusal: (answer) => {
      // The very same route on the very same link: what was asked for is there.
      if (answer.errno === EEXIST) return undefined;
      return new Failure("route", `the kernel refused ${text} on "${link.name}"`, {
        cause: new KernelError("RTM_NEWROUTE", formatPrefix(dst), answer.errno, answer.message),
        remedy: routeRemedy(answer.errno),
      });
    },
  };
}

function routeRemedy(errno: number): string | undefined {
  if (errno === ENETUNREACH || errno === EHOSTUNREACH)
    return "give a gateway that can be reached on this link";
  if (errno === EINVAL) return "check the route's gateway (same IP family), scope and table";
  return undefined;
}

/**
 * A route without a gateway takes the first one that an address of its family came with. A route of link scope leads to
 * the link itself: the kernel would refuse any gateway for it.
 */
export function gatewayOf(route: Route, ips: IpConfig[]): IpAddress | undefined {
  if (route.gw === undefined && route.scope === RT_SCOPE_LINK) return undefined;
  return (
    route.gw ?? ips.find((ip) => ip.address.family === route.dst.family && ip.gateway !== undefined)?.gateway
  );
}

function isOnLink(gateway: IpAddress, ips: IpConfig[]): boolean {
  return prefixContains(LINK_LOCAL, gateway) || ips.some((ip) => prefixContains(ip.address, gateway));
}

/** Settings that must stand before the link comes up; runs inside the container's namespace. */
function prepare(ifName: string, ipv6: IpConfig | undefined): void {
  // The kernel then announces the addresses when the link comes up. A container without the setting works all the same.
  attempt(netPath("ipv4/conf", ifName, "arp_notify"));
  attempt(netPath("ipv6/conf", ifName, "ndisc_notify"));
  if (ipv6 === undefined) return;
  for (const name of ["lo", ifName]) enableIpv6(name, ipv6);
  attempt(netPath("ipv6/conf", ifName, "keep_addr_on_down"));
}

function attempt(path: string): void {
  try {
    writeSysctl(path, "1");
  } catch {}
}

function enableIpv6(ifName: string, ip: IpConfig): void {
  const path = netPath("ipv6/conf", ifName, "disable_ipv6");
  try {
    if (readSysctl(path) !== "0") writeSysctl(path, "0");
  } catch (cause) {
    const missing = isErrno(cause, ENOENT);
    throw new Failure(
      "address",
      `address ${formatPrefix(ip.address)} needs IPv6, which is ${missing ? "absent from this kernel" : `off on "${ifName}"`}`,
      { cause, remedy: missing ? "boot without ipv6.disable=1, or leave IPv6 out" : `make ${path} writable` },
    );
  }
}

/**
 * Waits until the IPv6 addresses of the link have passed duplicate address detection. A link without carrier is not
 * waited for: detection starts only when it has one. Throws a Failure of kind `address` for a duplicate.
 */
export function settle(world: World, link: Link): void {
  if ((link.flags & IFF_LOWER_UP) === 0) return;
  for (let waitedMs = 0; ; waitedMs += DAD_PAUSE_MS) {
    const addresses = addressesOf(world.inside, link.index).filter((address) => address.family === 6);
    const duplicate = addresses.find((address) => (address.flags & IFA_F_DADFAILED) !== 0);
    if (duplicate !== undefined) {
      const text = formatAddress(duplicate.address);
      throw new Failure(
        "address",
        `address ${text} on "${link.name}" is used by somebody else on the link (DADFAILED)`,
        {
          remedy: "find the other user of the address, or take another one",
        },
      );
    }
    if (!addresses.some((address) => (address.flags & IFA_F_TENTATIVE) !== 0)) return;
    if (waitedMs >= DAD_TIMEOUT_MS) {
      throw new Failure(
        "busy",
        `the IPv6 addresses of "${link.name}" are still tentative after ${DAD_TIMEOUT_MS} ms`,
        {
          remedy: "try again later; see whether the master passes multicast",
        },
      );
    }
    sleep(DAD_PAUSE_MS);
  }
}
