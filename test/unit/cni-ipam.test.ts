import { describe, expect, test } from "bun:test";
import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decodeConfig, networkConfig } from "../../src/cni/config.ts";
import { readEnvironment } from "../../src/cni/environment.ts";
import type { Command } from "../../src/cni/gate.ts";
import { hostIpamFor, ipamFor } from "../../src/cni/ipam.ts";
import { answerAsIpam } from "../../src/cni/ipam-plugin.ts";
import { formatPrefix } from "../../src/net/ip.ts";
import { leasesOf, scratch } from "../support/ipam.ts";

type Json = Record<string, unknown>;

const variables = (command: string, change: Record<string, string> = {}) => ({
  CNI_COMMAND: command,
  CNI_CONTAINERID: "c1",
  CNI_NETNS: "/run/netns/c1",
  CNI_IFNAME: "eth0",
  CNI_PATH: "/nonesuch",
  ...change,
});

function ipamOf(config: Json, command: Command = "ADD", change: Record<string, string> = {}) {
  const given = variables(command, change);
  const raw = decodeConfig(Buffer.from(JSON.stringify(config)));
  return ipamFor(networkConfig(raw, "1.1.0", command), readEnvironment(given), given)!;
}

const network = (dataDir: string, change: Json = {}): Json => ({
  cniVersion: "1.1.0",
  name: "net",
  type: "ipvlan",
  ipam: { type: "host-local", dataDir, subnet: "10.1.2.0/24" },
  ...change,
});

describe("which IPAM", () => {
  test("host-local and static are inside: CNI_PATH need not have them", async () => {
    using directory = scratch();
    const { ips } = await ipamOf(network(directory.path)).add();
    expect(ips.map(({ address }) => formatPrefix(address))).toEqual(["10.1.2.2/24"]);
    const fixed = network("", { ipam: { type: "static", addresses: [{ address: "10.1.2.9/24" }] } });
    expect((await ipamOf(fixed).add()).ips.map(({ address }) => formatPrefix(address))).toEqual([
      "10.1.2.9/24",
    ]);
  });

  test("what args, CNI_ARGS and runtimeConfig ask for reaches them, keys in any case", async () => {
    using directory = scratch();
    const addressesOf = async (change: Json, environment: Record<string, string> = {}) =>
      (await ipamOf(network(directory.path, change), "ADD", environment).add()).ips.map(({ address }) =>
        formatPrefix(address),
      );
    expect(await addressesOf({}, { CNI_ARGS: "IP=10.1.2.20" })).toEqual(["10.1.2.20/24"]);
    expect(await addressesOf({ Args: { CNI: { IPs: ["10.1.2.21"] } } })).toEqual(["10.1.2.21/24"]);
    expect(await addressesOf({ RuntimeConfig: { IPs: ["10.1.2.22"] } })).toEqual(["10.1.2.22/24"]);
    const ranges = { runtimeConfig: { ipRanges: [[{ Subnet: "10.9.0.0/16" }]] } };
    expect(await addressesOf({ ...ranges, args: { cni: { ips: ["10.1.2.23"] } } })).toEqual([
      "10.9.0.2/16",
      "10.1.2.23/24",
    ]);
  });

  test('the program in CNI_PATH where "external" or IPVLAN_EXTERNAL_IPAM says so', async () => {
    using directory = scratch();
    writeFileSync(
      join(directory.path, "host-local"),
      `#!/bin/sh\necho '{"ips": [{"address": "192.0.2.1/32"}]}'\n`,
    );
    chmodSync(join(directory.path, "host-local"), 0o755);
    const path = { CNI_PATH: directory.path };
    const first = async (config: Json, change: Record<string, string>) =>
      formatPrefix(
        (await ipamOf(config, "ADD", { PATH: "/usr/bin:/bin", ...path, ...change }).add()).ips[0]!.address,
      );
    const config = network(directory.path);
    expect(await first(config, {})).toBe("10.1.2.2/24");
    expect(await first(config, { IPVLAN_EXTERNAL_IPAM: "1" })).toBe("192.0.2.1/32");
    const external = { ...(config.ipam as Json), external: true };
    expect(await first({ ...config, ipam: external }, {})).toBe("192.0.2.1/32");
    expect(() => ipamOf({ ...config, ipam: external })).toThrow(
      'failed to find plugin "host-local" in path [/nonesuch]',
    );
  });
});

describe("the host's own endpoint", () => {
  const hostIpamOf = (config: Json, change: Record<string, string> = {}) => {
    const given = variables("ADD", { CNI_ARGS: "IP=10.1.2.9", PATH: "/usr/bin:/bin", ...change });
    const raw = decodeConfig(Buffer.from(JSON.stringify(config)));
    return hostIpamFor(networkConfig(raw, "1.1.0", "ADD"), readEnvironment(given), given, "ivh0");
  };
  const requests = {
    master: "eth7",
    args: { cni: { ips: ["10.1.2.9"] } },
    runtimeConfig: { ips: ["10.1.2.9"] },
    prevResult: { cniVersion: "1.1.0", ips: [{ address: "10.1.2.9/24" }] },
  };

  test("gets an address of its own, and not what was asked for the container", async () => {
    using directory = scratch();
    const { ips } = await hostIpamOf(network(directory.path, requests))!.add();
    expect(ips.map(({ address }) => formatPrefix(address))).toEqual(["10.1.2.2/24"]);
    expect(leasesOf(directory.path, "net")).toEqual({ "10.1.2.2": "ipvlan-host\r\nivh0" });
  });

  test("is asked for by name where the plugin is a program, without those requests", async () => {
    using directory = scratch();
    const path = join(directory.path, "other");
    writeFileSync(
      path,
      `#!/bin/sh\ncat >${path}.in; echo "$CNI_CONTAINERID,$CNI_IFNAME,$CNI_ARGS" >${path}.env\n` +
        `echo '{"ips": [{"address": "192.0.2.1/32"}]}'\n`,
      { mode: 0o755 },
    );
    const { prevResult, args, runtimeConfig, master } = requests;
    const asked = { cniVersion: "1.1.0", name: "net", master, ipam: { type: "other" } };
    for (const given of [
      { prevResult, args, runtimeConfig },
      { PrevResult: prevResult, ARGS: args },
    ]) {
      await hostIpamOf({ ...asked, ...given }, { CNI_PATH: directory.path })!.add();
      expect(JSON.parse(readFileSync(`${path}.in`, "utf8"))).toEqual(asked);
      expect(readFileSync(`${path}.env`, "utf8")).toBe("ipvlan-host,ivh0,\n");
    }
  });

  test("has none where the IPAM would give it the container's, or needs a link first", () => {
    for (const type of ["static", "dhcp"])
      expect(hostIpamOf({ cniVersion: "1.1.0", name: "net", ipam: { type } })).toBeUndefined();
  });
});

describe("what is refused before anything is touched", () => {
  const dhcp = (mode: string) => ({ cniVersion: "1.1.0", name: "net", mode, ipam: { type: "dhcp" } });
  const absent = { cniVersion: "1.1.0", name: "net", ipam: { type: "absent" } };
  const others = ["DEL", "STATUS", "GC"] as const;

  test("an ADD with DHCP where its packets do not pass; what must clean up or answer is not stopped", () => {
    for (const mode of ["l3", "l3s"]) {
      expect(() => ipamOf(dhcp(mode))).toThrow(`DHCP does not work in mode ${mode}`);
      for (const command of others) expect(ipamOf(dhcp(mode), command)).toBeDefined();
    }
    expect(ipamOf(dhcp("l2"))).toBeDefined();
  });

  test("an ADD with a plugin that is not there; the other verbs find that out when it is its turn", () => {
    expect(() => ipamOf(absent)).toThrow('failed to find plugin "absent" in path [/nonesuch]');
    for (const command of others) expect(ipamOf(absent, command)).toBeDefined();
  });
});

describe("as a plugin of its own", () => {
  const call = async (config: Json | string, command: string, change: Record<string, string> = {}) => {
    const text = typeof config === "string" ? config : JSON.stringify(config);
    const { document, status } = await answerAsIpam("host-local", variables(command, change), () =>
      Buffer.from(text),
    );
    return { status, json: document === "" ? undefined : (JSON.parse(document) as Json) };
  };

  // Of another main plugin: this one would refuse its mode and its master.
  const bridge = (dataDir: string, change: Json = {}) =>
    network(dataDir, { type: "macvlan", mode: "bridge", master: 7, mtu: "large", ...change });

  test("ADD, CHECK, STATUS, DEL and GC for another main plugin", async () => {
    using directory = scratch();
    const config = bridge(directory.path);
    const result = { cniVersion: "1.1.0", ips: [{ address: "10.1.2.2/24", gateway: "10.1.2.1" }] };
    expect(await call(config, "ADD")).toEqual({ status: 0, json: result });
    expect(await call({ ...config, prevResult: result }, "CHECK")).toEqual({ status: 0, json: undefined });
    expect(await call(config, "STATUS")).toEqual({ status: 0, json: undefined });
    expect((await call(config, "GC")).status).toBe(0);
    expect(leasesOf(directory.path, "net")).toEqual({ "10.1.2.2": "c1\r\neth0" });
    expect((await call(config, "DEL")).status).toBe(0);
    expect(leasesOf(directory.path, "net")).toEqual({});
    await call(config, "ADD");
    expect((await call({ ...config, "cni.dev/valid-attachments": [] }, "GC")).status).toBe(0);
    expect(leasesOf(directory.path, "net")).toEqual({});
  });

  test("results and errors are of the configuration's version", async () => {
    using directory = scratch();
    const config = bridge(directory.path, { cniVersion: "0.2.0" });
    expect((await call(config, "ADD")).json).toEqual({
      cniVersion: "0.2.0",
      ip4: { ip: "10.1.2.2/24", gateway: "10.1.2.1" },
      dns: {},
    });
    expect((await call(config, "ADD")).json).toMatchObject({ cniVersion: "0.2.0", code: 105 });
    expect((await call({ ...config, cniVersion: "9.9.9" }, "ADD")).json).toMatchObject({ code: 1 });
    expect((await call(config, "FLY")).json).toMatchObject({ code: 4, msg: "unknown CNI_COMMAND: FLY" });
    expect((await call("{", "ADD")).json).toMatchObject({ code: 6 });
    expect((await call({ ...config, ipam: undefined }, "ADD")).json).toMatchObject({
      code: 7,
      msg: "IPAM config missing 'ipam' key",
    });
    const status = bridge(directory.path, { ipam: { subnet: "ten" } });
    expect((await call(status, "STATUS")).json).toMatchObject({ code: 50 });
    expect((await call(status, "DEL")).status).toBe(0);
  });

  test("a result that cannot be expressed takes nothing", async () => {
    using directory = scratch();
    const config = bridge(directory.path, { cniVersion: "0.1.0", ipam: { addresses: [] } });
    const { document } = await answerAsIpam("static", variables("ADD"), () =>
      Buffer.from(JSON.stringify(config)),
    );
    expect(JSON.parse(document)).toMatchObject({ code: 7, msg: "cannot convert: no valid IP addresses" });
    expect(readdirSync(directory.path)).toEqual([]);
  });
});
