import { readFully, writeFully } from "../../linux/file.ts";

// A page is 64 records of 64 bytes. The first one only says whether the page has ever been too full.
const PAGE_WORDS = 1024;
export const PAGE_BYTES = PAGE_WORDS * 4;
const RECORD_WORDS = 16;
/** More records than this for each page and the table doubles: half full, so that few pages are ever too full. */
const LOAD = 32;
const PAGES_LEAST = 4;
const CHANGES_MAX = 32;
/** The most pages that are believed of a file: a hundred million leases have fewer. */
export const PAGES_MAX = 1 << 22;

/** 64 bits of hash in two halves. */
export interface Hash {
  low: number;
  high: number;
}

/** A file that holds a table. */
export interface OpenFile {
  fd: number;
  path: string;
}

/** A record in its page: word 0 is its kind (never 0), 1 and 2 its hash; the rest is the caller's. */
export interface TableRecord {
  words: Uint32Array;
  page: number;
}

/**
 * A hash table in pages, made to be a file of which an operation reads and writes a few pages however many there are.
 * A record lies in the page its hash names, or in the pages after it as long as these were full.
 */
export class Table {
  readonly pageCount: number;
  recordCount: number;
  // Plain arrays: the first object of each further kind or size takes the engine a block of memory of its own. So a table in
  // a file lists the few pages that were read, side by side with their numbers, and is as small however many there are.
  private readonly pages: (Uint32Array | undefined)[];
  private readonly numbers: number[] = [];
  /** Pages that differ from the file's, as long as they are few; more than CHANGES_MAX stand for every page that was read. */
  private readonly changed: number[] = [];
  private readonly file: OpenFile | undefined;

  private constructor(pageCount: number, recordCount: number, file: OpenFile | undefined) {
    this.pageCount = pageCount;
    this.pages = file === undefined ? new Array(pageCount) : [];
    this.recordCount = recordCount;
    this.file = file;
  }

  /** An empty table with room for so many records. */
  static empty(recordCount: number): Table {
    let pageCount = PAGES_LEAST;
    while (pageCount * LOAD < recordCount) pageCount *= 2;
    return new Table(pageCount, 0, undefined);
  }

  /** The table in an open file, where page 0 is the caller's and the table's own begin after it. */
  static inFile(file: OpenFile, pageCount: number, recordCount: number): Table {
    return new Table(pageCount, recordCount, file);
  }

  /** True when there is no room for another record without making pages too full: time for `doubled`. */
  get isFull(): boolean {
    return this.recordCount >= this.pageCount * LOAD;
  }

  /** All records of that kind and hash. */
  find(kind: number, hash: Hash): TableRecord[] {
    const found: TableRecord[] = [];
    for (let step = 0; step < this.pageCount; step++) {
      const page = (hash.low + step) & (this.pageCount - 1);
      const words = this.page(page);
      // Native search: a loop over the records would be the dearest part of an ADD.
      let low = words.indexOf(hash.low, RECORD_WORDS);
      for (; low >= 0; low = words.indexOf(hash.low, low + 1)) {
        const at = low - 1;
        if (at % RECORD_WORDS === 0 && words[at + 2] === hash.high && words[at] === kind)
          found.push({ words: words.subarray(at, at + RECORD_WORDS), page });
      }
      if (words[0] === 0) break;
    }
    return found;
  }

  /** A new record with its kind and hash set and the rest zero. */
  insert(kind: number, hash: Hash): TableRecord {
    for (let step = 0; step < this.pageCount; step++) {
      const page = (hash.low + step) & (this.pageCount - 1);
      const words = this.page(page);
      for (let at = RECORD_WORDS; at < PAGE_WORDS; at += RECORD_WORDS) {
        if (words[at] !== 0) continue;
        words.fill(0, at, at + RECORD_WORDS);
        words[at] = kind;
        words[at + 1] = hash.low;
        words[at + 2] = hash.high;
        this.recordCount++;
        this.note(page);
        return { words: words.subarray(at, at + RECORD_WORDS), page };
      }
      words[0] = 1;
      this.note(page);
    }
    throw new RangeError("every page of the table is full");
  }

  /** To be called when a record's words were written to. */
  touch(record: TableRecord): void {
    this.note(record.page);
  }

  remove(record: TableRecord): void {
    record.words[0] = 0;
    this.recordCount--;
    this.note(record.page);
  }

  /** The same records in twice the pages, in memory. */
  doubled(): Table {
    const larger = Table.empty(this.pageCount * LOAD * 2);
    for (let page = 0; page < this.pageCount; page++) {
      const words = this.kept(page) ?? this.read(page);
      for (let at = RECORD_WORDS; at < PAGE_WORDS; at += RECORD_WORDS) {
        if (words[at] === 0) continue;
        const record = larger.insert(words[at]!, { low: words[at + 1]!, high: words[at + 2]! });
        record.words.set(words.subarray(at, at + RECORD_WORDS));
      }
    }
    return larger;
  }

  /** Writes what differs from the file; a table in memory is written whole. */
  save(file: OpenFile): void {
    if (this.file?.fd === file.fd) {
      const isFew = this.changed.length <= CHANGES_MAX;
      for (const page of isFew ? this.changed : this.loaded()) this.write(file, page);
    } else {
      const all = new Uint32Array(this.pageCount * PAGE_WORDS);
      for (const page of this.loaded()) all.set(this.page(page), page * PAGE_WORDS);
      writeFully(file.fd, file.path, bytesOf(all), PAGE_BYTES);
    }
    this.changed.length = 0;
  }

  /** The numbers of the pages in memory. */
  private loaded(): number[] {
    if (this.file !== undefined) return this.numbers;
    const numbers: number[] = [];
    for (let page = 0; page < this.pageCount; page++) if (this.pages[page] !== undefined) numbers.push(page);
    return numbers;
  }

  private note(page: number): void {
    if (this.changed.length <= CHANGES_MAX && !this.changed.includes(page)) this.changed.push(page);
  }

  private write({ fd, path }: OpenFile, page: number): void {
    writeFully(fd, path, bytesOf(this.page(page)), (page + 1) * PAGE_BYTES);
  }

  private page(page: number): Uint32Array {
    let words = this.kept(page);
    if (words === undefined) {
      words = this.read(page);
      if (this.file === undefined) this.pages[page] = words;
      else {
        this.pages.push(words);
        this.numbers.push(page);
      }
    }
    return words;
  }

  /** The page if it is in memory. */
  private kept(page: number): Uint32Array | undefined {
    const place = this.file === undefined ? page : this.numbers.indexOf(page);
    return place < 0 ? undefined : this.pages[place];
  }

  /** The page as the file has it; an empty one where there is no file. */
  private read(page: number): Uint32Array {
    const words = new Uint32Array(PAGE_WORDS);
    if (this.file && !readFully(this.file.fd, this.file.path, bytesOf(words), (page + 1) * PAGE_BYTES))
      throw new RangeError(`${this.file.path} ends before page ${page}`);
    return words;
  }
}

function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

/** XXH32 with two seeds, native: the same in every version of this program that reads the same file. */
export function hashOf(text: string): Hash {
  return { low: Bun.hash.xxHash32(text, 0), high: Bun.hash.xxHash32(text, 1) };
}
