import { describe, expect, test } from "bun:test";
import { portName } from "../../src/ipvlan/port.ts";
import type { Namespace } from "../../src/linux/netns.ts";
import type { Link } from "../../src/linux/rtnetlink.ts";

describe("the name of a port, by which every release finds what another one wrote", () => {
  const home = { identity: "4:4026531833" } as Namespace;
  const link = (more: Partial<Link>) =>
    ({ index: 12, linkIndex: undefined, kind: undefined, ...more }) as Link;

  test("is the master's namespace and index there, without a colon", () => {
    expect(portName(home, link({}))).toBe("4-4026531833-12");
  });

  test("is that of the master below, when an ipvlan link is the master", () => {
    expect(portName(home, link({ kind: "ipvlan", linkIndex: 3 }))).toBe("4-4026531833-3");
    expect(portName(home, link({ kind: "vlan", linkIndex: 3 }))).toBe("4-4026531833-12");
  });
});
