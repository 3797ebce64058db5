/** What setup and teardown read out of their input, before the kernel is asked anything. */

import { describe, expect, test } from "bun:test";
import { formatPrefix } from "../../src/net/ip.ts";
import { errorText } from "../../src/netavark/error.ts";
import { networkSchema, perNetworkSchema } from "../../src/netavark/input.ts";
import { type Plan, planOf } from "../../src/netavark/plan.ts";
import { removalOf } from "../../src/netavark/removal.ts";
import { validate } from "../../src/schema.ts";
import { type Json, network } from "../support/netavark.ts";

function plan(info: Json = {}, options: Json = {}): Plan {
  return planOf({
    containerId: "someID",
    netns: "/run/netns/c",
    network: validate(networkSchema, network(info), "network"),
    options: validate(
      perNetworkSchema,
      { interface_name: "eth0", static_ips: ["10.88.0.2"], ...options },
      "network_options",
    ),
  });
}

function refusal(info: Json = {}, options: Json = {}): string {
  try {
    plan(info, options);
  } catch (thrown) {
    return errorText(thrown);
  }
  throw new Error("it was accepted");
}

test("the defaults", () => {
  expect(plan()).toEqual({
    network: "netavark:podman",
    attachment: { containerId: "someID", netns: "/run/netns/c", ifName: "eth0" },
    endpoint: {
      master: "dummy0",
      mode: "l2",
      flag: "bridge",
      mtu: undefined,
      linkInContainer: false,
      options: { allowMasterDown: true },
    },
    isDynamic: false,
    noDefaultRoute: false,
    assignments: [
      {
        address: { family: 4, value: 0x0a580002n, length: 16 },
        gateway: { family: 4, value: 0x0a580001n },
      },
    ],
    defaultGateways: [{ family: 4, value: 0x0a580001n }],
    metric: 99,
    staticRoutes: [],
  });
});

test("nulls of netavark 1.x are the omissions of 2.x", () => {
  const nothing = {
    options: null,
    routes: null,
    network_dns_servers: null,
    labels: null,
    created: null,
    ipam_options: null,
  };
  const subnets = [{ subnet: "10.88.0.0/16", gateway: "10.88.0.1", lease_range: null }];
  const per = { aliases: null, static_mac: null, options: null };
  const { ipam_options: _, ...rest } = network();
  const omitted = planOf({
    containerId: "someID",
    netns: "/run/netns/c",
    network: validate(networkSchema, rest, "network"),
    options: validate(perNetworkSchema, { interface_name: "eth0", static_ips: ["10.88.0.2"] }, "o"),
  });
  expect(plan({ ...nothing, subnets }, per)).toEqual(omitted);
});

test("mode, mtu and the like may be empty or zero, which is unset", () => {
  const options = { mode: "", flag: "", mtu: "0", no_default_route: "false" };
  expect(plan({ options }).endpoint).toEqual(plan().endpoint);
  expect(plan({ options: { mtu: "+1400" } }).endpoint.mtu).toBe(1400);
});

test("what the network's file has beyond our options is passed over", () => {
  expect(plan({ options: { bclim: "1", vlan: "5" } })).toEqual(plan());
});

test("of several gateways the first of each family makes a default route", () => {
  const { defaultGateways } = plan(
    {
      subnets: [
        { subnet: "10.1.0.0/16" },
        { subnet: "fd01::/64", gateway: "fd01::1" },
        { subnet: "10.2.0.0/16", gateway: "10.2.0.1" },
        { subnet: "10.3.0.0/16", gateway: "10.3.0.1" },
        { subnet: "fd02::/64", gateway: "fd02::1" },
      ],
    },
    { static_ips: ["10.1.0.2"] },
  );
  expect(defaultGateways.map((gateway) => formatPrefix({ ...gateway, length: 0 }))).toEqual([
    "10.2.0.1/0",
    "fd01::1/0",
  ]);
});

test("internal and no_default_route keep the gateways in the answer only", () => {
  for (const info of [{ internal: true }, { options: { no_default_route: "true" } }]) {
    expect(plan(info)).toMatchObject({ defaultGateways: [], assignments: plan().assignments });
  }
});

test("an empty list of addresses is a list", () => {
  expect(plan({ subnets: [] }, { static_ips: [] }).assignments).toEqual([]);
  expect(refusal({ subnets: [] }, { static_ips: null })).toBe("no static ips provided");
});

test("names that would make unsafe file names are refused", () => {
  expect(refusal({ name: "a/b" })).toBe('invalid network name "a/b"');
  const bad = () =>
    planOf({
      containerId: "../x",
      netns: "/n",
      network: validate(networkSchema, network(), "network"),
      options: { interface_name: "eth0", static_ips: [], assigned: true, options: {} },
    });
  expect(bad).toThrow('invalid container id "../x"');
  for (const interface_name of ["a/b", "..", "0123456789abcdef"])
    expect(refusal({}, { interface_name })).toContain("nterface name");
});

describe("wrong types are named with their place", () => {
  test.each([
    [{ subnets: [{ subnet: 5 }] }, {}, "invalid network.subnets[0].subnet 5: must be a string"],
    [{ subnets: {} }, {}, "invalid network.subnets {}: must be an array"],
    [{ options: { mtu: 1400 } }, {}, "invalid network.options.mtu 1400: must be a string"],
    [{ internal: "no" }, {}, 'invalid network.internal "no": must be true or false'],
    [{ dns_enabled: 1 }, {}, "invalid network.dns_enabled 1: must be true or false"],
    [{ options: "l2" }, {}, 'invalid network.options "l2": must be an object of strings'],
    [{ options: ["l2"] }, {}, 'invalid network.options ["l2"]: must be an object of strings'],
    [{ subnets: ["10.1.0.0/16"] }, {}, 'invalid network.subnets[0] "10.1.0.0/16": must be an object'],
    [{ subnets: [{ subnet: "10.1.0.0" }] }, {}, "invalid network.subnets[0].subnet"],
    ...["7", 1.5].map((metric): [Json, Json, string] => [
      { routes: [{ destination: "10.1.0.0/16", metric }] },
      {},
      `invalid network.routes[0].metric ${JSON.stringify(metric)}: must be an integer`,
    ]),
    ...[-1, 4294967296].map((metric): [Json, Json, string] => [
      { routes: [{ destination: "10.1.0.0/16", metric }] },
      {},
      `invalid network.routes[0].metric ${metric}: must be from 0 to 4294967295`,
    ]),
    [{ name: undefined }, {}, "invalid network.name (missing): must be a string"],
    [{}, { interface_name: null }, "invalid network_options.interface_name null: must be a string"],
    [
      {},
      { static_ips: ["10.0.0.1/8"] },
      'invalid network_options.static_ips[0] "10.0.0.1/8": invalid IP address syntax',
    ],
  ])("%j %j", (info, options, text) => {
    expect(refusal(info, options)).toStartWith(text);
  });

  test("and what is right at the edge is taken", () => {
    const route = (metric: number) => ({ destination: "10.1.0.0/16", gateway: "10.88.0.9", metric });
    const metrics = [0, 4294967295];
    expect(plan({ routes: metrics.map(route) }).staticRoutes.map(({ priority }) => priority)).toEqual(
      metrics,
    );
    expect(plan({ options: { metric: "4294967295", mtu: "+1400" } })).toMatchObject({
      metric: 4294967295,
      endpoint: { mtu: 1400 },
    });
  });
});

describe("options of the driver", () => {
  test.each([
    [{ no_default_route: "yes" }, '"no_default_route": provided string was not `true` or `false`'],
    [{ metric: "" }, '"metric": cannot parse integer from empty string'],
    [{ metric: "1x" }, '"metric": invalid digit found in string'],
    [{ mtu: "4294967296" }, '"mtu": number too large to fit in target type'],
  ])("%j cannot be parsed", (options, text) => {
    expect(refusal({ options })).toBe(`unable to parse ${text}`);
  });

  test("of one container: those that there are, and no others", () => {
    expect(plan({}, { options: { mode: "l3", metric: "7" } })).toMatchObject({
      endpoint: { mode: "l3" },
      metric: 7,
    });
    expect(refusal({}, { options: { vlan: "7" } })).toContain("vlan");
  });
});

test("a chain of causes that bites its tail is told once", () => {
  const [one, other] = [new Error("one"), new Error("other")];
  one.cause = other;
  other.cause = one;
  expect(errorText(one)).toBe("one: other");
});

describe("removal", () => {
  const options = { interface_name: "eth0" };

  test("routes that setup would not have made are passed over", () => {
    const routes = [
      { destination: "10.1.0.0/16", gateway: "10.88.0.9" },
      { destination: "10.2.0.0/16" },
      "nonsense",
      { destination: "10.3.0.0/16", route_type: "blackhole", metric: 7 },
    ];
    const removal = removalOf("/n", "someID", network({ routes }), options);
    expect(removal.routes.map(({ dst, priority, type }) => [formatPrefix(dst), priority, type])).toEqual([
      ["10.1.0.0/16", 100, 1],
      ["10.3.0.0/16", 7, 6],
    ]);
    expect(removalOf("/n", "someID", network({ routes: 5 }), options).routes).toEqual([]);
  });

  test("without a name there is nothing to remove", () => {
    expect(() => removalOf("/n", "someID", network(), {})).toThrow("options.interface_name");
    expect(() => removalOf("/n", "someID", network(), { interface_name: "" })).toThrow(
      "no container interface name given",
    );
    expect(() => removalOf("/n", undefined, network(), options)).toThrow(/^invalid containerId /);
  });
});
