/** Is an index, where it counts, the truth about a store? */

import { expect } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { LeaseIndex, openIndex } from "../../src/ipam/host-local/lease-index.ts";
import { closeFile, statusOf } from "../../src/linux/file.ts";
import { formatAddress, parseAddress } from "../../src/net/ip.ts";
import { leasesOf } from "./ipam.ts";

/** Fails when a network's index counts and does not say what its leases say. Returns whether it counts. */
export function expectTrueIndex(dataDir: string, network: string): boolean {
  const directory = join(dataDir, network);
  const indexes = join(dataDir, ".ipvlan");
  if (!existsSync(directory) || !existsSync(join(indexes, network))) return false;
  const file = openIndex(indexes, network);
  try {
    const index = LeaseIndex.load(file, statusOf(directory)!);
    if (index === undefined) return false;
    const leases = Object.entries(leasesOf(dataDir, network)).filter(([, text]) => text.trim() !== "");
    for (const [name, text] of leases) {
      const { family, value } = parseAddress(name)!;
      expect(index.owned(text.trim()).map(formatAddress)).toContain(name);
      expect(index.nextFree(family, value, value)).toBeUndefined();
      expect(index.nextFree(family, value + 1n, value + 1n) === undefined).toBe(
        leases.some(([other]) => other === formatAddress({ family, value: value + 1n })),
      );
    }
    return true;
  } finally {
    closeFile(file.fd);
  }
}
