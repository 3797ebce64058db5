/** File systems of a test's own: small ones that fill up, and ones that become read-only. */

import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun } from "./command.ts";

const PAGE_BYTES = 4096;

/** A file system in memory at `path`, with so many pages; `await using` takes it away. */
export async function disk(path: string, pages = 64): Promise<Disk> {
  mkdirSync(path, { recursive: true });
  await mustRun(["mount", "-t", "tmpfs", "-o", `size=${pages * PAGE_BYTES},mode=755`, "disk", path]);
  return new Disk(path);
}

export class Disk implements AsyncDisposable {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Leaves room for so many pages of further files. */
  fill(freePages: number): void {
    this.empty();
    mkdirSync(this.#ballast);
    const { bavail, bsize } = statfsSync(this.path);
    writeFileSync(join(this.#ballast, "load"), Buffer.alloc(bavail * bsize - freePages * PAGE_BYTES));
  }

  /** Takes away what `fill` has put there. */
  empty(): void {
    rmSync(this.#ballast, { recursive: true, force: true });
  }

  async remount(how: "ro" | "rw"): Promise<void> {
    await mustRun(["mount", "-o", `remount,${how}`, this.path]);
  }

  /** A directory: GC takes files that are no records for remains of a crash. */
  get #ballast(): string {
    return join(this.path, ".ballast");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await mustRun(["umount", this.path]);
  }
}
