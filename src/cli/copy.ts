import { closeSync, openSync, readSync, writeSync } from "node:fs";

/** A huge page. */
const PIECE_BYTES = 2 * 2 ** 20;

/**
 * Writes a new file with the content of `from`, a huge page at a time: the page cache keeps a file in pieces as large as
 * those it was written in (on file systems that can: XFS, ext4 since Linux 6.16), and a program that is kept so starts quicker by up to
 * a fifth. Throws what node:fs throws, EEXIST for one.
 */
export function copyInPieces(from: string, to: string, mode: number): void {
  const source = openSync(from, "r");
  try {
    const target = openSync(to, "wx", mode);
    try {
      const piece = new Uint8Array(PIECE_BYTES);
      for (;;) {
        const length = fill(source, piece);
        for (let done = 0; done < length; ) done += writeSync(target, piece, done, length - done);
        if (length < piece.length) return;
      }
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}

/** Reads until the piece is full or the file ends. Returns the number of bytes. */
function fill(fd: number, piece: Uint8Array): number {
  for (let length = 0; ; ) {
    const got = readSync(fd, piece, length, piece.length - length, null);
    length += got;
    if (got === 0 || length === piece.length) return length;
  }
}
