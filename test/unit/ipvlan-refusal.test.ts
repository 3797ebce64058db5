/** What the kernel or the run directory refuses, in words: the kind, who is meant, and what to do about it. */

import { describe, expect, test } from "bun:test";
import type { EndpointConfig } from "../../src/ipvlan/call.ts";
import { checkHostAccess } from "../../src/ipvlan/host-access.ts";
import { vanished } from "../../src/ipvlan/link.ts";
import { runFailure } from "../../src/ipvlan/lock.ts";
import { checkMtu } from "../../src/ipvlan/master.ts";
import { occupiedFailure } from "../../src/ipvlan/occupant.ts";
import { driverFailure, linkFailure } from "../../src/ipvlan/refusal.ts";
import {
  EADDRNOTAVAIL,
  EINVAL,
  ENOBUFS,
  ENODEV,
  EOPNOTSUPP,
  EPERM,
  KernelError,
} from "../../src/linux/errno.ts";
import type { Link } from "../../src/linux/rtnetlink.ts";
import type { Socket } from "../../src/linux/socket.ts";

const endpoint: EndpointConfig = {
  master: "eth0",
  mode: "l3",
  flag: "bridge",
  mtu: undefined,
  linkInContainer: false,
};
const master = { index: 2, name: "eth0", master: undefined } as Link;

describe("a link that the kernel refuses", () => {
  const refused = 'the kernel refused an ipvlan link on master "eth0"';
  test.each([
    ["EOPNOTSUPP", EOPNOTSUPP, "unavailable", "this kernel lacks the ipvlan driver", /^load it /],
    ["EPERM", EPERM, "interface", `${refused}: the plugin lacks CAP_NET_ADMIN`, /^run the runtime as root/],
    ["ENODEV", ENODEV, "master", 'master "eth0" has just gone', /^see what removed it$/],
    ["EADDRNOTAVAIL", EADDRNOTAVAIL, "master", `${refused}: it has no link address`, undefined],
    [
      "EINVAL",
      EINVAL,
      "master",
      `${refused}: it, or mode "l3", does not suit ipvlan`,
      /^choose another master or mode$/,
    ],
    ["ENOBUFS", ENOBUFS, "interface", refused, undefined],
  ])("with %s", (_, errno, kind, message, remedy) => {
    const cause = new KernelError("RTM_NEWLINK", "eth0", errno);
    // Nobody asks the kernel who is there but for EBUSY, which the tests on a real driver have.
    const failure = linkFailure(cause, {} as Socket, endpoint, master);
    expect(failure).toMatchObject({ kind, message, cause });
    if (remedy === undefined) expect(failure.remedy).toBeUndefined();
    else expect(failure.remedy).toMatch(remedy);
  });

  test("since somebody else has its master, seen or not", () => {
    const remedy = "use another master, or remove what occupies this one";
    expect(occupiedFailure(master, 'it is a port of the bridge "br0"')).toMatchObject({
      kind: "master",
      message: 'master "eth0" cannot carry ipvlan links: it is a port of the bridge "br0"',
      remedy,
    });
    expect(occupiedFailure(master, undefined)).toMatchObject({
      message:
        'master "eth0" cannot carry ipvlan links: it carries a macvlan link of another namespace, or is a port of a bridge or bond',
      remedy,
    });
  });
});

test("a kernel without the driver: which option it wants, and which mode is asked for", () => {
  const load = "load it (modprobe ipvlan), or use a kernel with CONFIG_IPVLAN";
  for (const mode of ["l2", "l3"] as const)
    expect(driverFailure(undefined, mode)).toMatchObject({
      kind: "unavailable",
      message: "this kernel lacks the ipvlan driver",
      remedy: load,
    });
  expect(driverFailure(undefined, "l3s")).toMatchObject({
    message: "this kernel lacks the ipvlan driver, or its l3s mode",
    remedy: `${load} and CONFIG_IPVLAN_L3S`,
  });
});

test("a run directory that cannot be written", () => {
  const cause = new KernelError("open", "/run/x", EPERM);
  expect(runFailure("/run/x", cause)).toMatchObject({
    kind: "io",
    message: "cannot write the endpoint's record /run/x",
    remedy: "make the directory writable, or name another one in IPVLAN_RUN_DIR",
    cause,
  });
});

test("a link that goes as it comes, and an MTU that the master does not have", () => {
  expect(vanished("eth0")).toMatchObject({
    kind: "interface",
    message: 'interface "eth0" vanished right after it was created',
    remedy: "look for another program that manages links in the container",
  });
  const below = { ...master, mtu: 1500 };
  for (const mtu of [undefined, 68, 1500]) expect(() => checkMtu(below, mtu)).not.toThrow();
  for (const mtu of [67, 1501])
    expect(() => checkMtu(below, mtu)).toThrow(
      expect.objectContaining({
        kind: "config",
        message: `mtu ${mtu} is outside 68 to 1500, the MTU of master "eth0"`,
        remedy: "lower it, leave it out to take the master's, or raise the MTU of the master",
      }),
    );
});

test("host access where the host could not reach the container, or not its master", () => {
  expect(() => checkHostAccess(endpoint)).not.toThrow();
  for (const flag of ["private", "vepa"] as const)
    expect(() => checkHostAccess({ ...endpoint, flag })).toThrow(
      expect.objectContaining({
        kind: "config",
        message: `hostAccess needs flag "bridge": "${flag}" keeps endpoints of one master apart`,
        remedy: "leave hostAccess or flag out",
      }),
    );
  expect(() => checkHostAccess({ ...endpoint, linkInContainer: true })).toThrow(
    expect.objectContaining({
      kind: "config",
      message: "hostAccess needs a master on the host, but linkInContainer is true",
      remedy: "leave one of the two out",
    }),
  );
});
