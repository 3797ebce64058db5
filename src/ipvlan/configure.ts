import {
  IFA_F_DADFAILED,
  IFA_F_NODAD,
  IFA_F_OPTIMISTIC,
  IFA_F_TENTATIVE,
  IFF_LOWER_UP,
  RTM_NEWLINK,
} from "../../wasm/uapi.ts";
import { debug } from "../debug.ts";
import { Failure } from "../error.ts";
import * as codec from "../linux/codec.ts";
import {
  EADDRINUSE,
  EEXIST,
  EHOSTUNREACH,
  EINVAL,
  ENETUNREACH,
  ENOENT,
  EOPNOTSUPP,
  ESRCH,
  isErrno,
  KernelError,
} from "../linux/errno.ts";
import { sleep } from "../linux/libc.ts";
import { inNamespace } from "../linux/netns.ts";
import { addressesOf, expect, type Link } from "../linux/rtnetlink.ts";
import { type Acknowledgement, exchange, type Socket } from "../linux/socket.ts";
import { netPath, readSysctl, writeSysctl } from "../linux/sysctl.ts";
import { formatAddress, formatPrefix, type IpPrefix, parsePrefix } from "../net/ip.ts";
import type { Dad } from "./call.ts";
import { holderOf } from "./holder.ts";
import { type NewLink, vanished } from "./link.ts";
import type { Undo } from "./undo.ts";
import type { World } from "./world.ts";

/** A namespace that is being torn down may hold its address a moment longer: how often to ask again, and the pause. */
const ADDRESS_TRIES = 20;
const ADDRESS_PAUSE_MS = 50;
/** How long duplicate address detection may take, and how often to look. */
const DAD_TIMEOUT_MS = 5000;
const DAD_PAUSE_MS = 20;
/** The least an IPv6 link must carry (RFC 8200). */
const IPV6_MTU_MIN = 1280;
/** In every namespace. */
const LOOPBACK_INDEX = 1;

/** An address, and for how many seconds it may be used unless somebody prolongs that; undefined: for ever. */
export interface LeasedAddress extends IpPrefix {
  lifetimeSeconds?: number | undefined;
}

/** What a link is to be given. */
export interface Settings {
  addresses: LeasedAddress[];
  /** A route that is there already is as good as added. */
  routes: codec.RouteAdd[];
  /** Whether the kernel may make addresses and routes out of router advertisements; left as it is when absent. */
  acceptRa?: boolean;
  /**
   * Duplicate address detection; left to the kernel, and not waited for, when absent. "auto" is optimistic where the kernel
   * can be; elsewhere it waits only with a gateway, because only then is there traffic that would start, and fail.
   */
  dad?: Dad | "auto";
  hasIpv6Gateway?: boolean;
  /** Bring the container's loopback up too: not every runtime does that itself. */
  loopback?: boolean;
}

/** One request of a batch, and what to make of the kernel's answer. */
interface Step {
  pack(): void;
  /** Called for each step that succeeded, also after a failed one: the kernel carries out the whole batch. */
  done?(): void;
  /** For a step that the kernel refused; undefined where that is as good as done. */
  refusal(answer: Acknowledgement): Failure | undefined;
}

/**
 * Gives the link its addresses, brings it up, and adds its routes, in one send; returns the link as the kernel then has
 * it. Addresses come before up, because the kernel announces only those that are there at that moment.
 * Throws a Failure that names the address or route the kernel refused; what was done stays for the caller to undo:
 * addresses and most routes go with the link, for routes that do not name it `undo` gets a step.
 */
export function configureLink(world: World, link: NewLink, settings: Settings, undo: Undo): Link {
  const ipv6 = settings.addresses.find((address) => address.family === 6);
  if (ipv6 !== undefined && link.mtu < IPV6_MTU_MIN) {
    throw new Failure(
      "config",
      `address ${formatPrefix(ipv6)} needs an MTU of ${IPV6_MTU_MIN}, not ${link.mtu}`,
      {
        remedy: "raise the MTU, or leave IPv6 out",
      },
    );
  }
  const dad = inNamespace(world.container, world.home, () => prepare(link.name, ipv6, settings));
  const added: codec.RouteAdd[] = [];
  undo.push(() => deleteRoutes(world.inside, added));
  for (let attempt = 1; ; attempt++) {
    const { configured, refusal } = send(world, link, settings, DAD_FLAGS[dad], added, attempt > 1);
    if (refusal === undefined) {
      if (configured === undefined) throw vanished(link.name);
      if (dad === "wait") settle(world, configured);
      return configured;
    }
    if (!isErrno(refusal.cause, EADDRINUSE)) throw refusal;
    if (attempt === ADDRESS_TRIES) throw withHolder(world, refusal, refusal.cause.subject);
    debug?.step("an address is still in use: asked again", { attempt, ifName: link.name });
    sleep(ADDRESS_PAUSE_MS);
  }
}

/** The refusal of an address that is in use, with whose it is where that can be found out. */
function withHolder(world: World, refusal: Failure, address: string): Failure {
  const holder = holderOf(world.home, parsePrefix(address)!);
  if (holder === undefined) return refusal;
  const { message, remedy, cause } = refusal;
  return new Failure("address", message, { remedy, cause, details: `it belongs to ${holder}` });
}

function send(
  world: World,
  link: NewLink,
  settings: Settings,
  ipv6Flags: number,
  added: codec.RouteAdd[],
  again: boolean,
): { configured: Link | undefined; refusal: Failure | undefined } {
  const steps: Step[] = [];
  if (settings.loopback) steps.push(upStep({ index: LOOPBACK_INDEX, name: "lo" }));
  for (const address of settings.addresses) steps.push(addressStep(link, address, ipv6Flags, again));
  steps.push(upStep(link));
  for (const route of settings.routes) steps.push(routeStep(link, route, added));
  let configured: Link | undefined;
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
  let refusal: Failure | undefined;
  for (let index = 0; index < steps.length; index++) {
    const answer = answers[index]!;
    const step = steps[index]!;
    if (answer.errno === 0) step.done?.();
    else refusal ??= step.refusal(answer);
  }
  return { configured, refusal };
}

function addressStep(link: NewLink, address: LeasedAddress, ipv6Flags: number, again: boolean): Step {
  return {
    pack: () =>
      codec.requestAddressAdd({
        index: link.index,
        address,
        broadcast: hasBroadcast(address),
        flags: address.family === 6 ? ipv6Flags : 0,
        replace: again,
        validLifetime: address.lifetimeSeconds,
        preferredLifetime: address.lifetimeSeconds,
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

function upStep(link: { index: number; name: string }): Step {
  return {
    pack: () => codec.requestLinkSet({ index: link.index, up: true }),
    refusal: (answer) =>
      new Failure("interface", `cannot bring "${link.name}" up`, {
        cause: new KernelError("RTM_SETLINK", link.name, answer.errno, answer.message),
      }),
  };
}

function routeStep(link: NewLink, route: codec.RouteAdd, added: codec.RouteAdd[]): Step {
  return {
    pack: () => codec.requestRouteAdd(route),
    done: () => {
      if (route.oif === undefined && !added.includes(route)) added.push(route);
    },
    refusal: (answer) => {
      // The very same route: what was asked for is there.
      if (answer.errno === EEXIST) return undefined;
      const via = route.gateway === undefined ? "" : ` via ${formatAddress(route.gateway)}`;
      const text = `route ${formatPrefix(route.dst)}${via}`;
      return new Failure("route", `the kernel refused ${text} on "${link.name}"`, {
        cause: new KernelError("RTM_NEWROUTE", formatPrefix(route.dst), answer.errno, answer.message),
        remedy: routeRemedy(answer.errno),
      });
    },
  };
}

/** Deletes the routes that are there. Throws the first KernelError, after each has been tried. */
export function deleteRoutes(socket: Socket, routes: codec.RouteRequest[]): void {
  if (routes.length === 0) return;
  const answers = exchange(socket, () => {
    for (const { dst, gateway, priority, protocol, type } of routes)
      codec.requestRouteDelete({ dst, gateway, priority, protocol, type });
  });
  for (const [index, answer] of answers.entries()) {
    // Not there, or of a family that this kernel does not have.
    if (answer.errno === ESRCH || answer.errno === EOPNOTSUPP) continue;
    expect(answer, "RTM_DELROUTE", formatPrefix(routes[index]!.dst));
  }
}

function routeRemedy(errno: number): string | undefined {
  if (errno === ENETUNREACH || errno === EHOSTUNREACH)
    return "give a gateway that can be reached on this link";
  if (errno === EINVAL) return "check the route's gateway (same IP family), scope and table";
  return undefined;
}

/** Settings that must stand before the link comes up; runs inside the container's namespace. */
function prepare(ifName: string, ipv6: IpPrefix | undefined, settings: Settings): Detection {
  // The kernel then announces the addresses when the link comes up. A container without the setting works all the same.
  attempt(netPath("ipv4/conf", ifName, "arp_notify"), "1");
  attempt(netPath("ipv6/conf", ifName, "ndisc_notify"), "1");
  if (settings.acceptRa !== undefined) {
    for (const setting of ["accept_ra", "autoconf"]) {
      attempt(netPath("ipv6/conf", ifName, setting), settings.acceptRa ? "1" : "0");
    }
  }
  if (ipv6 === undefined) return "none";
  for (const name of ["lo", ifName]) enableIpv6(name, ipv6);
  attempt(netPath("ipv6/conf", ifName, "keep_addr_on_down"), "1");
  return detection(ifName, settings);
}

/** How duplicates will be looked for, once the kernel has been told; "none": nobody waits, nobody is told. */
type Detection = Dad | "none";

const DAD_FLAGS: Record<Detection, number> = {
  wait: 0,
  none: 0,
  optimistic: IFA_F_OPTIMISTIC,
  off: IFA_F_NODAD,
};

function detection(ifName: string, { dad, hasIpv6Gateway }: Settings): Detection {
  if (dad === undefined) return "none";
  if (dad === "wait" || dad === "off") return dad;
  const path = (setting: string) => netPath("ipv6/conf", ifName, setting);
  // Addresses that are not yet known to be unique may then be used, and be chosen as a source.
  if (attempt(path("optimistic_dad"), "1") && attempt(path("use_optimistic"), "1")) return "optimistic";
  return dad === "optimistic" || hasIpv6Gateway ? "wait" : "none";
}

/** Writes a setting that is welcome but not needed; false when it cannot be. */
function attempt(path: string, value: string): boolean {
  try {
    writeSysctl(path, value);
    return true;
  } catch {
    return false;
  }
}

function enableIpv6(ifName: string, address: IpPrefix): void {
  const path = netPath("ipv6/conf", ifName, "disable_ipv6");
  try {
    if (readSysctl(path) !== "0") writeSysctl(path, "0");
  } catch (cause) {
    const missing = isErrno(cause, ENOENT);
    throw new Failure(
      "address",
      `address ${formatPrefix(address)} needs IPv6, which is ${missing ? "absent from this kernel" : `off on "${ifName}"`}`,
      { cause, remedy: missing ? "boot without ipv6.disable=1, or leave IPv6 out" : `make ${path} writable` },
    );
  }
}

/**
 * Waits until the IPv6 addresses of the link have passed duplicate address detection. A link without carrier is not
 * waited for: detection starts only when it has one. Throws a Failure of kind `address` for a duplicate.
 */
function settle(world: World, link: Link): void {
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
    debug?.step("duplicate address detection is waited for", { waitedMs });
    sleep(DAD_PAUSE_MS);
  }
}
