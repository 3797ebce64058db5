/** What runs where, and how much at a time. */

import { basename, dirname, join } from "node:path";
import { repository } from "../kernel/environment.ts";

/** Does a work when there is room for it. */
export type Slot = <T>(work: () => Promise<T>) => Promise<T>;

/** Spreads files over `count` lists of about the same length in bytes. */
export function spread(some: string[], count: number): string[][] {
  const parts = Array.from({ length: Math.min(count, some.length) }, () => ({
    size: 0,
    files: [] as string[],
  }));
  // A table of cases in a file of its own takes its time, too.
  const sizeOf = (file: string) => Bun.file(join(repository, file)).size;
  const tableOf = (file: string) => join(dirname(file), "cases", basename(file, ".test.ts").concat(".ts"));
  const sized = some.map((file) => ({ file, size: sizeOf(file) + sizeOf(tableOf(file)) }));
  for (const { file, size } of sized.sort((a, b) => b.size - a.size)) {
    const smallest = parts.reduce((least, part) => (part.size < least.size ? part : least));
    smallest.size += size;
    smallest.files.push(file);
  }
  return parts.map((part) => part.files);
}

/** One of each list in turn; what a list has more than the others comes first, and the last of each together at the end. */
export function inTurns<Item>(lists: Item[][]): Item[] {
  const longest = Math.max(0, ...lists.map((list) => list.length));
  const turn = (index: number) =>
    lists.flatMap((list) => {
      const own = index - (longest - list.length);
      return own < 0 ? [] : list.slice(own, own + 1);
    });
  return Array.from({ length: longest }, (_, index) => turn(index)).flat();
}

/** At most `count` of the works given to it run at a time. */
export function limit(count: number): Slot {
  const waiting: (() => void)[] = [];
  let free = count;
  return async (work) => {
    if (free === 0) await new Promise<void>((resume) => waiting.push(resume));
    else free--;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}
