/** What an archive holds, in the order given. Owners are root, times all the same: the same input, the same bytes. */
export interface Entry {
  /** Relative; a directory ends in a slash. */
  path: string;
  mode?: number;
  content?: Uint8Array | string;
  /** A symbolic link to there. */
  target?: string;
}

const BLOCK_BYTES = 512;
const encoder = new TextEncoder();

/** A tar archive in the ustar format of POSIX.1-1988; `time` in seconds since 1970. Throws for a path that does not fit it. */
export function tar(entries: Entry[], time = 0): Uint8Array {
  const parts = entries.flatMap((entry) => {
    const content = bytesOf(entry.content ?? "");
    return [header(entry, content.length, time), content, padding(content.length)];
  });
  return Buffer.concat([...parts, new Uint8Array(2 * BLOCK_BYTES)]);
}

function bytesOf(content: Uint8Array | string): Uint8Array {
  return typeof content === "string" ? encoder.encode(content) : content;
}

function padding(length: number): Uint8Array {
  return new Uint8Array((BLOCK_BYTES - (length % BLOCK_BYTES)) % BLOCK_BYTES);
}

// type flags
const [FILE, LINK, DIRECTORY] = ["0", "2", "5"];

function header({ path, mode, target }: Entry, length: number, time: number): Uint8Array {
  const type = target !== undefined ? LINK : path.endsWith("/") ? DIRECTORY : FILE;
  const block = new Uint8Array(BLOCK_BYTES);
  const put = (offset: number, text: string, size: number) => {
    const bytes = encoder.encode(text);
    if (bytes.length > size) throw new Error(`${path} does not fit into a tar header`);
    block.set(bytes, offset);
  };
  const octal = (offset: number, value: number, size: number) =>
    put(offset, `${value.toString(8).padStart(size - 1, "0")}\0`, size);
  put(0, path, 100);
  octal(100, mode ?? (type === FILE ? 0o644 : type === LINK ? 0o777 : 0o755), 8);
  octal(108, 0, 8);
  octal(116, 0, 8);
  octal(124, length, 12);
  octal(136, time, 12);
  put(148, " ".repeat(8), 8);
  put(156, type!, 1);
  put(157, target ?? "", 100);
  put(257, "ustar\0" + "00", 8);
  put(265, "root", 32);
  put(297, "root", 32);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `, 8);
  return block;
}

/** With every directory that leads to an entry before it, as dpkg wants it. */
export function withDirectories(entries: Entry[]): Entry[] {
  const seen = new Set<string>();
  return entries.flatMap((entry) => {
    const steps = entry.path.split("/").slice(0, -1);
    const above = steps.map((_, index) => `${steps.slice(0, index + 1).join("/")}/`);
    const fresh = above.filter((path) => !seen.has(path));
    for (const path of [...fresh, entry.path]) seen.add(path);
    return [...fresh.map((path): Entry => ({ path })), entry];
  });
}
