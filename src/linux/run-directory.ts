/** Where the program keeps what does not outlive a reboot: IPVLAN_RUN_DIR, or /run/ipvlan. */
export function runDirectory(): string {
  return process.env.IPVLAN_RUN_DIR || "/run/ipvlan";
}
