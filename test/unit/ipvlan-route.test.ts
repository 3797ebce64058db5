/** What becomes of a result's routes on their way to the kernel. */

import { describe, expect, test } from "bun:test";
import { gatewayOf, routeThrough, shapeRoutes } from "../../src/ipvlan/route.ts";
import { parseAddress, parsePrefix } from "../../src/net/ip.ts";
import { emptyResult, type IpConfig, type Route } from "../../src/net/result.ts";

const address = (text: string) => parseAddress(text)!;
const prefix = (text: string) => parsePrefix(text)!;
const ip = (text: string, gateway?: string): IpConfig => ({
  address: prefix(text),
  ...(gateway === undefined ? {} : { gateway: address(gateway) }),
});
const to = (text: string, more: Partial<Route> = {}): Route => ({ dst: prefix(text), ...more });

const v4 = ip("10.1.0.2/24", "10.1.0.1");
const v6 = ip("2001:db8::2/64", "2001:db8::1");
const DEFAULT4 = to("0.0.0.0/0");
const DEFAULT6 = to("::/0");

describe("the options", () => {
  const shape = (options: object, ips: IpConfig[], routes: Route[]) =>
    shapeRoutes({ ...emptyResult(), ips, routes }, options);

  test("without any, routes stay as they are", () => {
    const routes = [DEFAULT4, to("10.9.0.0/16", { priority: 7 })];
    expect(shape({}, [v4, v6], routes)).toEqual(routes);
  });

  test("defaultRoute true adds one for each family that has a gateway and none yet", () => {
    const add = (ips: IpConfig[], routes: Route[]) => shape({ defaultRoute: true }, ips, routes);
    expect(add([v4, v6], [])).toEqual([DEFAULT4, DEFAULT6]);
    expect(add([v6], [])).toEqual([DEFAULT6]);
    expect(add([ip("10.1.0.2/24"), v6], [])).toEqual([DEFAULT6]);
    expect(add([ip("10.1.0.2/24")], [])).toEqual([]);
    expect(add([v4, v6], [DEFAULT4])).toEqual([DEFAULT4, DEFAULT6]);
    expect(add([v4, v6], [DEFAULT6])).toEqual([DEFAULT6, DEFAULT4]);
    expect(add([v4], [to("10.9.0.0/16")])).toEqual([to("10.9.0.0/16"), DEFAULT4]);
    expect(add([v4], [to("0.0.0.0/1")])).toEqual([to("0.0.0.0/1"), DEFAULT4]);
    expect(add([v4, v6], [DEFAULT4, DEFAULT6])).toEqual([DEFAULT4, DEFAULT6]);
  });

  test("defaultRoute false leaves them out, and nothing else", () => {
    const halves = [to("0.0.0.0/1"), to("128.0.0.0/1"), to("::/1")];
    expect(shape({ defaultRoute: false }, [v4, v6], [DEFAULT4, ...halves, DEFAULT6])).toEqual(halves);
  });

  test("metric is for routes without one, of those that defaultRoute adds too", () => {
    const own = to("10.9.0.0/16", { priority: 0 });
    expect(shape({ metric: 5, defaultRoute: true }, [v4], [own, to("10.8.0.0/16")])).toEqual([
      own,
      to("10.8.0.0/16", { priority: 5 }),
      { ...DEFAULT4, priority: 5 },
    ]);
    expect(shape({ metric: 0 }, [v4], [DEFAULT4])).toEqual([{ ...DEFAULT4, priority: 0 }]);
  });
});

describe("the gateway", () => {
  test("is the route's own", () => {
    expect(gatewayOf(to("10.9.0.0/16", { gw: address("10.1.0.9") }), [v4])).toEqual(address("10.1.0.9"));
    expect(gatewayOf(to("10.9.0.0/16", { gw: address("10.1.0.9"), scope: 253 }), [v4])).toEqual(
      address("10.1.0.9"),
    );
  });

  test("else the first that an address of its family came with", () => {
    const ips = [v6, ip("10.2.0.2/24"), v4, ip("10.3.0.2/24", "10.3.0.1")];
    expect(gatewayOf(DEFAULT4, ips)).toEqual(address("10.1.0.1"));
    expect(gatewayOf(DEFAULT6, ips)).toEqual(address("2001:db8::1"));
    expect(gatewayOf(DEFAULT6, [v4])).toBeUndefined();
    expect(gatewayOf(DEFAULT4, [ip("10.2.0.2/24")])).toBeUndefined();
  });

  test("is none for a route of link scope, and for that alone", () => {
    expect(gatewayOf(to("10.9.0.0/16", { scope: 253 }), [v4])).toBeUndefined();
    for (const scope of [0, 200, 252, 254])
      expect(gatewayOf(to("10.9.0.0/16", { scope }), [v4])).toEqual(address("10.1.0.1"));
  });
});

describe("the kernel is asked for", () => {
  test("a route through the link, to the network and not to an address in it", () => {
    expect(routeThrough(7, to("10.9.1.2/16"), [v4])).toEqual({
      dst: prefix("10.9.0.0/16"),
      oif: 7,
      scope: 0,
      gateway: address("10.1.0.1"),
      onlink: false,
    });
  });

  test("a gateway that no address of the link reaches, on the link all the same; a link-local one is reached", () => {
    const onlink = (gw: string, ips: IpConfig[]) =>
      routeThrough(7, to(gw.includes(":") ? "::/0" : "0.0.0.0/0", { gw: address(gw) }), ips).onlink;
    expect(onlink("10.1.0.9", [v4])).toBe(false);
    expect(onlink("10.2.0.9", [v4])).toBe(true);
    expect(onlink("10.2.0.9", [v4, ip("10.2.0.2/24")])).toBe(false);
    expect(onlink("fe80::1", [v6])).toBe(false);
    expect(onlink("febf:ffff::1", [v6])).toBe(false);
    expect(onlink("fec0::1", [v6])).toBe(true);
    expect(onlink("fe7f:ffff::1", [v6])).toBe(true);
    expect(onlink("2001:db8::9", [v6])).toBe(false);
    expect(onlink("2001:db9::9", [v4, v6])).toBe(true);
  });

  test("without a gateway link scope in IPv4; IPv6 knows no scopes; the route's own scope counts", () => {
    const bare = [ip("10.1.0.2/24"), ip("2001:db8::2/64")];
    expect(routeThrough(7, DEFAULT4, bare)).toEqual({ dst: DEFAULT4.dst, oif: 7, scope: 253 });
    expect(routeThrough(7, DEFAULT6, bare)).toEqual({ dst: DEFAULT6.dst, oif: 7, scope: 0 });
    expect(routeThrough(7, { ...DEFAULT4, scope: 200 }, bare).scope).toBe(200);
    expect(routeThrough(7, { ...DEFAULT4, scope: 0 }, bare).scope).toBe(0);
  });

  test("priority, table and metrics where they are set; 0 is not set", () => {
    const metrics = { priority: 3, table: 100, mtu: 1400, advmss: 1360 };
    expect(routeThrough(7, { ...DEFAULT4, ...metrics }, [])).toEqual({
      ...{ dst: DEFAULT4.dst, oif: 7, scope: 253 },
      ...metrics,
    });
    const none = { priority: 0, table: 0, mtu: 0, advmss: 0 };
    expect(routeThrough(7, { ...DEFAULT4, ...none }, [])).toEqual({ dst: DEFAULT4.dst, oif: 7, scope: 253 });
  });
});
