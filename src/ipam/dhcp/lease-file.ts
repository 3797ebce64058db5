import { statusOf } from "../../linux/file.ts";
import { runDirectory } from "../../linux/run-directory.ts";

/** Which attachment a lease belongs to. */
export interface Owner {
  network: string;
  containerId: string;
  ifName: string;
}

const NAME_BYTES_MAX = 255;
export const SUFFIX = ".lease";

/** Where leases are: beside the endpoints' records, gone with a reboot as the endpoints are. */
export function leaseDirectory(): string {
  return `${runDirectory()}/dhcp`;
}

/**
 * The name of an attachment's lease: of its file, and in what is said to the daemon. No network's name begins as that of
 * an IPv6 lease does.
 */
export function leaseName({ network, containerId, ifName }: Owner, family: 4 | 6 = 4): string {
  const name = `${family === 6 ? "ipv6:" : ""}${network},${containerId},${ifName}${SUFFIX}`;
  if (Buffer.byteLength(name) <= NAME_BYTES_MAX) return name;
  return `${new Bun.CryptoHasher("sha256").update(name).digest("hex")}${SUFFIX}`;
}

/** Whether the attachment has a lease, as far as can be told without reading it. */
export function hasLeaseFile(owner: Owner): boolean {
  return ([4, 6] as const).some(
    (family) => statusOf(`${leaseDirectory()}/${leaseName(owner, family)}`) !== undefined,
  );
}
