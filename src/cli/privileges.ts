import { readFileSync } from "node:fs";

/** What the plugin needs, with the bit of <linux/capability.h>. */
export const CAPABILITIES = { CAP_NET_ADMIN: 12, CAP_SYS_ADMIN: 21 };

/** Those that are missing in the text of /proc/self/status (proc(5)). */
export function missingCapabilities(status: string): string[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  return Object.entries(CAPABILITIES)
    .filter(([, bit]) => ((effective >> BigInt(bit)) & 1n) === 0n)
    .map(([name]) => name);
}

/** Those that this process lacks. */
export function missingHere(): string[] {
  return missingCapabilities(readFileSync("/proc/self/status", "utf8"));
}

/** Says so when namespaces of others cannot be looked into, so that nothing found is not taken for nothing there. */
export function isPartialView(command: string): boolean {
  if (!missingHere().includes("CAP_SYS_ADMIN")) return false;
  console.error(
    `ipvlan ${command}: this process lacks CAP_SYS_ADMIN, and sees only what its own namespace shows`,
  );
  console.error("  remedy: run it as root");
  return true;
}
