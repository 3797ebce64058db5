import { type Undo, unwind } from "../ipvlan/undo.ts";
import { errorText } from "./error.ts";

/** Undoes a failed setup. What goes wrong then is only said on standard error: the first error is the one to report. */
export async function takeBack(undo: Undo): Promise<void> {
  for (const leftover of await unwind(undo))
    console.error(`ipvlan: undoing a failed setup: ${errorText(leftover)}`);
}
