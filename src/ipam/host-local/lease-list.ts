import { formatAddress, type IpAddress, parseAddress } from "../../net/ip.ts";
import { isDigit } from "../../text.ts";

/** Who holds what, and what is taken: what a store asks when it looks for a lease. */
export interface KnownLeases {
  /** The addresses that a lease with this content may have. */
  owned(content: string): IpAddress[];
  /** The first address from `first` to `last` that is not taken. */
  nextFree(family: 4 | 6, first: bigint, last: bigint): bigint | undefined;
  /** A lease was made. */
  add(address: IpAddress, content: string | undefined): void;
  /** A lease is gone. */
  remove(address: IpAddress, content: string | undefined): void;
}

/** A file that may be a lease: its name may be an address. `content` is undefined where it cannot be read. */
export interface LeaseFile {
  name: string;
  content: string | undefined;
}

/**
 * Of so few leases that to look at each is less work than to keep an index (lease-index.ts) of them. Names are compared
 * with names, and only what is asked for is taken for an address.
 */
export function leaseList(files: LeaseFile[]): KnownLeases {
  const positionOf = (name: string): number => {
    for (let at = 0; at < files.length; at++) if (files[at]!.name === name) return at;
    return -1;
  };
  return {
    owned(content) {
      const addresses: IpAddress[] = [];
      for (const file of files) {
        const address = file.content === content ? addressNamed(file.name) : undefined;
        if (address !== undefined) addresses.push(address);
      }
      return addresses;
    },
    nextFree(family, first, last) {
      for (let value = first; value <= last; value++)
        if (positionOf(formatAddress({ family, value })) < 0) return value;
      return undefined;
    },
    add: (address, content) => void files.push({ name: formatAddress(address), content }),
    remove(address) {
      const at = positionOf(formatAddress(address));
      if (at >= 0) files.splice(at, 1);
    },
  };
}

/** The address that is a file's name; undefined for any other name, and for an address written otherwise than it is here. */
export function addressNamed(name: string): IpAddress | undefined {
  const address = parseAddress(name);
  return address !== undefined && formatAddress(address) === name ? address : undefined;
}

/** False for most names that are no address, at a glance. */
export function mayBeAddress(name: string): boolean {
  return isDigit(name.charCodeAt(0)) || name.includes(":");
}
