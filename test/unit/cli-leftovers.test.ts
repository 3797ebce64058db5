import { expect, test } from "bun:test";
import type { Endpoint } from "../../src/cli/endpoints.ts";
import { leftoversOf, unexplainedOf } from "../../src/cli/gc.ts";
import { leaseState } from "../../src/cli/list.ts";

const endpoint = (change: Partial<Endpoint> = {}): Endpoint => ({
  container: "c1",
  network: "net",
  interface: "eth0",
  master: "eth0",
  masterNamespace: undefined,
  mode: "l2",
  flag: "bridge",
  addresses: ["10.0.0.2/24"],
  namespace: "/run/netns/c1",
  state: "attached",
  port: "0-4-1-2",
  asked: { mode: "l2", flag: "bridge" },
  ...change,
});
const lease = (address: string, containerId: string, ifName: string | undefined = "eth0") => ({
  address,
  containerId,
  ifName,
});

test("a lease is held, partial, another's, leaked, or there is none", () => {
  const held = [lease("10.0.0.2", "c1")];
  expect(leaseState(endpoint(), held)).toBe("held");
  expect(leaseState(endpoint(), [{ address: "10.0.0.2", containerId: "c1", ifName: undefined }])).toBe(
    "held",
  );
  expect(leaseState(endpoint({ addresses: ["10.0.0.2/24", "10.0.0.9/24"] }), held)).toBe("partial");
  expect(leaseState(endpoint(), [lease("10.0.0.2", "c2")])).toBe("of c2");
  expect(leaseState(endpoint({ state: "gone", addresses: [] }), held)).toBe("leaked 10.0.0.2");
  expect(leaseState(endpoint(), [])).toBe("none");
});

test("only what is recorded and gone is a leftover, with exactly its own leases", () => {
  const endpoints = [
    endpoint(),
    endpoint({ container: "c2", state: "gone" }),
    endpoint({ state: "foreign" }),
  ];
  const leases = new Map([
    [
      "net",
      [
        lease("10.0.0.2", "c1"),
        lease("10.0.0.3", "c2"),
        lease("10.0.0.4", "c2", "eth1"),
        lease("10.0.0.5", "c9"),
      ],
    ],
  ]);
  expect(leftoversOf(endpoints, leases)).toEqual([
    { network: "net", container: "c2", interface: "eth0", namespace: "/run/netns/c1", leases: ["10.0.0.3"] },
  ]);
  expect(unexplainedOf(endpoints, leases).map(({ address }) => address)).toEqual(["10.0.0.4", "10.0.0.5"]);
});
