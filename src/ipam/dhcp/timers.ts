/** The moments of a lease, in boot seconds; Infinity for those that never come. */
export interface Moments {
  startedAt: number;
  renewAt: number;
  rebindAt: number;
  expiresAt: number;
}

/** What is to be done for a lease, and when. */
export interface Due {
  what: "renew" | "rebind" | "expire";
  at: number;
}

/** The pause between two tries that is never gone below (RFC 2131, section 4.4.5), for leases that are long enough for it. */
const PAUSE_MIN_SECONDS = 60;
/** A lease of seconds gets as many tries as one of days. */
const PAUSE_SHARE = 1 / 16;

/**
 * The next step of a lease whose last try, if any, was at `triedAt`: from T1 the server is asked, from T2 every server,
 * each time again after half of what is left; undefined for a lease that does not end.
 */
export function nextDue(lease: Moments, triedAt: number | undefined): Due | undefined {
  const { renewAt, rebindAt, expiresAt } = lease;
  if (expiresAt === Infinity) return undefined;
  const pauseMin = Math.min(PAUSE_MIN_SECONDS, (expiresAt - lease.startedAt) * PAUSE_SHARE);
  const again = (from: number, end: number) =>
    triedAt === undefined || triedAt < from ? from : triedAt + Math.max((end - triedAt) / 2, pauseMin);
  const renew = again(renewAt, rebindAt);
  if (renew < rebindAt) return { what: "renew", at: renew };
  const rebind = again(rebindAt, expiresAt);
  if (rebind < expiresAt) return { what: "rebind", at: rebind };
  return { what: "expire", at: expiresAt };
}
