import * as codec from "../../linux/codec.ts";
import { EADDRNOTAVAIL } from "../../linux/errno.ts";
import { addressesOf, expect } from "../../linux/rtnetlink.ts";
import { exchange } from "../../linux/socket.ts";
import { formatPrefix, type IpPrefix, sameAddress } from "../../net/ip.ts";
import type { Port } from "./port.ts";

/** Brings the endpoint's link up or down. Throws KernelError. */
export function setUp({ inside, link }: Port, up: boolean): void {
  const [answer] = exchange(inside, () => codec.requestLinkSet({ index: link.index, up }));
  expect(answer, "RTM_SETLINK", link.name);
}

/** Lowers the link's MTU to what the network carries; a server cannot raise it. Throws KernelError. */
export function lowerMtu({ inside, link }: Port, mtu: number): void {
  if (mtu >= link.mtu) return;
  const [answer] = exchange(inside, () => codec.requestLinkSet({ index: link.index, mtu }));
  expect(answer, "RTM_SETLINK", link.name);
}

/** Gives the address a new lifetime (undefined: for ever); false when the link does not have it. Throws KernelError. */
export function setLifetime({ inside, link }: Port, address: IpPrefix, seconds: number | undefined): boolean {
  if (!hasAddress(inside, link.index, address)) return false;
  const [answer] = exchange(inside, () =>
    codec.requestAddressAdd({
      index: link.index,
      address,
      replace: true,
      ...(seconds === undefined ? {} : { validLifetime: seconds, preferredLifetime: seconds }),
    }),
  );
  expect(answer, "RTM_NEWADDR", formatPrefix(address));
  return true;
}

function hasAddress(inside: Port["inside"], index: number, address: IpPrefix): boolean {
  return addressesOf(inside, index).some(
    (entry) => sameAddress(entry.address, address) && entry.prefixLength === address.length,
  );
}

/** Removes the address; one that is gone is no error. Throws KernelError. */
export function removeAddress({ inside, link }: Port, address: IpPrefix): void {
  const [answer] = exchange(inside, () => codec.requestAddressDelete({ index: link.index, address }));
  if (answer?.errno !== EADDRNOTAVAIL) expect(answer, "RTM_DELADDR", formatPrefix(address));
}
