/** What `create` accepts, refuses and fills in; none of it looks at the kernel. */

import { afterAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { createAsPlugin, createNetwork, isForPlugin } from "../../src/netavark/create.ts";
import { errorText } from "../../src/netavark/error.ts";
import { scratch } from "../support/ipam.ts";
import { type Json, network } from "../support/netavark.ts";

/** A network without a parent, since none could be looked up here. */
function asked(more: Json = {}): Json {
  const { network_interface: _, ipam_options: __, subnets: ___, ...rest } = network();
  return { ...rest, subnets: [{ subnet: "10.88.0.0/16" }], ...more };
}

/** What netavark's `create` makes of it. */
function created(more: Json = {}, used: Json = {}): Json {
  const request = {
    network: asked(more),
    used: { interfaces: [], names: {}, subnets: [], ...used },
    options: { subnet_pools: [{ base: "10.89.0.0/16", size: 24 }], check_used_subnets: true },
  };
  return JSON.parse(createNetwork(request, []));
}

function refusal(more: Json = {}, used: Json = {}): string {
  try {
    created(more, used);
  } catch (thrown) {
    return errorText(thrown);
  }
  throw new Error("it was accepted");
}

test("with a subnet: host-local, no DNS, the subnet's first address as gateway, and a date", () => {
  const before = Date.now();
  const { created: date, ...rest } = created({ dns_enabled: true });
  expect(rest).toEqual({
    name: "podman",
    id: "2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9",
    driver: "ipvlan",
    ipv6_enabled: false,
    internal: false,
    dns_enabled: false,
    ipam_options: { driver: "host-local" },
    subnets: [{ subnet: "10.88.0.0/16", gateway: "10.88.0.1" }],
  });
  expect(Date.parse(String(date))).toBeGreaterThanOrEqual(before);
});

test("a plugin's input is the network itself, netavark's has the network in it", () => {
  expect(isForPlugin(asked())).toBe(true);
  expect(isForPlugin({ network: asked(), used: {} })).toBe(false);
  const made = JSON.parse(createAsPlugin(asked({ driver: "bun-ipvlan", created: "0001-01-01T00:00:00Z" })));
  expect(made).toMatchObject({ driver: "bun-ipvlan", ipam_options: { driver: "host-local" } });
  expect(made.created).not.toStartWith("0001");
});

test("keys that are not ours, and labels, are kept", () => {
  const more = { labels: { a: "b" }, future: { x: [1] } };
  expect(created(more)).toMatchObject(more);
});

test("null is as good as absent, and is left out of the answer on every level", () => {
  const made = created({
    network_interface: null,
    options: null,
    ipam_options: null,
    labels: null,
    network_dns_servers: null,
    routes: [{ destination: "10.1.0.0/16", gateway: "10.88.0.9", metric: null, route_type: null }],
    subnets: [
      { subnet: "10.88.0.0/16", gateway: null, lease_range: { start_ip: "10.88.1.1", end_ip: null } },
    ],
  });
  expect(JSON.stringify(made)).not.toContain("null");
  expect(made).toMatchObject({
    routes: [{ destination: "10.1.0.0/16", gateway: "10.88.0.9" }],
    subnets: [{ subnet: "10.88.0.0/16", gateway: "10.88.0.1", lease_range: { start_ip: "10.88.1.1" } }],
  });
});

describe("identity", () => {
  test.each([
    [{ name: "" }, "Network name must be supplied"],
    [{ name: "a b" }, 'Invalid characters in network name "a b": must match [a-zA-Z0-9][a-zA-Z0-9_.-]*'],
    [{ name: "../x" }, 'Invalid characters in network name "../x": must match [a-zA-Z0-9][a-zA-Z0-9_.-]*'],
    [{ id: "" }, "Network id must be supplied"],
    [{ id: "xyz" }, 'Network id must be a hexadecimal string "xyz"'],
    [
      { network_interface: "sixteen-letters-" },
      "Interface name is too long: interface names must be 15 characters or less: sixteen-letters-",
    ],
    [{ network_interface: ".." }, "Interface name cannot be . or .."],
    [{ network_interface: "a/b" }, 'Interface name cannot contain "/"'],
    [{ network_interface: "a b" }, 'Interface name cannot contain " "'],
    [{ network_interface: "a:b" }, 'Interface name cannot contain ":"'],
  ])("%j", (more, text) => {
    expect(refusal(more)).toBe(text);
  });

  test("a name that is taken", () => {
    expect(refusal({}, { names: { podman: "0123" } })).toBe("network already exists podman");
  });

  test("names that are in use, as no object", () => {
    expect(created({}, { names: null })).toHaveProperty("name", "podman");
    expect(refusal({}, { names: ["podman"] })).toBe('invalid used.names ["podman"]: must be an object');
  });
});

describe("ipam", () => {
  test.each([
    [{ subnets: [] }, "ipam driver dhcp is not supported with ipvlan"],
    [{ ipam_options: { driver: "dhcp" } }, "dhcp ipam driver is set but subnets are given"],
    [
      { subnets: null, ipam_options: { driver: "host-local" } },
      "ipvlan driver needs at least one subnet specified when the host-local ipam driver is set",
    ],
    [{ ipam_options: { driver: "none" } }, "None ipam driver is set but subnets are given"],
    [{ ipam_options: { driver: "mine" } }, "Unsupported ipam driver: mine"],
  ])("%j is refused", (more, text) => {
    expect(refusal(more)).toStartWith(text);
  });

  test("netavark's own words for dhcp stand alone, a plugin's user is told why", () => {
    expect(refusal({ subnets: [] })).toBe("ipam driver dhcp is not supported with ipvlan");
    expect(() => createAsPlugin(asked({ subnets: [] }))).toThrow();
    try {
      createAsPlugin(asked({ subnets: [] }));
    } catch (thrown) {
      expect(errorText(thrown)).toMatch(/with ipvlan: .*MAC address.*; give the network a --subnet/);
    }
  });

  test("none: no addresses, no DNS", () => {
    const made = created({ subnets: [], ipam_options: { driver: "none" }, dns_enabled: true });
    expect(made).toMatchObject({ dns_enabled: false, ipam_options: { driver: "none" }, subnets: [] });
  });

  test("further ipam options are kept", () => {
    expect(created({ ipam_options: { driver: "host-local", x: "y" } })).toMatchObject({
      ipam_options: { driver: "host-local", x: "y" },
    });
  });
});

describe("driver options", () => {
  test("those that there are, as they came", () => {
    const options = { mode: "l3s", mtu: "1400", metric: "5", flag: "vepa", no_default_route: "true" };
    expect(created({ options })).toMatchObject({ options });
  });

  test.each([
    [{ mode: "l9" }, 'invalid ipvlan mode "l9"'],
    [{ flag: "no" }, 'invalid ipvlan flag "no"'],
    [{ mtu: "abc" }, 'unable to parse "mtu": invalid digit found in string'],
    [{ mtu: "-1" }, 'unable to parse "mtu": invalid digit found in string'],
    [{ mtu: "" }, 'unable to parse "mtu": cannot parse integer from empty string'],
    [{ metric: "4294967296" }, 'unable to parse "metric": number too large to fit in target type'],
    [
      { no_default_route: "yes" },
      'unable to parse "no_default_route": provided string was not `true` or `false`',
    ],
    [{ bclim: "1" }, "unsupported ipvlan network option bclim"],
    [{ vlan: "1" }, "unsupported vlan network option: vlan"],
  ])("%j is refused", (options, text) => {
    expect(refusal({ options })).toStartWith(text);
  });

  test.each([
    ["1", "true"],
    ["0", "false"],
  ])("no_default_route=%s is stored as %s, which netavark reads too", (given, stored) => {
    expect(created({ options: { no_default_route: given } })).toMatchObject({
      options: { no_default_route: stored },
    });
  });

  test("two parents that differ", () => {
    expect(refusal({ network_interface: "eth0", options: { parent: "eth1" } })).toBe(
      "two parents are given: eth0 and, as an option, eth1",
    );
  });
});

describe("subnets", () => {
  test.each([
    [[{ subnet: "10.1.0.0/16" }, { subnet: "10.1.0.0/16" }], "duplicate subnet defined: 10.1.0.0/16"],
    [
      [{ subnet: "10.1.0.0/16" }, { subnet: "10.1.2.0/24" }],
      "overlapping subnets: 10.1.0.0/16 and 10.1.2.0/24",
    ],
    [[{ subnet: "10.1.0.0/24", gateway: "10.2.0.1" }], "gateway 10.2.0.1 not in subnet 10.1.0.0/24"],
    [
      [{ subnet: "10.1.0.0/31" }],
      "could not create gateway for subnet 10.1.0.0/31 because it has a 31 or greater subnet prefix",
    ],
    [
      [{ subnet: "fd00::1/128" }],
      "could not create gateway for subnet fd00::1/128 because it has a 128 or greater subnet prefix",
    ],
    [
      [{ subnet: "10.1.0.0/24", lease_range: { start_ip: "10.2.0.1" } }],
      "lease range start_ip 10.2.0.1 not in subnet 10.1.0.0/24",
    ],
    [
      [{ subnet: "10.1.0.0/24", lease_range: { end_ip: "fd00::1" } }],
      "lease range end_ip fd00::1 not in subnet 10.1.0.0/24",
    ],
    [
      [{ subnet: "10.1.0.0/24", lease_range: { start_ip: "10.1.0.9", end_ip: "10.1.0.8" } }],
      "lease range start_ip 10.1.0.9 must be less than or equal to end_ip 10.1.0.8",
    ],
  ])("%j", (subnets, text) => {
    expect(refusal({ subnets })).toBe(text);
  });

  test("an internal network gets no gateway, but keeps one that was typed", () => {
    expect(created({ internal: true }).subnets).toEqual([{ subnet: "10.88.0.0/16" }]);
    const subnets = [{ subnet: "10.88.0.0/16", gateway: "10.88.0.7" }];
    expect(created({ internal: true, subnets }).subnets).toEqual(subnets);
    expect(created({ internal: true, subnets: [{ subnet: "10.88.0.0/32" }] }).subnets).toEqual([
      { subnet: "10.88.0.0/32" },
    ]);
  });

  test("host bits are cleared, addresses written the canonical way", () => {
    const subnets = [{ subnet: "FD00:0:0::5/64", lease_range: { start_ip: "fd00:0::8", end_ip: "fd00::9" } }];
    expect(created({ subnets }).subnets).toEqual([
      { subnet: "fd00::/64", gateway: "fd00::1", lease_range: { start_ip: "fd00::8", end_ip: "fd00::9" } },
    ]);
  });

  test("an IPv6 subnet sets ipv6_enabled", () => {
    expect(created({ subnets: [{ subnet: "fd00::/64" }] }).ipv6_enabled).toBe(true);
  });
});

describe("routes", () => {
  test("unicast and blackhole ones are kept as they came; a blackhole has no gateway", () => {
    const routes = [
      { destination: "10.1.0.0/16", gateway: "10.88.0.9", metric: 5 },
      { destination: "10.2.0.0/16", route_type: "blackhole" },
    ];
    expect(created({ routes }).routes).toEqual(routes);
  });

  test.each([
    [{ destination: "10.1.0.1/16", gateway: "10.88.0.9" }, "route destination invalid: 10.1.0.1/16"],
    [{ destination: "10.1.0.0/16" }, "route 10.1.0.0/16 requires a gateway for type unicast"],
    [
      { destination: "10.1.0.0/16", gateway: "10.88.0.9", route_type: "blackhole" },
      "route 10.1.0.0/16 must not have a gateway for type blackhole",
    ],
    [{ destination: "10.1.0.0/16", route_type: "anycast" }, 'invalid route type "anycast"'],
    [
      { destination: "10.1.0.0/16", gateway: "fd00::1" },
      "route 10.1.0.0/16 has a gateway of the other IP family",
    ],
    [
      { destination: "10.1.0.0", gateway: "10.88.0.9" },
      'failed to load network create: IO error: invalid network.routes[0].destination "10.1.0.0": invalid IP address syntax',
    ],
    [
      { destination: "10.1.0.0/16", gateway: "nonsense" },
      'failed to load network create: IO error: invalid network.routes[0].gateway "nonsense": invalid IP address syntax',
    ],
    [
      { destination: "10.1.0.0/16", gateway: "10.88.0.9", metric: -1 },
      "failed to load network create: IO error: invalid network.routes[0].metric -1: must be from 0 to 4294967295",
    ],
  ])("%j is refused", (route, text) => {
    expect(refusal({ routes: [route] })).toStartWith(text);
  });
});

test("DNS servers of a network without DNS are refused, a plugin's user is told what to do; what is no address first", () => {
  const servers = { network_dns_servers: ["1.1.1.1"] };
  const text = "cannot set NetworkDNSServers if DNS is not enabled for the network";
  expect(refusal(servers)).toBe(text);
  expect(() => createAsPlugin(asked(servers))).toThrow(
    expect.objectContaining({
      kind: "config",
      message: text,
      remedy: "ipvlan networks have none: give the servers to the containers (--dns)",
    }),
  );
  expect(refusal({ network_dns_servers: ["a"] })).toContain("invalid IP address syntax");
});

test.each(["bridge", "macvlan", "mine"])("a network of the driver %s is not ours", (driver) => {
  expect(refusal({ driver })).toBe(
    `network driver "${driver}" is not served here; this program stands in for netavark with ipvlan networks only: configure netavark itself`,
  );
});

test("DHCP is asked for by name, and then without a subnet", () => {
  const dhcp = { ipam_options: { driver: "dhcp" } };
  expect(created({ ...dhcp, subnets: null })).toMatchObject(dhcp);
  expect(refusal(dhcp)).toBe("dhcp ipam driver is set but subnets are given");
});

describe("a network of another driver", () => {
  const directory = scratch();
  afterAll(() => directory[Symbol.dispose]());
  const asPlugin = (answer: object) => {
    writeFileSync(`${directory.path}/other`, `#!/bin/sh\necho '${JSON.stringify(answer)}'\n`, {
      mode: 0o755,
    });
    const request = { network: asked({ driver: "other" }), used: {} };
    // A path below a file is no directory, and is passed over.
    return createNetwork(request, ["/etc/passwd", directory.path]);
  };

  test("is what its plugin answers", () => {
    const answer = { ...asked({ driver: "other" }), extra: { a: [1] } };
    expect(asPlugin(answer)).toBe(`${JSON.stringify(answer)}\n`);
  });

  test("stays the network that was asked for", () => {
    const changes = { name: "name", id: "ID", driver: "driver" };
    for (const [key, called] of Object.entries(changes))
      expect(() => asPlugin({ ...asked({ driver: "other" }), [key]: "changed" })).toThrow(
        `other plugin invalid result: changed network ${called}`,
      );
    expect(() => asPlugin([])).toThrow("other plugin invalid result: changed network name");
  });

  test("is refused in the words of its plugin, or with how that ended", () => {
    const failing = (name: string, script: string) => {
      writeFileSync(`${directory.path}/${name}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      const request = { network: asked({ driver: name }), used: {} };
      return () => createNetwork(request, [directory.path]);
    };
    expect(failing("sorry", `echo '{"error": "no more"}'; exit 3`)).toThrow(
      'plugin "sorry" failed: exit code 3, message: no more',
    );
    for (const answer of ["{}", "[]", "7", '{"error": 7}'])
      expect(failing("mute", `echo '${answer}'; exit 4`)).toThrow(
        'plugin "mute" failed: plugin "mute": exit code 4, parse error: no "error" in it',
      );
    expect(failing("mute", "echo '{'")).toThrow('plugin "mute" failed: JSON Decoding error: ');
    expect(failing("killed", "kill -KILL $$")).toThrow(
      'plugin "killed" failed: plugin "killed" killed by signal',
    );
  });

  test("is refused when its plugin cannot be run", () => {
    writeFileSync(`${directory.path}/broken`, "#!/absent/interpreter\n", { mode: 0o755 });
    expect(() => createNetwork({ network: asked({ driver: "broken" }), used: {} }, [directory.path])).toThrow(
      `plugin "broken" failed: cannot execute ${directory.path}/broken: `,
    );
  });
});
