/** DHCP servers of Debian on the machine outside, and our daemon on the host. */

import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { binary } from "../kernel/environment.ts";
import { type Network, network } from "./network.ts";
import { Running, until } from "./running.ts";
import { type World, wire } from "./world.ts";

/** What the servers hand out. */
export const pool = { first: "192.0.2.50", last: "192.0.2.120", router: wire.outside.v4 } as const;

export interface ServerOptions {
  first?: string;
  last?: string;
  leaseSeconds?: number;
  /** Keeps no memory of earlier runs. */
  forgetful?: boolean;
  more?: string[];
}

function servers(): string {
  const cache = process.env.IPVLAN_REFERENCE;
  if (!cache) throw new Error("IPVLAN_REFERENCE is not set: start the tests with bun test/run.ts");
  return join(cache, "dhcp-servers");
}

function environment(): Record<string, string> {
  const lib = join(servers(), "usr/lib/x86_64-linux-gnu");
  return { LD_LIBRARY_PATH: `${lib}:${join(lib, "kea")}` };
}

let counter = 0;

/** A directory of its own for a server's files. */
function directoryFor(world: World): string {
  const path = join(world.directory, `server-${++counter}`);
  mkdirSync(path, { recursive: true });
  return path;
}

/** dnsmasq outside; it answers nobody else. A lease of less than two minutes it takes for two minutes: T1 and T2 are given. */
export async function dnsmasq(world: World, options: ServerOptions = {}): Promise<Running> {
  const { first = pool.first, last = pool.last, leaseSeconds = 3600, more = [] } = options;
  const leaseFile = join(world.directory, options.forgetful ? `leases-${++counter}` : "dnsmasq.leases");
  const server = new Running(
    world.outside,
    [
      join(servers(), "usr/sbin/dnsmasq"),
      ...["--keep-in-foreground", "--port=0", "--conf-file=/dev/null", "--user=root", "--group=root"],
      ...["--log-facility=-", "--log-dhcp", "--no-ping", "--dhcp-authoritative", "--bind-interfaces"],
      ...["--interface=eth0", `--dhcp-leasefile=${leaseFile}`, "--pid-file=", "--dhcp-sequential-ip"],
      `--dhcp-range=${first},${last},255.255.255.0,${leaseSeconds}`,
      ...more,
    ],
    environment(),
  );
  await server.says("sockets bound exclusively to interface eth0");
  return server;
}

/** Kea passes over an interface that has no carrier yet. */
async function untilCarrier(world: World): Promise<void> {
  await until(async () => {
    const [link] = await world.outside.json<{ flags: string[] }[]>("link show dev eth0");
    return link?.flags.includes("LOWER_UP") === true && !link.flags.includes("NO-CARRIER");
  }, "the carrier");
}

/** Kea's DHCPv4 server outside. */
export async function kea(world: World, options: ServerOptions = {}): Promise<Running> {
  const { first = pool.first, last = pool.last, leaseSeconds = 3600 } = options;
  const directory = directoryFor(world);
  const file = join(directory, "kea.json");
  await untilCarrier(world);
  await Bun.write(
    file,
    JSON.stringify({
      Dhcp4: {
        "interfaces-config": { interfaces: ["eth0"] },
        "lease-database": { type: "memfile", persist: true, name: join(world.directory, "kea.leases") },
        "valid-lifetime": leaseSeconds,
        "renew-timer": Math.floor(leaseSeconds / 2),
        "rebind-timer": Math.floor(leaseSeconds * 0.875),
        "match-client-id": true,
        subnet4: [
          {
            subnet: wire.v4,
            pools: [{ pool: `${first} - ${last}` }],
            "option-data": [{ name: "routers", data: pool.router }],
          },
        ],
        loggers: [{ name: "kea-dhcp4", output_options: [{ output: "stdout" }], severity: "INFO" }],
      },
    }),
  );
  const server = new Running(world.outside, [join(servers(), "usr/sbin/kea-dhcp4"), "-c", file], {
    ...environment(),
    KEA_LFC_EXECUTABLE: join(servers(), "usr/sbin/kea-lfc"),
    KEA_PIDFILE_DIR: directory,
    KEA_LOCKFILE_DIR: directory,
  });
  await server.says("DHCP4_STARTED");
  return server;
}

/** Kea's DHCPv6 server outside. */
export async function kea6(world: World, { leaseSeconds = 3600 }: ServerOptions = {}): Promise<Running> {
  const directory = directoryFor(world);
  const file = join(directory, "kea6.json");
  await untilCarrier(world);
  await Bun.write(
    file,
    JSON.stringify({
      Dhcp6: {
        "interfaces-config": { interfaces: ["eth0"] },
        "lease-database": { type: "memfile", persist: true, name: join(world.directory, "kea6.leases") },
        "server-id": { type: "LLT", persist: false, identifier: "0000020000010001", htype: 1, time: 1 },
        "preferred-lifetime": leaseSeconds,
        "valid-lifetime": leaseSeconds,
        "renew-timer": Math.floor(leaseSeconds / 2),
        "rebind-timer": Math.floor(leaseSeconds * 0.8),
        "option-data": [
          { name: "dns-servers", data: "2001:db8:1::53" },
          { name: "domain-search", data: "six.example.com" },
        ],
        subnet6: [
          { subnet: wire.v6, interface: "eth0", pools: [{ pool: "2001:db8:1::1000 - 2001:db8:1::10ff" }] },
        ],
        loggers: [{ name: "kea-dhcp6", output_options: [{ output: "stdout" }], severity: "INFO" }],
      },
    }),
  );
  const server = new Running(world.outside, [join(servers(), "usr/sbin/kea-dhcp6"), "-c", file], {
    ...environment(),
    KEA_LFC_EXECUTABLE: join(servers(), "usr/sbin/kea-lfc"),
    KEA_PIDFILE_DIR: directory,
    KEA_LOCKFILE_DIR: directory,
  });
  await server.says("DHCP6_STARTED");
  return server;
}

/** ISC's server outside. */
export async function dhcpd(world: World, options: ServerOptions = {}): Promise<Running> {
  const { first = pool.first, last = pool.last, leaseSeconds = 3600 } = options;
  const directory = directoryFor(world);
  const file = join(directory, "dhcpd.conf");
  const leases = join(directory, "leases");
  await Bun.write(leases, "");
  await Bun.write(
    file,
    `authoritative;
     default-lease-time ${leaseSeconds};
     max-lease-time ${leaseSeconds};
     subnet 192.0.2.0 netmask 255.255.255.0 {
       range ${first} ${last};
       option routers ${pool.router};
     }`,
  );
  const server = new Running(
    world.outside,
    [
      join(servers(), "usr/sbin/dhcpd"),
      "-4",
      "-d",
      "-cf",
      file,
      "-lf",
      leases,
      "-pf",
      join(directory, "pid"),
      "eth0",
    ],
    environment(),
  );
  await server.says("Server starting service");
  return server;
}

/** A network of ours with addresses from DHCP; more goes into its `ipam`. */
export function dhcpNetwork(
  world: World,
  ipam: Record<string, unknown> = {},
  more: Record<string, unknown> = {},
): Network {
  return network(world, { ipam: { type: "dhcp", ...ipam }, ...more });
}

/** With no more privileges than the unit in docs/dhcp leaves it. */
const confined = [
  "setpriv",
  "--no-new-privs",
  "--bounding-set=-all,+net_admin,+net_raw,+net_bind_service,+sys_admin,+sys_ptrace,+dac_override",
];

/** Our daemon on the host, ready. */
export async function daemon(world: World, net: { records: string }, words: string[] = []): Promise<Running> {
  const running = new Running(world.host, [...confined, binary, "dhcp-daemon", ...words], {
    IPVLAN_RUN_DIR: net.records,
  });
  await running.says(/keeps \d+ leases/);
  await until(() => existsSync(join(net.records, "dhcp.sock")), "the daemon's socket");
  return running;
}

/** The names of the leases on disk. */
export function leasesIn(net: { records: string }): string[] {
  const directory = join(net.records, "dhcp");
  return existsSync(directory) ? readdirSync(directory).filter((name) => name.endsWith(".lease")) : [];
}
