import { describe, expect, spyOn, test } from "bun:test";
import {
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { LeaseIndex, openIndex } from "../../src/ipam/host-local/lease-index.ts";
import { hashOf, type OpenFile, Table } from "../../src/ipam/host-local/table.ts";
import { closeFile, statusOf } from "../../src/linux/file.ts";
import { bitsOf, formatAddress, type IpAddress } from "../../src/net/ip.ts";
import { inputs } from "../support/inputs.ts";
import { scratch } from "../support/ipam.ts";

const v4 = (value: number): IpAddress => ({ family: 4, value: BigInt(value) });

/** A directory beside an index, as host-local has them. */
class Place {
  readonly directory: string;
  readonly #indexes: string;

  constructor(path: string) {
    this.directory = join(path, "net");
    this.#indexes = join(path, "indexes");
    mkdirSync(this.directory);
  }

  get indexPath(): string {
    return join(this.#indexes, "net");
  }

  load(): LeaseIndex | undefined {
    return this.with((file) => LeaseIndex.load(file, statusOf(this.directory)!));
  }

  /** With the file open: a loaded index reads from it. */
  with<Found>(work: (file: OpenFile) => Found): Found {
    const file = openIndex(this.#indexes, "net");
    try {
      return work(file);
    } finally {
      closeFile(file.fd);
    }
  }

  save(index: LeaseIndex, isRebuilt = true): void {
    this.with((file) => index.save(file, this.directory, statusOf(this.directory)!, isRebuilt));
  }

  lease(name: string, content = "c\r\neth0"): void {
    writeFileSync(join(this.directory, name), content);
  }
}

test("the hash is XXH32 in every release, since each reads the others' files", () => {
  // Computed with another implementation of <https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md>.
  expect(hashOf("")).toEqual({ low: 0x02cc5d05, high: 0x0b2cb792 });
  expect(hashOf("abc")).toEqual({ low: 852_579_327, high: 2_856_167_679 });
  expect(hashOf("c1\r\neth0")).toEqual({ low: 1_980_357_600, high: 2_089_600_234 });
  expect(hashOf("ä€")).toEqual({ low: 3_171_720_438, high: 2_859_237_768 });
});

describe("next free address", () => {
  test("skips any number of taken ones", () => {
    const index = LeaseIndex.of([]);
    const start = 10 * 2 ** 24;
    const count = 70_000;
    for (let offset = 0; offset < count; offset++) index.add(v4(start + offset), undefined);
    const last = BigInt(start + 2 ** 20);
    expect(index.nextFree(4, BigInt(start), last)).toBe(BigInt(start + count));
    expect(index.nextFree(4, BigInt(start + 65_536 + 5), last)).toBe(BigInt(start + count));
    expect(index.nextFree(4, BigInt(start), BigInt(start + count - 1))).toBeUndefined();
    index.remove(v4(start + 300), undefined);
    expect(index.nextFree(4, BigInt(start), last)).toBe(BigInt(start + 300));
    expect(index.nextFree(4, BigInt(start + 300), last)).toBe(BigInt(start + 300));
    expect(index.nextFree(4, BigInt(start + 301), last)).toBe(BigInt(start + count));
    index.add(v4(start + 300), undefined);
    expect(index.nextFree(4, BigInt(start), last)).toBe(BigInt(start + count));
  });

  test("is what a walk finds, in both families, over every edge", () => {
    const bases = [0n, 255n, 65_535n, 2n ** 32n - 300n, 2n ** 64n - 3n, 2n ** 128n - 600n];
    const address = fc
      .record({
        family: fc.constantFrom(4 as const, 6 as const),
        base: fc.constantFrom(...bases),
        add: fc.bigInt(0n, 520n),
      })
      .map(({ family, base, add }) => ({ family, value: (base + add) % 2n ** (family === 4 ? 32n : 128n) }));
    const step = fc.record({ address, runs: fc.nat(300), isRemoval: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), address, (steps, { family, value }) => {
        const index = LeaseIndex.of([]);
        const taken = new Set<string>();
        for (const { address: first, runs, isRemoval } of steps)
          for (let offset = 0n; offset <= BigInt(runs); offset++) {
            const one = { family: first.family, value: first.value + offset };
            // The last address has none after it.
            if (one.value >= 2n ** BigInt(bitsOf(one.family))) break;
            const name = `${one.family} ${one.value}`;
            if (isRemoval && taken.delete(name)) index.remove(one, undefined);
            else if (!isRemoval && !taken.has(name)) {
              taken.add(name);
              index.add(one, undefined);
            }
          }
        let walk = value;
        while (taken.has(`${family} ${walk}`)) walk++;
        expect(index.nextFree(family, value, value + 2000n)).toBe(walk <= value + 2000n ? walk : undefined);
      }),
      inputs(300),
    );
  });
});

describe("a block of 256 addresses is full when all are taken", () => {
  test.each([0, 1, 31, 32, 100, 254, 255])("and not before number %i is", (last) => {
    for (const family of [4, 6] as const) {
      const index = LeaseIndex.of([]);
      for (let value = 0n; value < 256n; value++)
        if (value !== BigInt(last)) index.add({ family, value }, undefined);
      expect(index.nextFree(family, 0n, 1000n)).toBe(BigInt(last));
      index.add({ family, value: BigInt(last) }, undefined);
      expect(index.nextFree(family, 0n, 1000n)).toBe(256n);
      expect(index.nextFree(family, 0n, 255n)).toBeUndefined();
      index.remove({ family, value: BigInt(last) }, undefined);
      expect(index.nextFree(family, 0n, 255n)).toBe(BigInt(last));
    }
  });
});

describe("owners", () => {
  test("any number, and many addresses of one", () => {
    const index = LeaseIndex.of([]);
    for (let one = 0; one < 3000; one++) index.add(v4(one), `c${one}\r\neth0`);
    // More than fit a page, and a page is what one hash leads to.
    for (let one = 3000; one < 3400; one++) index.add(v4(one), "greedy\r\neth0");
    const owned = (content: string) => index.owned(content).map(formatAddress);
    for (let one = 0; one < 3000; one++) expect(owned(`c${one}\r\neth0`)).toEqual([formatAddress(v4(one))]);
    expect(owned("greedy\r\neth0")).toHaveLength(400);
    expect(owned("nobody")).toEqual([]);
    for (let one = 3000; one < 3400; one += 2) index.remove(v4(one), "greedy\r\neth0");
    expect(owned("greedy\r\neth0")).toHaveLength(200);
    for (let one = 0; one < 3000; one += 3) index.remove(v4(one), `c${one}\r\neth0`);
    for (let one = 0; one < 3000; one++)
      expect(owned(`c${one}\r\neth0`)).toEqual(one % 3 === 0 ? [] : [formatAddress(v4(one))]);
  });
});

test("of several addresses of one owner exactly the one that is meant goes, whichever part of it differs", () => {
  const values = [0n, 1n, 2n ** 32n, 2n ** 64n, 2n ** 96n, 2n ** 96n + 1n];
  const addresses: IpAddress[] = [
    ...values.map((value): IpAddress => ({ family: 6, value })),
    ...[0, 1, 2 ** 31].map(v4),
  ];
  const names = (some: IpAddress[]) => some.map(formatAddress).sort();
  for (const gone of addresses) {
    const index = LeaseIndex.of(addresses.map((address) => ({ address, content: "c\r\neth0" })));
    index.remove(gone, "c\r\neth0");
    const left = addresses.filter((address) => address !== gone);
    expect(names(index.owned("c\r\neth0"))).toEqual(names(left));
  }
});

describe("on disk", () => {
  test("it is loaded as it was saved, and changed in place", () => {
    using directory = scratch();
    const place = new Place(directory.path);
    const index = LeaseIndex.of([]);
    for (let one = 0; one < 500; one++) index.add(v4(one), `c${one}`);
    place.save(index);
    for (let round = 0; round < 5; round++)
      place.with((file) => {
        const again = LeaseIndex.load(file, statusOf(place.directory)!)!;
        expect(again.owned(`c${round}`)).toEqual([v4(round)]);
        expect(again.nextFree(4, 0n, 1000n)).toBe(round === 0 ? 500n : BigInt(round - 1));
        again.remove(v4(round), `c${round}`);
        if (round > 0) again.add(v4(round - 1), `new${round}`);
        // More than the table has room for: it is written anew, twice as large.
        if (round === 3) for (let one = 1000; one < 2000; one++) again.add(v4(one), `late${one}`);
        again.save(file, place.directory, statusOf(place.directory)!, false);
      });
    place.with((file) => {
      const last = LeaseIndex.load(file, statusOf(place.directory)!)!;
      expect(last.owned("late1999")).toEqual([v4(1999)]);
      expect(last.owned("new4")).toEqual([v4(3)]);
      expect(last.owned("c4")).toEqual([]);
      expect(last.nextFree(4, 1000n, 3000n)).toBe(2000n);
    });
  });

  test("however many of its pages are changed, all of them are written and no other", () => {
    using directory = scratch();
    const place = new Place(directory.path);
    const index = LeaseIndex.of([]);
    for (let one = 0; one < 4000; one++) index.add(v4(one), `c${one}`);
    place.save(index);
    for (const count of [1, 60, 4000])
      place.with((file) => {
        const some = LeaseIndex.load(file, statusOf(place.directory)!)!;
        for (let one = 0; one < count; one++) {
          some.remove(v4(one), `c${one}`);
          some.add(v4(one), `new${one}`);
        }
        some.save(file, place.directory, statusOf(place.directory)!, false);
        const after = LeaseIndex.load(file, statusOf(place.directory)!)!;
        for (let one = 0; one < 4000; one++) {
          expect(after.owned(`c${one}`)).toEqual(one < count ? [] : [v4(one)]);
          expect(after.owned(`new${one}`)).toEqual(one < count ? [v4(one)] : []);
        }
        // What was changed last time is changed back.
        for (let one = 0; one < count; one++) {
          some.remove(v4(one), `new${one}`);
          some.add(v4(one), `c${one}`);
        }
        some.save(file, place.directory, statusOf(place.directory)!, false);
      });
  });

  test("addresses that come and go, each in a block of its own, leave nothing behind that grows", () => {
    using directory = scratch();
    const place = new Place(directory.path);
    place.save(LeaseIndex.of([]));
    const sizeBytes = statSync(place.indexPath).size;
    for (let round = 0; round < 10; round++)
      place.with((file) => {
        const index = LeaseIndex.load(file, statusOf(place.directory)!)!;
        for (let block = round * 100; block < (round + 1) * 100; block++) {
          index.add(v4(block * 256), "c");
          index.remove(v4(block * 256), "c");
        }
        index.save(file, place.directory, statusOf(place.directory)!, false);
      });
    expect(statSync(place.indexPath).size).toBe(sizeBytes);
  });

  test("any number of pages may change at once", () => {
    using directory = scratch();
    const place = new Place(directory.path);
    const index = LeaseIndex.of([]);
    const leases = 3000;
    for (let one = 0; one < leases; one++) index.add(v4(one), `c${one}`);
    place.save(index);
    for (const gone of [20, 32, 33, 34, 60, 200]) {
      const owners = Array.from({ length: gone }, (_, index) => ({ one: index * 7, name: `c${index * 7}` }));
      place.with((file) => {
        const loaded = LeaseIndex.load(file, statusOf(place.directory)!)!;
        for (const { one, name } of owners) loaded.remove(v4(one), name);
        loaded.save(file, place.directory, statusOf(place.directory)!, false);
      });
      place.with((file) => {
        const loaded = LeaseIndex.load(file, statusOf(place.directory)!)!;
        for (const { one, name } of owners) {
          expect(loaded.owned(name)).toEqual([]);
          loaded.add(v4(one), name);
        }
        loaded.save(file, place.directory, statusOf(place.directory)!, false);
      });
    }
    place.with((file) => {
      const loaded = LeaseIndex.load(file, statusOf(place.directory)!)!;
      for (let one = 0; one < leases; one++) expect(loaded.owned(`c${one}`)).toEqual([v4(one)]);
    });
  });

  const events: Record<string, (place: Place) => void> = {
    "a file is created": (place) => place.lease("10.0.0.2"),
    "a file is removed": (place) => unlinkSync(join(place.directory, "10.0.0.1")),
    "a file is renamed": (place) =>
      renameSync(join(place.directory, "10.0.0.1"), join(place.directory, "10.0.0.9")),
    "a file is replaced by another of the same name": (place) => {
      writeFileSync(join(place.directory, "..", "other"), "x\r\neth0");
      renameSync(join(place.directory, "..", "other"), join(place.directory, "10.0.0.1"));
    },
    "a file is removed and made again": (place) => {
      unlinkSync(join(place.directory, "10.0.0.1"));
      place.lease("10.0.0.1", "d\r\neth0");
    },
    "the directory is made anew": (place) => {
      rmSync(place.directory, { recursive: true });
      mkdirSync(place.directory);
    },
    "the directory is made anew with the old one's time": (place) => {
      const { mtimeMs } = statSync(place.directory);
      renameSync(place.directory, `${place.directory}.old`);
      mkdirSync(place.directory);
      utimesSync(place.directory, mtimeMs / 1000, mtimeMs / 1000);
    },
    "the index is deleted": (place) => unlinkSync(place.indexPath),
    "the index is emptied": (place) => truncateSync(place.indexPath, 0),
    "the index loses its end": (place) => truncateSync(place.indexPath, statSync(place.indexPath).size - 1),
    "the index is nonsense": (place) => writeFileSync(place.indexPath, Buffer.alloc(40_000, 0x41)),
  };

  for (const [what, event] of Object.entries(events))
    test(`it does not count when ${what}`, () => {
      using directory = scratch();
      const place = new Place(directory.path);
      place.lease("10.0.0.1");
      place.save(LeaseIndex.of([{ address: v4(0x0a000001), content: "c\r\neth0" }]));
      expect(place.load()).toBeDefined();
      event(place);
      expect(place.load()).toBeUndefined();
    });

  test("it does not count when anything is created in the tick in which it was saved", () => {
    using directory = scratch();
    const place = new Place(directory.path);
    for (let round = 0; round < 500; round++) {
      place.save(LeaseIndex.of([]), round % 2 === 0);
      place.lease(`10.0.0.${round}`);
      expect(place.load()).toBeUndefined();
      place.save(LeaseIndex.of([]));
      unlinkSync(join(place.directory, `10.0.0.${round}`));
      expect(place.load()).toBeUndefined();
    }
  });

  test("its header is the same in every release, whatever the time", () => {
    using directory = scratch();
    const place = new Place(directory.path);
    // One in ten begins with a zero.
    for (let round = 0; round < 200; round++) {
      place.save(LeaseIndex.of([]));
      const [, , , modified, ...rest] = readFileSync(place.indexPath, "latin1").slice(0, 512).split("\n");
      const { mtimeNs } = statSync(place.directory, { bigint: true });
      const time = `${mtimeNs / 10n ** 9n}.${String(mtimeNs % 10n ** 9n).padStart(9, "0")}`;
      expect([modified, ...rest.slice(0, 3)]).toEqual([`modified ${time}`, "pages and records:", "4", "0"]);
    }
  });

  test("it counts although the clock goes on while it is saved", () => {
    using directory = scratch();
    const place = new Place(directory.path);
    let now = Date.now();
    using clock = spyOn(Date, "now").mockImplementation(() => now++);
    place.save(LeaseIndex.of([]));
    expect(clock).toHaveBeenCalled();
    expect(place.load()).toBeDefined();
  });

  test("it does not count in another boot", () => {
    using directory = scratch();
    const place = new Place(directory.path);
    place.save(LeaseIndex.of([]));
    const text = readFileSync(place.indexPath, "latin1");
    expect(text).toMatch(/\nboot [0-9a-f-]{36}\n/);
    expect(place.load()).toBeDefined();
    writeFileSync(place.indexPath, text.replace(/\nboot ./, "\nboot x"), "latin1");
    expect(place.load()).toBeUndefined();
  });
});

describe("table", () => {
  test("hashes are spread: no page is twice as full as it should be", () => {
    const pages = 256;
    const counts = new Array<number>(pages).fill(0);
    for (let one = 0; one < pages * 32; one++) {
      const text = `cnitool-${one.toString(16).padStart(20, "0")}\r\neth0`;
      counts[hashOf(text).low & (pages - 1)]!++;
    }
    expect(Math.max(...counts)).toBeLessThan(63);
    expect(Math.min(...counts)).toBeGreaterThan(8);
  });

  test("what says that a page was too full is no record", () => {
    const table = Table.empty(1);
    for (let high = 1; high <= 64; high++) table.insert(2, { low: 0, high });
    expect(table.find(1, { low: 0, high: 0 })).toEqual([]);
    const record = table.insert(1, { low: 0, high: 0 });
    expect(table.find(1, { low: 0, high: 0 })).toEqual([record]);
    expect(table.find(1, { low: 0, high: 1 })).toEqual([]);
  });

  test("a record in the place of another one has nothing of it", () => {
    const table = Table.empty(1);
    const hash = { low: 1, high: 7 };
    const first = table.insert(1, hash);
    first.words.fill(0xffff_ffff, 3);
    table.remove(first);
    expect([...table.insert(2, hash).words]).toEqual([2, 1, 7, ...new Array(first.words.length - 3).fill(0)]);
  });

  test("is to be doubled when it is half full, and has as few pages as that takes", () => {
    for (const [records, pages] of [
      [0, 4],
      [128, 4],
      [129, 8],
      [1000, 32],
    ] as const)
      expect([records, Table.empty(records).pageCount]).toEqual([records, pages]);
    const table = Table.empty(1);
    for (let low = 0; low < 128; low++) {
      expect(table.isFull).toBe(false);
      table.insert(1, { low, high: 0 });
    }
    expect(table.isFull).toBe(true);
    expect([table.doubled().pageCount, table.doubled().recordCount]).toEqual([8, 128]);
  });

  test("that has no room left says so, and one whose file is shorter than it should be", () => {
    const table = Table.empty(1);
    expect(() => {
      for (let low = 0; ; low++) table.insert(1, { low, high: 0 });
    }).toThrow(new RangeError("every page of the table is full"));
    // Four pages of 64 records, of which the first says whether there ever was no room for another.
    expect(table.recordCount).toBe(4 * 63);
    using directory = scratch();
    const place = new Place(directory.path);
    place.save(LeaseIndex.of([]));
    place.with((file) => {
      truncateSync(place.indexPath, 4096 * 3);
      const cut = Table.inFile(file, 4, 0);
      expect(cut.find(1, { low: 1, high: 0 })).toEqual([]);
      expect(() => cut.find(1, { low: 2, high: 0 })).toThrow(`${file.path} ends before page 2`);
    });
  });

  test("a record is found again although its page is full, and after others are gone", () => {
    const table = Table.empty(10);
    const hash = { low: 1, high: 7 };
    const records = Array.from({ length: 100 }, (_, index) => {
      const record = table.insert(1, hash);
      record.words[4] = index;
      return record;
    });
    expect([...table.find(1, hash)]).toHaveLength(100);
    for (const record of records.slice(0, 99)) table.remove(record);
    expect(table.find(1, hash).map(({ words }) => words[4])).toEqual([99]);
    expect([...table.find(2, hash)]).toEqual([]);
    expect(
      table
        .doubled()
        .find(1, hash)
        .map(({ words }) => words[4]),
    ).toEqual([99]);
  });
});
