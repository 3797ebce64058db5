/** A few leases are known as an index would know them. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { LeaseIndex } from "../../src/ipam/host-local/lease-index.ts";
import { addressNamed, leaseList, mayBeAddress } from "../../src/ipam/host-local/lease-list.ts";
import { formatAddress, type IpAddress } from "../../src/net/ip.ts";
import { inputs } from "../support/inputs.ts";

const address = fc.oneof(
  fc
    .integer({ min: 0x0a0100fa, max: 0x0a010106 })
    .map((value): IpAddress => ({ family: 4, value: BigInt(value) })),
  fc
    .integer({ min: 250, max: 260 })
    .map((value): IpAddress => ({ family: 6, value: (0xfd00n << 112n) + BigInt(value) })),
);
const content = fc.constantFrom("c1\r\neth0", "c2\r\neth0", "c2", undefined);
const step = fc.record({ address, content, isAdd: fc.boolean() });

test("a list says of each content and each span what an index says", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), address, fc.nat(20), (steps, from, width) => {
      const list = leaseList([]);
      const index = LeaseIndex.of([]);
      const held = new Map<string, string | undefined>();
      for (const { address, content, isAdd } of steps) {
        const name = formatAddress(address);
        // Nobody adds a lease that is there; what is removed has the content it was added with.
        if (isAdd === held.has(name)) continue;
        for (const leases of [list, index])
          if (isAdd) leases.add(address, content);
          else leases.remove(address, held.get(name));
        if (isAdd) held.set(name, content);
        else held.delete(name);
      }
      const last = from.value + BigInt(width);
      expect(list.nextFree(from.family, from.value, last)).toBe(
        index.nextFree(from.family, from.value, last),
      );
      for (const owner of ["c1\r\neth0", "c2\r\neth0", "c2"]) {
        const names = (addresses: IpAddress[]) => addresses.map(formatAddress).sort();
        expect(names(list.owned(owner))).toEqual(names(index.owned(owner)));
      }
    }),
    inputs(500),
  );
});

test("a file's name is an address only in the one form in which it is written here", () => {
  fc.assert(
    fc.property(address, (some) => {
      const name = formatAddress(some);
      expect(mayBeAddress(name)).toBe(true);
      expect(addressNamed(name)).toEqual(some);
    }),
    inputs(100),
  );
  for (const name of [
    "10.1.2.03",
    "fd00::0:1",
    "FD00::1",
    "::ffff:10.1.2.3",
    "1",
    "lock",
    "last_reserved_ip.0",
    "",
  ])
    expect(addressNamed(name)).toBeUndefined();
  // A glance keeps what host-local itself writes beside leases from being read as one.
  for (const name of ["lock", "last_reserved_ip.0", ".ipvlan.new", ""])
    expect(mayBeAddress(name)).toBe(false);
});
