/**
 * Where the time of a call goes: a stop-watch for test/bench, in builds made with PROFILE only. In all others the
 * bundler removes every `if (PROFILE) mark(…)` and this file with them.
 */
const marks: [phase: string, epochMs: number][] = [];

/** The phase of that name ends now. */
export function mark(phase: string): void {
  marks.push([phase, performance.timeOrigin + performance.now()]);
}

/** The marks, and when the process was started as STARTED says, as one line on standard error. */
export function tellMarks(): void {
  console.error(JSON.stringify({ started: process.env.STARTED, marks }));
}
