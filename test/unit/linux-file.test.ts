import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { EEXIST, ENOENT, ENOTDIR, KernelError } from "../../src/linux/errno.ts";
import {
  createWhole,
  fewNames,
  findInDirectory,
  listDirectory,
  lockFile,
  makeDirectories,
  overwriteText,
  readText,
  removeFile,
  replaceWhole,
  setModified,
  statusOf,
  writeExclusive,
  writeText,
} from "../../src/linux/file.ts";
import { scratch } from "../support/ipam.ts";

function errnoOf(work: () => unknown): number | undefined {
  try {
    work();
  } catch (error) {
    if (error instanceof KernelError) return error.errno;
    throw error;
  }
  return undefined;
}

describe("status", () => {
  test("says what stat says, to the nanosecond", () => {
    using directory = scratch();
    const path = join(directory.path, "file");
    writeFileSync(path, "twelve bytes");
    chmodSync(path, 0o640);
    const found = statusOf(path)!;
    const { dev, ino, mtimeNs } = statSync(path, { bigint: true });
    expect(found).toMatchObject({ type: "file", mode: 0o640, sizeBytes: 12 });
    const major = Number(dev >> 8n) & 0xfff;
    const minor = Number(dev & 0xffn) | (Number(dev >> 12n) & 0xfff00);
    expect(found.identity).toBe(`${major}:${minor}:${ino >> 32n}:${ino & 0xffff_ffffn}`);
    expect(BigInt(found.modified.seconds) * 1_000_000_000n + BigInt(found.modified.nanoseconds)).toBe(
      mtimeNs,
    );
    expect(statusOf(directory.path)?.type).toBe("directory");
    symlinkSync(path, `${path}.link`);
    expect(statusOf(`${path}.link`)?.type).toBe("file");
    expect(statusOf(`${path}.none`)).toBeUndefined();
    expect(errnoOf(() => statusOf(`${path}/under`))).toBe(ENOTDIR);
  });

  test("setModified sets that time and no other", () => {
    using directory = scratch();
    const before = statSync(directory.path, { bigint: true });
    setModified(directory.path, { seconds: 1_234_567_890, nanoseconds: 123_456_789 });
    const after = statSync(directory.path, { bigint: true });
    expect(after.mtimeNs).toBe(1_234_567_890_123_456_789n);
    expect(after.atimeNs).toBe(before.atimeNs);
  });
});

describe("reading", () => {
  test("up to a limit, and not a byte more", () => {
    using directory = scratch();
    const path = join(directory.path, "file");
    for (const length of [0, 1, 1023, 1024, 1025, 4096, 100_000]) {
      const text = "é".repeat(length >> 1).padEnd(length - (length >> 1), "x");
      writeFileSync(path, text);
      expect(readText(path, length)).toBe(text);
      if (length > 0) expect(() => readText(path, length - 1)).toThrow(`more than ${length - 1} bytes`);
    }
    expect(readText(`${path}.none`, 10)).toBeUndefined();
    expect(errnoOf(() => readText(directory.path, 10))).toBe(21);
  });

  test("a FIFO without a writer does not hold us up", () => {
    using directory = scratch();
    const path = join(directory.path, "fifo");
    expect(Bun.spawnSync(["mkfifo", path]).success).toBe(true);
    expect(readText(path, 10)).toBe("");
  });
});

describe("writing", () => {
  test("createWhole makes a file once, with its mode, and leaves nothing beside it", () => {
    using directory = scratch();
    const path = join(directory.path, "file");
    expect(createWhole(path, "one", 0o600, `${path}.new`)).toBe(true);
    expect(createWhole(path, "two", 0o600, `${path}.new`)).toBe(false);
    expect(readFileSync(path, "utf8")).toBe("one");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory.path)).toEqual(["file"]);
  });

  test("what a crash left of the staging file is replaced, not written to", () => {
    using directory = scratch();
    const path = join(directory.path, "file");
    writeFileSync(join(directory.path, "counts"), "counts");
    linkSync(join(directory.path, "counts"), `${path}.new`);
    expect(createWhole(path, "one", 0o600, `${path}.new`)).toBe(true);
    expect(readFileSync(join(directory.path, "counts"), "utf8")).toBe("counts");
    expect(readFileSync(path, "utf8")).toBe("one");
  });

  test("replaceWhole replaces or makes", () => {
    using directory = scratch();
    const path = join(directory.path, "file");
    for (const text of ["long text", "short"]) {
      replaceWhole(path, text, 0o600, `${path}.new`);
      expect(readFileSync(path, "utf8")).toBe(text);
    }
    expect(errnoOf(() => replaceWhole(join(directory.path, "none", "file"), "x", 0o600, `${path}.new`))).toBe(
      ENOENT,
    );
    expect(readdirSync(directory.path)).toEqual(["file"]);
  });

  test("writeExclusive does not touch what is there; writeText only that", () => {
    using directory = scratch();
    const path = join(directory.path, "file");
    expect(errnoOf(() => writeText(path, "x"))).toBe(ENOENT);
    writeExclusive(path, "one", 0o600);
    expect(errnoOf(() => writeExclusive(path, "two", 0o600))).toBe(EEXIST);
    expect(readFileSync(path, "utf8")).toBe("one");
    expect(removeFile(path)).toBe(true);
    expect(removeFile(path)).toBe(false);
  });
});

describe("directories", () => {
  test("are made with all that is missing, by several at once", () => {
    using directory = scratch();
    const path = join(directory.path, "a", "b", "c");
    makeDirectories(path, 0o755);
    makeDirectories(path, 0o755);
    makeDirectories(`${path}/d/`, 0o755);
    expect(existsSync(join(path, "d"))).toBe(true);
    writeFileSync(join(path, "file"), "");
    expect(errnoOf(() => makeDirectories(join(path, "file"), 0o755))).toBe(EEXIST);
    expect(errnoOf(() => makeDirectories(join(path, "file", "x"), 0o755))).toBe(ENOTDIR);
  });

  test("are listed whole, however many entries there are", () => {
    using directory = scratch();
    const names = Array.from({ length: 1500 }, (_, index) => `${"n".repeat(index % 200)}${index}`);
    for (const name of names) writeFileSync(join(directory.path, name), "");
    mkdirSync(join(directory.path, "directory"));
    symlinkSync("nowhere", join(directory.path, "grüß"));
    const found = listDirectory(directory.path)!;
    expect(found.map(({ name }) => name).sort()).toEqual([...names, "directory", "grüß"].sort());
    expect(found.find(({ name }) => name === "directory")?.type).toBe("directory");
    expect(found.find(({ name }) => name === "grüß")?.type).toBe("link");
    expect(listDirectory(join(directory.path, "none"))).toBeUndefined();
  });

  test("are read as far as what is looked for", () => {
    using directory = scratch();
    for (let index = 0; index < 50; index++) writeFileSync(join(directory.path, `${index}`), "");
    const order = listDirectory(directory.path)!.map(({ name }) => name);
    const seen: string[] = [];
    const look = ({ name }: { name: string }) => {
      seen.push(name);
      return name === order[20] ? 0 : undefined;
    };
    expect(findInDirectory(directory.path, look)).toBe(0);
    expect(seen).toEqual(order.slice(0, 21));
    expect(findInDirectory(directory.path, () => undefined)).toBeUndefined();
    expect(findInDirectory(join(directory.path, "none"), () => 0)).toBeUndefined();
  });

  test("shows the names of a directory with few, and tells of one with many without a name", () => {
    using directory = scratch();
    expect(fewNames(join(directory.path, "none"), 2)).toEqual([]);
    expect(fewNames(directory.path, 2)!.sort()).toEqual([".", ".."]);
    expect(fewNames(directory.path, 1)).toBeUndefined();
    // More than one piece of what getdents64 gives.
    const names = Array.from({ length: 60 }, (_, index) => `${index}-${"x".repeat(200)}`);
    for (const name of names) writeFileSync(join(directory.path, name), "");
    expect(fewNames(directory.path, 62)!.sort()).toEqual([".", "..", ...names].sort());
    for (const most of [61, 20, 0]) expect(fewNames(directory.path, most)).toBeUndefined();
  });
});

describe("lock", () => {
  test("excludes others for as long as it is held", () => {
    using directory = scratch();
    const path = join(directory.path, "lock");
    const lock = lockFile(path, 0o750, 100)!;
    expect(statSync(path).mode & 0o777).toBe(0o750);
    expect(lockFile(path, 0o750, 30)).toBeUndefined();
    expect(Bun.spawnSync(["flock", "-n", path, "true"]).exitCode).toBe(1);
    lock.release();
    const again = lockFile(path, 0o750, 0)!;
    expect(again).toBeDefined();
    again.release();
  });

  test("is on the file that has the name, not on one that was removed while we waited", async () => {
    using directory = scratch();
    const path = join(directory.path, "lock");
    writeFileSync(path, "");
    // Holds the file that was, removes it, and lets go.
    const other = Bun.spawn(["flock", "-F", path, "sh", "-c", `echo held; sleep 0.3; rm ${path}`], {
      stdout: "pipe",
    });
    await other.stdout.getReader().read();
    const lock = lockFile(path, 0o750, 5000)!;
    expect(existsSync(path)).toBe(true);
    expect(Bun.spawnSync(["flock", "-n", path, "true"]).exitCode).toBe(1);
    lock.release();
    rmSync(path);
  });
});

test("a text that is overwritten stays in the same file, and leaves nothing of a longer one but blanks", () => {
  using directory = scratch();
  const path = join(directory.path, "state");
  overwriteText(path, '{"one":1,"two":2}', 0o600);
  expect(readFileSync(path, "utf8")).toBe('{"one":1,"two":2}');
  const { ino } = statSync(path);
  overwriteText(path, '{"one":1}', 0o600);
  expect(statSync(path).ino).toBe(ino);
  expect(readFileSync(path, "utf8").trimEnd()).toBe('{"one":1}');
  expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({ one: 1 });
});
