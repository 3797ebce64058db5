import { describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Failure } from "../../src/error.ts";
import { checkAddressCount } from "../../src/ipam/args.ts";
import { hostLocal } from "../../src/ipam/host-local/host-local.ts";
import { parseResolvConf } from "../../src/ipam/host-local/resolv-conf.ts";
import { lockFile } from "../../src/linux/file.ts";
import { formatPrefix } from "../../src/net/ip.ts";
import type { Result } from "../../src/net/result.ts";
import { failureOf } from "../support/failure.ts";
import { expectTrueIndex } from "../support/index.ts";
import { callOurs, crowd, type IpamCall, leasesOf, MANY, optionsOf, scratch } from "../support/ipam.ts";
import { variable } from "../support/variable.ts";

function callFor(dataDir: string, verb: IpamCall["verb"], containerId: string, ipam: object = {}): IpamCall {
  return {
    verb,
    containerId,
    config: { cniVersion: "1.0.0", name: "net", ipam: { dataDir, subnet: "10.1.2.0/24", ...ipam } },
  };
}

test("before 0.3.0 a result has room for one address of each family", () => {
  const families = [4, 4, 6] as (4 | 6)[];
  for (const version of ["", "0.1.0", "0.2.0"]) {
    for (const crowd of [families, [6, 4, 6] as (4 | 6)[]])
      expect(failureOf(() => checkAddressCount(crowd, version))).toMatchObject({
        kind: "config",
        message: `CNI version ${version || "0.1.0"} does not support more than 1 address per family`,
        remedy: "set cniVersion to 0.3.0 or newer",
      });
    checkAddressCount([6, 4], version);
  }
  for (const version of ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]) checkAddressCount(families, version);
});

describe("errors", () => {
  const kinds: Record<
    string,
    { call: (dataDir: string) => IpamCall; kind: Failure["kind"]; message: string }
  > = {
    "a wrong configuration is the configuration's fault": {
      call: (dataDir) => callFor(dataDir, "ADD", "c1", { subnet: "10.1.2.3/24" }),
      kind: "config",
      message:
        "invalid range set 0: Network has host bits set. For a subnet mask of length 24 the network address is 10.1.2.0",
    },
    "to STATUS it means that no ADD can be served": {
      call: (dataDir) => callFor(dataDir, "STATUS", "c1", { subnet: "10.1.2.3/24" }),
      kind: "unavailable",
      message:
        "host-local: invalid range set 0: Network has host bits set. For a subnet mask of length 24 the network address is 10.1.2.0",
    },
    "a wrong CNI_ARGS is the environment's": {
      call: (dataDir) => ({ ...callFor(dataDir, "ADD", "c1"), cniArgs: "IP=ten" }),
      kind: "environment",
      message: 'ARGS: error parsing value of pair "IP=ten": invalid IP address ten',
    },
    "a lease that is gone is found by CHECK": {
      call: (dataDir) => callFor(dataDir, "CHECK", "c1"),
      kind: "check",
      message: "host-local: Failed to find address added by container c1",
    },
    "a resolv.conf that is not there is named": {
      call: (dataDir) => callFor(dataDir, "ADD", "c1", { resolvConf: `${dataDir}/none` }),
      kind: "ipam",
      message: "ipam.resolvConf: open ",
    },
    "a name that is a path is refused": {
      call: (dataDir) => {
        const call = callFor(dataDir, "ADD", "c1");
        return { ...call, config: { ...call.config, name: "../net" } };
      },
      kind: "config",
      message: `the network's name "../net" cannot be a directory's`,
    },
  };
  for (const [name, { call, kind, message }] of Object.entries(kinds))
    test(name, () => {
      using directory = scratch();
      const given = call(directory.path);
      const failure = failureOf(() =>
        hostLocal(optionsOf(given))[given.verb.toLowerCase() as "add" | "check" | "status"](),
      );
      expect(failure.kind).toBe(kind);
      expect(failure.message).toStartWith(message);
    });

  test("a file where the store should be is named, for ADD and for STATUS", () => {
    using directory = scratch();
    writeFileSync(join(directory.path, "net"), "");
    const add = failureOf(() => hostLocal(optionsOf(callFor(directory.path, "ADD", "c1"))).add());
    expect(add.kind).toBe("ipam");
    expect(add.message).toBe(`host-local: mkdir ${directory.path}/net: File exists (EEXIST)`);
    const status = failureOf(() => hostLocal(optionsOf(callFor(directory.path, "STATUS", "c1"))).status());
    expect(status.kind).toBe("unavailable");
  });

  test("what can be done about it is said", () => {
    using directory = scratch();
    const refused = (ipam: object, cniArgs = "") => {
      const call = { ...callFor(directory.path, "ADD", "c1", ipam), cniArgs };
      const { message, details, remedy } = failureOf(() => hostLocal(optionsOf(call)).add());
      return [message, details, remedy];
    };
    expect(refused({ subnet: null })).toEqual([
      "no IP ranges specified",
      undefined,
      'give ipam a "subnet" or "ranges"',
    ]);
    expect(refused({}, "IP=192.0.2.9")).toEqual([
      "failed to allocate all requested IPs: 192.0.2.9",
      "range sets: 10.1.2.1-10.1.2.254",
      "request one address of each range set at most",
    ]);
    expect(refused({}, "IP=10.1.2.1")).toEqual([
      "failed to allocate for range 0: requested ip 10.1.2.1 is subnet's gateway",
      undefined,
      "request another address, or none to get the next free one",
    ]);
    expect(leasesOf(directory.path, "net")).toEqual({});
  });

  test("a range that leaves no address is named with its start", () => {
    using directory = scratch();
    for (const rangeStart of ["10.1.2.255", "10.1.2.254"]) {
      const call = callFor(directory.path, "ADD", "c1", { rangeStart });
      const { error } = callOurs(call);
      if (rangeStart.endsWith(".254")) expect(error).toBeUndefined();
      else
        expect(error).toBe(
          "invalid range set 0: RangeStart 10.1.2.255 not in network 10.1.2.0/24: it leaves no address",
        );
    }
  });

  test("CNI_ARGS: what it does not know it passes over when it is told to, and only then", () => {
    using directory = scratch();
    const add = (cniArgs: string) => callOurs({ ...callFor(directory.path, "ADD", "c1"), cniArgs }).error;
    for (const no of ["0", "false", "FALSE"])
      expect(add(`IgnoreUnknown=${no};A=b;C=d`)).toBe('ARGS: unknown args ["A=b" "C=d"]');
    expect(add("IgnoreUnknown=2;A=b")).toContain("boolean unmarshal error: invalid input 2");
    expect(add("A=b=c;IgnoreUnknown=1")).toBe('ARGS: invalid pair "A=b=c"');
    expect(add("IgnoreUnknown=false")).toBeUndefined();
  });

  test("a resolv.conf that cannot be read is named with the reason", () => {
    using directory = scratch();
    const call = callFor(directory.path, "ADD", "c1", { resolvConf: directory.path });
    const failure = failureOf(() => hostLocal(optionsOf(call)).add());
    expect(failure.kind).toBe("ipam");
    expect(failure.message).toMatch(/^ipam\.resolvConf: .*EISDIR/);
    expect(failure.remedy).toBe("create the file, or take resolvConf out of the configuration");
  });

  test("a store that others keep locked is told, and nothing is taken", () => {
    using directory = scratch();
    callOurs(callFor(directory.path, "ADD", "c1"));
    const lock = lockFile(join(directory.path, "net/lock"), 0o600, 0)!;
    using _ = variable("IPVLAN_LOCK_TIMEOUT_MS", "20");
    try {
      const call = callFor(directory.path, "ADD", "c2");
      expect(failureOf(() => hostLocal(optionsOf(call)).add())).toMatchObject({
        kind: "busy",
        message: `host-local: ${directory.path}/net/lock was held by others for 0.02 s`,
        remedy: "try again; if it lasts, look for processes that hang with that file open",
      });
    } finally {
      lock.release();
    }
    expect(Object.keys(leasesOf(directory.path, "net"))).toEqual(["10.1.2.2"]);
  });

  test("who holds a requested address is told", () => {
    using directory = scratch();
    const call = { ...callFor(directory.path, "ADD", "c1"), cniArgs: "IP=10.1.2.9" };
    callOurs(call);
    const failure = failureOf(() => hostLocal(optionsOf({ ...call, containerId: "c2" })).add());
    expect(failure.message).toBe(
      "failed to allocate for range 0: requested IP address 10.1.2.9 is not available in range set 10.1.2.1-10.1.2.254: it is held by c1 (eth0)",
    );
    expect(failure.remedy).toBe("request another address, or DEL the attachment that holds this one");
    mkdirSync(join(directory.path, "net", "10.1.2.10"));
    expect(callOurs({ ...call, containerId: "c3", cniArgs: "IP=10.1.2.10" }).error).toEndWith(
      "requested IP address 10.1.2.10 is not available in range set 10.1.2.1-10.1.2.254: it is held by an unknown owner",
    );
  });
});

describe("what is taken is given back", () => {
  test("exactly, when a later set has nothing left", () => {
    using directory = scratch();
    const ranges = [[{ subnet: "10.1.2.0/24" }], [{ subnet: "10.1.3.0/30" }]];
    const call = callFor(directory.path, "ADD", "c1", { subnet: "", ranges });
    callOurs(call);
    // c2 has an address in the first set from before, on request; the second set is full.
    callOurs({ ...callFor(directory.path, "ADD", "c2"), cniArgs: "IP=10.1.2.77" });
    const before = leasesOf(directory.path, "net");
    const failed = callOurs({ ...call, containerId: "c2", cniArgs: "IP=10.1.2.88" });
    expect(failed.error).toStartWith("failed to allocate for range 1: no IP addresses available");
    expect(leasesOf(directory.path, "net")).toEqual(before);
  });

  test("by a DEL after an ADD of the same call: what the attachment had before stays", () => {
    using directory = scratch();
    callOurs({ ...callFor(directory.path, "ADD", "c1"), cniArgs: "IP=10.1.2.77" });
    const ipam = hostLocal(optionsOf({ ...callFor(directory.path, "ADD", "c1"), cniArgs: "IP=10.1.2.88" }));
    const result = ipam.add() as Result;
    expect(result.ips.map(({ address }) => formatPrefix(address))).toEqual(["10.1.2.88/24"]);
    ipam.del();
    expect(leasesOf(directory.path, "net")).toEqual({ "10.1.2.77": "c1\r\neth0" });
    expect(callOurs(callFor(directory.path, "DEL", "c1"))).toEqual({});
    expect(leasesOf(directory.path, "net")).toEqual({});
  });

  test("by DEL whatever has become of the configuration", () => {
    using directory = scratch();
    callOurs(callFor(directory.path, "ADD", "c1"));
    expect(callOurs(callFor(directory.path, "DEL", "c1", { subnet: 7, ranges: "none", routes: 3 }))).toEqual(
      {},
    );
    expect(leasesOf(directory.path, "net")).toEqual({});
  });

  test("DEL and GC of a network that never was make nothing", () => {
    using directory = scratch();
    expect(callOurs(callFor(directory.path, "DEL", "c1"))).toEqual({});
    expect(callOurs({ ...callFor(directory.path, "GC", ""), validAttachments: [] })).toEqual({});
    expect(readdirSync(directory.path)).toEqual([]);
  });
});

describe("the store", () => {
  test("has the reference's modes", () => {
    using directory = scratch();
    callOurs(callFor(directory.path, "ADD", "c1"));
    const modes = Object.fromEntries(
      readdirSync(join(directory.path, "net")).map((name) => [
        name,
        (statSync(join(directory.path, "net", name)).mode & 0o7777).toString(8),
      ]),
    );
    expect(modes).toEqual({ "10.1.2.2": "600", "last_reserved_ip.0": "600", lock: "750" });
    expect(statSync(join(directory.path, "net")).mode & 0o777).toBe(0o755);
  });

  test("the last address is given although it was emptied in place, which no time of the directory tells", () => {
    using directory = scratch();
    const call = (id: string) => callFor(directory.path, "ADD", id, { subnet: "10.1.2.0/30" });
    callOurs(call("c1"));
    expect(callOurs(call("c2")).error).toContain("no IP addresses available");
    writeFileSync(join(directory.path, "net", "10.1.2.2"), "");
    expect(callOurs(call("c2")).result).toMatchObject({ ips: [{ address: "10.1.2.2/30" }] });
    expect(leasesOf(directory.path, "net")).toEqual({ "10.1.2.2": "c2\r\neth0" });
  });

  test("leases edited in place go to whom they name", () => {
    using directory = scratch();
    for (const id of ["c1", "c2", "c3"]) callOurs(callFor(directory.path, "ADD", id));
    const path = (name: string) => join(directory.path, "net", name);
    writeFileSync(path("10.1.2.2"), "c2\r\neth0");
    writeFileSync(path("10.1.2.3"), "c1\r\neth0");
    expect(callOurs(callFor(directory.path, "DEL", "c1"))).toEqual({});
    expect(leasesOf(directory.path, "net")).toEqual({ "10.1.2.2": "c2\r\neth0", "10.1.2.4": "c3\r\neth0" });
  });

  test("a lease from before interfaces were written is the container's", () => {
    using directory = scratch();
    mkdirSync(join(directory.path, "net"));
    writeFileSync(join(directory.path, "net", "10.1.2.5"), "c1");
    expect(callOurs(callFor(directory.path, "CHECK", "c1"))).toEqual({});
    expect(callOurs(callFor(directory.path, "ADD", "c1")).error).toContain(
      "10.1.2.5 has been allocated to c1",
    );
    const gc = (ids: string[]) =>
      callOurs({
        ...callFor(directory.path, "GC", ""),
        validAttachments: ids.map((containerId) => ({ containerId, ifName: "net7" })),
      });
    expect(gc(["c1"])).toEqual({});
    expect(existsSync(join(directory.path, "net", "10.1.2.5"))).toBe(true);
    expect(callOurs(callFor(directory.path, "DEL", "c1"))).toEqual({});
    expect(existsSync(join(directory.path, "net", "10.1.2.5"))).toBe(false);
  });

  test("what is no lease is left alone, by GC too, and its address is not given", () => {
    using directory = scratch();
    const path = join(directory.path, "net");
    mkdirSync(path);
    mkdirSync(join(path, "10.1.2.2"));
    writeFileSync(join(path, "10.1.2.3"), "kept for the printer\n");
    writeFileSync(join(path, "notes"), "c9\r\neth0");
    writeFileSync(join(path, "10.1.2.4"), "x".repeat(200_000));
    symlinkSync("notes", join(path, "10.1.2.5"));
    expect(callOurs(callFor(directory.path, "ADD", "c1")).result).toMatchObject({
      ips: [{ address: "10.1.2.6/24" }],
    });
    callOurs({ ...callFor(directory.path, "GC", ""), validAttachments: [] });
    expect(readdirSync(path).sort()).toEqual([
      "10.1.2.2",
      "10.1.2.3",
      "10.1.2.4",
      "last_reserved_ip.0",
      "lock",
      "notes",
    ]);
  });

  test("a half-made file that a crash left is gone after GC", () => {
    using directory = scratch();
    callOurs(callFor(directory.path, "ADD", "c1"));
    const left = join(directory.path, "net", ".ipvlan.new");
    writeFileSync(left, "c2\r\neth0");
    const validAttachments = [{ containerId: "c1", ifName: "eth0" }];
    expect(callOurs({ ...callFor(directory.path, "GC", ""), validAttachments })).toEqual({});
    expect(existsSync(left)).toBe(false);
    expect(leasesOf(directory.path, "net")).toEqual({ "10.1.2.2": "c1\r\neth0" });
  });

  test("works where an index cannot be, and where the clock says nothing", () => {
    using directory = scratch();
    writeFileSync(join(directory.path, ".ipvlan"), "no directory");
    for (const [index, id] of ["c1", "c2", "c3"].entries())
      expect(callOurs(callFor(directory.path, "ADD", id)).result).toMatchObject({
        ips: [{ address: `10.1.2.${index + 2}/24` }],
      });
    for (const id of ["c1", "c2", "c3"]) expect(callOurs(callFor(directory.path, "DEL", id))).toEqual({});
    expect(leasesOf(directory.path, "net")).toEqual({});
  });

  test("works where the index can be opened and not written", () => {
    using directory = scratch();
    mkdirSync(join(directory.path, ".ipvlan"));
    symlinkSync("/dev/full", join(directory.path, ".ipvlan", "net"));
    for (const [index, id] of ["c1", "c2"].entries())
      expect(callOurs(callFor(directory.path, "ADD", id)).result).toMatchObject({
        ips: [{ address: `10.1.2.${index + 2}/24` }],
      });
    expect(callOurs(callFor(directory.path, "DEL", "c1"))).toEqual({});
    expect(leasesOf(directory.path, "net")).toEqual({ "10.1.2.3": "c2\r\neth0" });
  });

  for (const count of [0, MANY])
    test(`is not touched by who only looks, among ${count} others`, () => {
      using directory = scratch();
      crowd(directory.path, "net", count);
      callOurs(callFor(directory.path, "ADD", "c1"));
      const times = () =>
        ["net", "net/10.1.2.2", ...(count > 0 ? [".ipvlan/net"] : [])].map(
          (path) => statSync(join(directory.path, path), { bigint: true }).mtimeNs,
        );
      const before = times();
      expect(callOurs(callFor(directory.path, "CHECK", "c1"))).toEqual({});
      expect(times()).toEqual(before);
      // There is nothing of c2's to remove.
      expect(callOurs(callFor(directory.path, "DEL", "c2"))).toEqual({});
      expect(times()).toEqual(before);
    });

  test("has the index of many leases outside of what the reference reads", () => {
    using directory = scratch();
    crowd(directory.path, "net", MANY);
    callOurs(callFor(directory.path, "ADD", "c1"));
    expect(readdirSync(directory.path).sort()).toEqual([".ipvlan", "net"]);
    expect(readFileSync(join(directory.path, ".ipvlan", "net"), "latin1")).toStartWith(
      "ipvlan index of leases",
    );
    rmSync(join(directory.path, ".ipvlan"), { recursive: true });
    expect(callOurs(callFor(directory.path, "ADD", "c1")).error).toContain("duplicate allocation");
  });

  test("has no index of a few leases, and one of more", () => {
    using directory = scratch();
    crowd(directory.path, "net", 35);
    for (const id of ["c1", "c2"]) callOurs(callFor(directory.path, "ADD", id));
    // With the lock, the cursor, "." and ".." 40 entries were there.
    expect(readdirSync(directory.path)).toEqual(["net"]);
    callOurs(callFor(directory.path, "ADD", "c3"));
    expect(expectTrueIndex(directory.path, "net")).toBe(true);
    for (const id of ["c1", "c2"]) callOurs(callFor(directory.path, "DEL", id));
    expect(expectTrueIndex(directory.path, "net")).toBe(true);
    // 40 are left, so the next call makes no use of the index; as it changes the store, the index counts no longer.
    callOurs(callFor(directory.path, "ADD", "c4"));
    expect(expectTrueIndex(directory.path, "net")).toBe(false);
    callOurs(callFor(directory.path, "ADD", "c5"));
    expect(expectTrueIndex(directory.path, "net")).toBe(true);
    expect(Object.keys(leasesOf(directory.path, "net"))).toHaveLength(38);
  });
});

describe("CHECK", () => {
  const prevResult = (address: string) => ({ cniVersion: "1.0.0", ips: [{ address }] });
  const check = (dataDir: string, address: string) => {
    const call = callFor(dataDir, "CHECK", "c1");
    return callOurs({ ...call, config: { ...call.config, prevResult: prevResult(address) } });
  };

  test("looks for the addresses of prevResult that are of our ranges", () => {
    using directory = scratch();
    callOurs(callFor(directory.path, "ADD", "c1"));
    callOurs(callFor(directory.path, "ADD", "c2"));
    expect(check(directory.path, "10.1.2.2/24")).toEqual({});
    expect(check(directory.path, "192.0.2.7/24")).toEqual({});
    expect(check(directory.path, "10.1.2.3/24").error).toBe(
      "host-local: 10.1.2.3 of prevResult is not reserved for c1 (eth0)",
    );
  });

  test("says what may come of it, and what to do", () => {
    using directory = scratch();
    const remedyOf = (address: string) => {
      const call = callFor(directory.path, "CHECK", "c1");
      const config = { ...call.config, prevResult: prevResult(address) };
      return failureOf(() => hostLocal(optionsOf({ ...call, config })).check()).remedy;
    };
    expect(remedyOf("10.1.2.2/24")).toBe(
      "the lease was removed behind the container's back: DEL and ADD it again",
    );
    callOurs(callFor(directory.path, "ADD", "c1"));
    expect(remedyOf("10.1.2.3/24")).toBe(
      "another container may get this address: DEL and ADD this one again",
    );
  });
});

describe("resolv.conf", () => {
  test("is read as resolv.conf(5) says", () => {
    const text =
      "# comment\n; another\nnameserver 192.0.2.1 ignored\n\tnameserver\t2001:db8::1\ndomain old\ndomain example.net\n" +
      "search a b\nsearch c\noptions ndots:2 rotate\noptions\nnameserver\nsortlist x\r\n";
    expect(parseResolvConf(text)).toEqual({
      nameservers: ["192.0.2.1", "2001:db8::1"],
      domain: "example.net",
      search: ["a", "b", "c"],
      options: ["ndots:2", "rotate"],
    });
    expect(parseResolvConf("")).toEqual({});
  });

  test("reaches the result", () => {
    using directory = scratch();
    const path = join(directory.path, "resolv.conf");
    writeFileSync(path, "nameserver 192.0.2.1\n");
    expect(callOurs(callFor(directory.path, "ADD", "c1", { resolvConf: path })).result).toMatchObject({
      dns: { nameservers: ["192.0.2.1"] },
    });
  });
});
