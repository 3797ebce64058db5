import { add } from "./add.ts";
import type { Verbs } from "./call.ts";
import { check } from "./check.ts";
import { del } from "./del.ts";
import { gc } from "./gc.ts";
import { explaining } from "./privilege.ts";
import { status } from "./status.ts";

/** The behaviour of this plugin, for every face. */
export const verbs: Verbs = {
  // These two explain what they throw themselves.
  add,
  del,
  check: (call) => explaining(check(call)),
  gc: (call) => explaining(gc(call)),
  status: (call) => explaining(status(call), "unavailable"),
};
