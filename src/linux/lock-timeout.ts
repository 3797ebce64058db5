/** Long enough for hundreds of containers that start at once on a slow machine, each of which gets its turn. */
const LOCK_TIMEOUT_MS = 60_000;

/** How long to wait for a lock that others hold: IPVLAN_LOCK_TIMEOUT_MS, `usualMs` without it. */
export function lockTimeoutMs(usualMs = LOCK_TIMEOUT_MS): number {
  const given = process.env.IPVLAN_LOCK_TIMEOUT_MS;
  return given !== undefined && /^[0-9]{1,7}$/.test(given) ? Number(given) : usualMs;
}
