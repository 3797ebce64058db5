import { readFileSync } from "node:fs";
import { join } from "node:path";
import { formatAddress, parseAddress } from "../net/ip.ts";
import { namesIn } from "./networks.ts";

/** Where host-local keeps its leases unless a configuration says otherwise. */
export const LEASE_DIRECTORY = "/var/lib/cni/networks";

/** A file of host-local's store that keeps an address. */
export interface LeaseFile {
  address: string;
  containerId: string;
  /** undefined in leases of old releases. */
  ifName: string | undefined;
}

/** The leases of one network, as far as they can be read. Reads without the store's lock: it only shows them. */
export function leasesOf(directory: string, network: string): LeaseFile[] {
  return namesIn(join(directory, network)).flatMap((name) => {
    const address = parseAddress(name);
    if (address === undefined || formatAddress(address) !== name) return [];
    try {
      const [containerId = "", ifName] = readFileSync(join(directory, network, name), "utf8")
        .trim()
        .split("\r\n");
      return containerId === "" ? [] : [{ address: name, containerId, ifName }];
    } catch {
      // Released meanwhile.
      return [];
    }
  });
}
