import { check } from "./errno.ts";
import { readText } from "./file.ts";
import { clockTime } from "./libc.ts";

const CLOCK_BOOTTIME = 7;

/**
 * Seconds since the machine started, sleep included: a clock that nobody sets, the same for every process, so that it
 * may be written into files that `bootId` guards.
 */
export function bootSeconds(): number {
  const time = new BigInt64Array(2);
  check(clockTime(CLOCK_BOOTTIME, time), "clock_gettime");
  return Number(time[0]) + Number(time[1]) / 1e9;
}

/** What tells this boot of the machine from every other one. Throws KernelError. */
export function bootId(): string {
  return readText("/proc/sys/kernel/random/boot_id", 100)?.trim() ?? "";
}
