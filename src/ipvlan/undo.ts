import { debug } from "../debug.ts";

/** The way back out of a half-done change: each step pushes its reverse as soon as it has happened. */
export type Undo = (() => void | Promise<void>)[];

/**
 * Runs the reverses newest first and goes on when one fails. Returns what went wrong on the way back; the cause of the
 * unwinding stays the caller's to report.
 */
export async function unwind(undo: Undo): Promise<unknown[]> {
  const failures: unknown[] = [];
  debug?.step("undo", { steps: undo.length });
  for (let step = undo.pop(); step !== undefined; step = undo.pop()) {
    try {
      await step();
    } catch (thrown) {
      failures.push(thrown);
    }
  }
  return failures;
}
