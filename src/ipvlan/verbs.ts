import { add } from "./add.ts";
import type { Verbs } from "./call.ts";
import { check } from "./check.ts";
import { del } from "./del.ts";
import { gc } from "./gc.ts";
import { status } from "./status.ts";

/** The behaviour of this plugin, for every face. */
export const verbs: Verbs = { add, check, del, gc, status };
