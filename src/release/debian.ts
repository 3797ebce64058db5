/** The Debian package: where its files go, and the papers that Debian's policy wants beside them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repository, version } from "../../build.ts";
import { completionScript } from "../cli/completion.ts";
import { manualPage } from "../documents/man.ts";
import { deb, gzip } from "./deb.ts";

/** The driver's name for Podman, which has one called "ipvlan" of its own. */
const NETAVARK_NAME = "bun-ipvlan";
const NAME = "ipvlan-cni";
/** Of every file and of the changelog's entry, so that the same sources make the same bytes: a time that tells nothing. */
const TIME = new Date("2026-01-01T00:00:00Z");

/**
 * The program lies where Debian's runtimes look for CNI plugins; netavark and people find links to it. Debian's package
 * of the reference plugins has a file of that name, which steps aside while ours is installed.
 */
export function debianPackage(architecture: string, executable: Uint8Array, bill: string): Uint8Array {
  const documents = `usr/share/doc/${NAME}`;
  return deb({
    name: NAME,
    version: version(),
    architecture,
    time: TIME.getTime() / 1000,
    fields: {
      Maintainer: maintainer(),
      Depends: "libc6",
      Section: "net",
      Priority: "optional",
      Description: DESCRIPTION,
    },
    scripts: {
      preinst: script('if [ "$1" = install ] || [ "$1" = upgrade ]; then', "--rename --add"),
      postrm: script('if [ "$1" = remove ] || [ "$1" = abort-install ]; then', "--rename --remove"),
    },
    files: [
      { path: "usr/lib/cni/ipvlan", mode: 0o755, content: executable },
      { path: `usr/lib/netavark/${NETAVARK_NAME}`, target: "../cni/ipvlan" },
      { path: "usr/sbin/ipvlan", target: "../lib/cni/ipvlan" },
      { path: "usr/share/man/man8/ipvlan.8.gz", content: gzip(manualPage(version()), 9) },
      { path: "usr/share/bash-completion/completions/ipvlan", content: completionScript("bash")! },
      { path: "usr/share/zsh/vendor-completions/_ipvlan", content: completionScript("zsh")! },
      { path: "usr/share/fish/vendor_completions.d/ipvlan.fish", content: completionScript("fish")! },
      { path: `usr/share/lintian/overrides/${NAME}`, content: OVERRIDES },
      { path: `${documents}/changelog.gz`, content: gzip(changelog(), 9) },
      { path: `${documents}/copyright`, content: copyright() },
      { path: `${documents}/README.md`, content: text("README.md") },
      { path: `${documents}/ipvlan.schema.json`, content: text("docs/ipvlan.schema.json") },
      { path: `${documents}/ipvlan.cdx.json`, content: bill },
    ],
  });
}

const DESCRIPTION = `CNI and netavark plugin that attaches containers with ipvlan
 One executable for container runtimes, for Podman, and for people
 (see ipvlan(8)): it takes the configuration of the reference plugin, and
 an attachment that fails leaves nothing behind.`;

/** What lintian finds in the runtime, which is linked in as its makers give it. */
const OVERRIDES = `# The program is Bun's runtime with ours behind it: stripping would take that away, and
# how it was compiled and what is linked into it is its makers' choice.
${NAME}: unstripped-binary-or-object [usr/lib/cni/ipvlan]
${NAME}: hardening-no-pie [usr/lib/cni/ipvlan]
${NAME}: hardening-no-relro [usr/lib/cni/ipvlan]
${NAME}: embedded-library *
`;

/** "Name <mail>" of package.json. */
function maintainer(): string {
  return JSON.parse(text("package.json")).author;
}

/** In Debian's form; what changed stands in CHANGELOG.md. */
function changelog(): string {
  const date = TIME.toUTCString().replace("GMT", "+0000");
  return `${NAME} (${version()}) unstable; urgency=medium

  * Release ${version()}; CHANGELOG.md of the sources has what is new.

 -- ${maintainer()}  ${date}
`;
}

/** Machine-readable (Debian's copyright format 1.0). */
function copyright(): string {
  return `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: ipvlan
Upstream-Contact: ${maintainer()}
Comment: ipvlan.cdx.json beside this file names what is linked into the program,
 with its licences.

Files: *
Copyright: ${TIME.getUTCFullYear()} ${maintainer()}
License: Apache-2.0
 On Debian systems the full text of the Apache License, Version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
`;
}

function text(path: string): string {
  return readFileSync(join(repository, path), "utf8");
}

function script(condition: string, change: string): string {
  return `#!/bin/sh
set -e
${condition}
  dpkg-divert --package ${NAME} --divert /usr/lib/cni/ipvlan.reference ${change} /usr/lib/cni/ipvlan
fi
`;
}
