import { add } from "./add.ts";
import type { Verbs } from "./call.ts";
import { del } from "./del.ts";
import { explaining } from "./privilege.ts";

/** The behaviour of this plugin, for every face. What is asked for now and then is loaded then. */
export const verbs: Verbs = {
  // These two explain what they throw themselves.
  add,
  del,
  check: async (call) => explaining((await import("./check.ts")).check(call)),
  gc: async (call) => explaining((await import("./gc.ts")).gc(call)),
  status: async (call) => explaining((await import("./status.ts")).status(call), "unavailable"),
};
