/** What came of each lane, told as it happens and once more at the end. */

import type { Run } from "./execute.ts";

interface Outcome {
  lane: string;
  passed: number;
  failed: number;
  skipped: number;
  seconds: number;
}

/** How many tests of a run did what. */
export interface Count {
  passed: number;
  failed: number;
  skipped?: number;
}

export class Outcomes {
  private readonly all: Outcome[] = [];
  private readonly started = performance.now();
  private readonly isVerbose: boolean;

  /** `isVerbose`: what a lane printed is shown even when it passed. */
  constructor(isVerbose: boolean) {
    this.isVerbose = isVerbose;
  }

  /** Of a lane that ran. */
  record(lane: string, run: Run, count: Count): void {
    this.all.push({ lane, skipped: 0, ...count, seconds: run.seconds });
    const verdict = count.failed > 0 ? `FAILED (exit status ${run.exitCode})` : "passed";
    console.log(`-- ${lane}: ${verdict}, ${run.seconds.toFixed(1)} s`);
    if (count.failed > 0 || this.isVerbose) console.log(run.log.replace(/^/gm, "   ").trimEnd());
  }

  /** What cannot run has failed; nothing is skipped in silence. */
  refuse(lane: string, why: string): void {
    this.all.push({ lane, passed: 0, failed: 1, skipped: 0, seconds: 0 });
    console.log(`-- ${lane}: FAILED\n${why.replace(/^/gm, "   ")}`);
  }

  /** The table, the last line, and the exit status: 1 when anything failed. */
  summarize(): void {
    const order = [...new Set(this.all.map((outcome) => outcome.lane))];
    const sum = (some: Outcome[], key: "passed" | "failed" | "skipped" | "seconds") =>
      some.reduce((total, outcome) => total + outcome[key], 0);
    console.log(`\n${"lane".padEnd(22)}  passed  failed  skipped  seconds`);
    for (const lane of order) {
      const some = this.all.filter((outcome) => outcome.lane === lane);
      const cells = [
        lane.padEnd(22),
        String(sum(some, "passed")).padStart(6),
        String(sum(some, "failed")).padStart(6),
        String(sum(some, "skipped")).padStart(7),
        sum(some, "seconds").toFixed(1).padStart(7),
      ];
      console.log(cells.join("  "));
    }
    console.log(`in all ${((performance.now() - this.started) / 1000).toFixed(1)} s\n`);
    const failed = sum(this.all, "failed");
    console.log(`${sum(this.all, "passed")} passed, ${failed} failed`);
    process.exitCode = failed > 0 ? 1 : 0;
  }
}
