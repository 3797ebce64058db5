/** What becomes of the options of an ACK. */

import { expect, test } from "bun:test";
import type { Grant } from "../../src/ipam/dhcp/grant.ts";
import { OPTION, uint16, uint32 } from "../../src/ipam/dhcp/option.ts";
import { givenBy } from "../../src/ipam/dhcp/result.ts";
import { formatAddress, formatPrefix } from "../../src/net/ip.ts";

const REQUESTS = [1, 121, 3, 33, 6, 15, 119, 26];
const ip = (text: string) => uint32(text.split(".").reduce((value, part) => value * 256 + Number(part), 0));
const ips = (...texts: string[]) => Buffer.concat(texts.map(ip));

function given(options: [number, Uint8Array][], requests = REQUESTS, expiresAt = 600) {
  const grant = { address: 0xc000_0232, prefixLength: 24, expiresAt, message: { options: new Map(options) } };
  const { result, mtu, complaints } = givenBy(grant as unknown as Grant, requests, undefined, 0);
  const routes = result.routes.map(
    ({ dst, gw }) => `${formatPrefix(dst)} ${gw === undefined ? "direct" : formatAddress(gw)}`,
  );
  return { routes, dns: result.dns, ips: result.ips, mtu, complaints };
}

test("routers give the gateway and the default route, static routes come before", () => {
  const { routes, ips: addresses } = given([
    [OPTION.routers, ips("192.0.2.1", "192.0.2.2")],
    [OPTION.staticRoutes, ips("0.0.0.0", "192.0.2.3", "10.0.0.0", "192.0.2.4", "172.16.0.1", "192.0.2.5")],
  ]);
  expect(routes).toEqual(["10.0.0.0/8 192.0.2.4", "172.16.0.1/32 192.0.2.5", "0.0.0.0/0 192.0.2.1"]);
  expect(formatAddress(addresses[0]!.gateway!)).toBe("192.0.2.1");
});

test("classless routes stand instead of both (RFC 3442); host bits and missing bytes do not matter", () => {
  const { routes } = given([
    [OPTION.routers, ip("192.0.2.1")],
    [OPTION.staticRoutes, ips("10.0.0.0", "192.0.2.4")],
    [
      OPTION.classlessRoutes,
      Buffer.concat([Uint8Array.of(9, 10, 255), ip("192.0.2.6"), Uint8Array.of(0), ip("0.0.0.0")]),
    ],
  ]);
  expect(routes).toEqual(["10.128.0.0/9 192.0.2.6", "0.0.0.0/0 direct"]);
});

test("what was not asked for is not taken", () => {
  const { routes, dns, mtu } = given(
    [
      [OPTION.routers, ip("192.0.2.1")],
      [OPTION.nameServers, ip("192.0.2.53")],
      [OPTION.mtu, uint16(1400)],
    ],
    [1],
  );
  expect([routes, dns, mtu]).toEqual([[], {}, undefined]);
});

test("an option that cannot be read is left out with a word, and the lease is good without it", () => {
  const { dns, mtu, routes, complaints } = given([
    [OPTION.domainName, Buffer.from("example.com\nnameserver 203.0.113.1")],
    [OPTION.nameServers, Uint8Array.of(1, 2, 3)],
    [OPTION.mtu, uint16(67)],
    [OPTION.classlessRoutes, Uint8Array.of(33, 1)],
    [OPTION.routers, ip("192.0.2.1")],
  ]);
  expect([dns, mtu]).toEqual([{}, undefined]);
  expect(routes).toEqual(["0.0.0.0/0 192.0.2.1"]);
  expect(complaints).toEqual([
    "option 121 is left out: prefix length 33",
    "option 6 is left out: 3 bytes are no list of addresses",
    'option 15 is left out: "example.com\\nnameserver 203.0.113.1" is no domain name',
  ]);
});

test("the address has the lease's lifetime, and none for ever", () => {
  expect(given([]).ips[0]?.lifetimeSeconds).toBe(600);
  expect(given([], REQUESTS, Infinity).ips[0]?.lifetimeSeconds).toBeUndefined();
});
