/**
 * The hook of the debug log. `debug` is undefined unless somebody has asked for a log, and then nothing of src/debug/ is
 * loaded: every caller writes `debug?.step(…)`, whose arguments are not even evaluated.
 */
export interface Debug {
  /** Something was done, or decided: what, and the facts it was about. */
  step(what: string, facts?: object): void;
  /** A batch of netlink requests was answered; `tookMs` is from send to the last answer. */
  netlink(request: Uint8Array, answers: NetlinkAnswer[], messages: number, tookMs: number): void;
}

/** The acknowledgement of one request. */
export interface NetlinkAnswer {
  errno: number;
  message: string | undefined;
}

export let debug: Debug | undefined;

/** Turns the log on, or off with undefined. */
export function setDebug(hook: Debug | undefined): void {
  debug = hook;
}
