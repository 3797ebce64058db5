import { gzipSync } from "node:zlib";
import { type Entry, tar, withDirectories } from "./tar.ts";

export interface DebPackage {
  name: string;
  version: string;
  /** Debian's: amd64, arm64. */
  architecture: string;
  /** Of every file, in seconds since 1970. */
  time: number;
  /** Further fields of the control file, in order. */
  fields: Record<string, string>;
  /** Maintainer scripts by name: preinst, postrm. */
  scripts: Record<string, string>;
  /** With paths from the root, without its slash. */
  files: Entry[];
}

/** A binary package (deb(5)), the same bytes for the same input. */
export function deb(input: DebPackage): Uint8Array {
  const control = [
    { path: "./" },
    { path: "./control", content: controlFile(input) },
    { path: "./md5sums", content: checksums(input.files) },
    ...Object.entries(input.scripts).map(([name, content]) => ({ path: `./${name}`, mode: 0o755, content })),
  ];
  const data = withDirectories(input.files.map((file) => ({ ...file, path: `./${file.path}` })));
  return archive([
    ["debian-binary", Buffer.from("2.0\n")],
    ["control.tar.gz", gzip(tar(control, input.time))],
    ["data.tar.gz", gzip(tar(data, input.time))],
  ]);
}

function controlFile({ name, version, architecture, fields, files }: DebPackage): string {
  const bytes = files.reduce((sum, { content }) => sum + (content?.length ?? 0), 0);
  const all = {
    Package: name,
    Version: version,
    Architecture: architecture,
    "Installed-Size": String(Math.ceil(bytes / 1024)),
    ...fields,
  };
  return Object.entries(all)
    .map(([field, value]) => `${field}: ${value}\n`)
    .join("");
}

function checksums(files: Entry[]): string {
  return files
    .filter(({ content }) => content !== undefined)
    .map(({ path, content }) => `${new Bun.CryptoHasher("md5").update(content!).digest("hex")}  ${path}\n`)
    .join("");
}

/** The level that is not much slower than the default unless told otherwise, and the same header on every machine. */
export function gzip(content: Uint8Array | string, level = 6): Uint8Array {
  return gzipSync(content, { level });
}

/** ar(5) of System V. */
function archive(members: [name: string, content: Uint8Array][]): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from("!<arch>\n")];
  for (const [name, content] of members) {
    const [time, owner, group, mode] = ["0", "0", "0", "100644"];
    const header = [
      name.padEnd(16),
      time.padEnd(12),
      owner.padEnd(6),
      group.padEnd(6),
      mode.padEnd(8),
      String(content.length).padEnd(10),
      "`\n",
    ].join("");
    parts.push(Buffer.from(header), content);
    if (content.length % 2 === 1) parts.push(Buffer.from("\n"));
  }
  return Buffer.concat(parts);
}
