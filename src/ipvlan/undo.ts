import { debug } from "../debug.ts";

/**
 * The way back out of a half-done change: each step pushes its reverse as soon as it has happened; `unwind` runs them
 * newest first and goes on when one fails.
 */
export class Undo {
  private readonly steps: (() => void | Promise<void>)[] = [];

  push(step: () => void | Promise<void>): void {
    this.steps.push(step);
  }

  /** Returns what went wrong on the way back; the cause of the unwinding stays the caller's to report. */
  async unwind(): Promise<unknown[]> {
    const failures: unknown[] = [];
    debug?.step("undo", { steps: this.steps.length });
    for (let step = this.steps.pop(); step !== undefined; step = this.steps.pop()) {
      try {
        await step();
      } catch (thrown) {
        failures.push(thrown);
      }
    }
    return failures;
  }
}
