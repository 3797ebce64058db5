/** Mutants that no test can kill, since they do the same as the original. Each with the reason. */

import { described, type Mutant } from "./mutations.ts";

export interface Equivalent {
  file: string;
  /** The whole line. */
  text: string;
  /** As the report describes it. */
  mutation: string;
  why: string;
}

/** Whether it is this mutant that the entry is about. */
export function excuses({ file, text, mutation }: Equivalent, mutant: Mutant): boolean {
  return file === mutant.file && text === mutant.text && mutation === described(mutant);
}

export const equivalents: Equivalent[] = [
  {
    file: "src/ipam/host-local/lease-index.ts",
    text: "const start = ((at >> 16n) << 16n) | BigInt(block << 8);",
    mutation: "| → &",
    why: "0, so that no block is skipped: each is looked into, and the first free address is the same",
  },
  {
    file: "src/ipvlan/status.ts",
    text: 'codec.requestLinkAdd({ kind: "ipvlan", name: "ivlprobe", masterIndex: 0, mode: MODES[mode], flags: 0 }),',
    mutation: "0 → (0 + 1)",
    why: "the link with index 1 is loopback, which no kernel makes an ipvlan link on either",
  },
  {
    file: "src/ipvlan/status.ts",
    text: 'codec.requestLinkAdd({ kind: "ipvlan", name: "ivlprobe", masterIndex: 0, mode: MODES[mode], flags: 0 }),',
    mutation: "0 → (0 + 1), number 2",
    why: "the link is never made, so that its flags are never read",
  },
  {
    file: "wasm/layout.ts",
    text: "export const MESSAGE_SLOT = 384;",
    mutation: "384 → (384 + 1)",
    why: "the slot has no neighbour there",
  },
  {
    file: "wasm/link.ts",
    text: "put(INFO_SLOT + IFLA_INFO_DATA, 0);",
    mutation: "0 → (0 + 1)",
    why: "nothing is ever written below TEXT: there stands an empty nest, which is as good as none",
  },
  {
    file: "wasm/layout.ts",
    text: "export const KIND_DUMMY = 4;",
    mutation: "4 → (4 + 1)",
    why: "a number that the two sides of the codec agree on, and no other kind has it",
  },
  {
    file: "wasm/link.ts",
    text: "put(IFLA_MTU, 0);",
    mutation: "0 → (0 + 1)",
    why: "nothing is ever written below TEXT: 0 is read there, which is what no MTU is read as",
  },
  {
    file: "wasm/link.ts",
    text: "put(IFLA_LINKINFO, 0);",
    mutation: "0 → (0 + 1)",
    why: "nothing is ever written below TEXT: there stands an empty nest, which is as good as none",
  },
  {
    file: "src/cni/execute.ts",
    text: "for (let attempt = 0; rest.length > 0 && attempt < 1000; attempt++) {",
    mutation: "> → >=",
    why: "nothing more is written of nothing, and that ends the loop as well",
  },
  {
    file: "src/ipvlan/port.ts",
    text: "const index = master.kind === LINK_KIND ? (master.linkIndex ?? master.index) : master.index;",
    mutation: "master.linkIndex ?? master.index → master.linkIndex",
    why: "an ipvlan link always names the one below it",
  },
  {
    file: "src/ipvlan/status.ts",
    text: 'const cause = new KernelError("RTM_NEWLINK", "ipvlan", answer?.errno ?? 0, answer?.message);',
    mutation: "0 → (0 + 1)",
    why: "without an answer the error is not used",
  },
  {
    file: "src/netavark/command.ts",
    text: "return equals < 0",
    mutation: "0 → (0 + 1)",
    why: "the word begins with two hyphens, so that no equals sign stands there",
  },
  {
    file: "src/netavark/command.ts",
    text: "return equals < 0",
    mutation: "< → <=",
    why: "the word begins with two hyphens, so that no equals sign stands there",
  },
  {
    file: "src/ipam/host-local/range.ts",
    text: "if (last > cursor.value) spans.push({ first: first > cursor.value ? first : cursor.value + 1n, last });",
    mutation: "> → >=",
    why: "a span that begins after its end has no address to try",
  },
  {
    file: "src/netavark/external.ts",
    text: 'if (driver === "" || driver.includes("/") || driver.includes("\\0") || /^\\.\\.?$/.test(driver))',
    mutation: '"" → "mutant"',
    why: "without a name it is the directory itself, which is no file either; and no plugin has that name",
  },
  {
    file: "src/cni/execute.ts",
    text: "const fds = new Int32Array(2);",
    mutation: "2 → (2 + 1)",
    why: "the kernel writes two numbers, and two are read",
  },
  {
    file: "src/ipvlan/lock.ts",
    text: 'return JSON.parse(readText(path, limitBytes) ?? "null");',
    mutation: '"null" → ""',
    why: "no JSON is as good as null: both say nothing",
  },
  {
    file: "src/ipvlan/configure.ts",
    text: "flags: address.family === 6 ? ipv6Flags : 0,",
    mutation: "0 → (0 + 1)",
    why: "IFA_F_SECONDARY, which the kernel decides by itself for IPv4",
  },
  {
    file: "src/cni/config.ts",
    text: 'ipam: { type: "", fields: section ?? fold({}) },',
    mutation: '"" → "mutant"',
    why: "nobody looks at it: the plugin is the one that was called",
  },
  {
    file: "src/ipvlan/announce.ts",
    text: "const PAUSE_MS = 50;",
    mutation: "50 → (50 + 1)",
    why: "a pause that is longer by a millisecond",
  },
  {
    file: "src/ipvlan/configure.ts",
    text: "const ADDRESS_PAUSE_MS = 50;",
    mutation: "50 → (50 + 1)",
    why: "a pause that is longer by a millisecond",
  },
  {
    file: "src/ipvlan/configure.ts",
    text: "const DAD_PAUSE_MS = 20;",
    mutation: "20 → (20 + 1)",
    why: "a pause that is longer by a millisecond",
  },
  {
    file: "src/ipvlan/probe.ts",
    text: "const ROUND_MS = 100;",
    mutation: "100 → (100 + 1)",
    why: "a pause that is longer by a millisecond",
  },
  {
    file: "src/cni/execute.ts",
    text: "const BUSY_PAUSE_MS = 1000;",
    mutation: "1000 → (1000 + 1)",
    why: "a pause that is longer by a millisecond",
  },
  {
    file: "src/cni/execute.ts",
    text: "const DRAIN_MS = 2000;",
    mutation: "2000 → (2000 + 1)",
    why: "a pause that is longer by a millisecond",
  },
  {
    file: "src/ipam/host-local/lease-index.ts",
    text: "if (start > at) at = start;",
    mutation: "> → >=",
    why: "what is the same already is made the same",
  },
  {
    file: "src/cni/config.ts",
    text: 'return typeof value === "number" && Number.isInteger(value) && value >= 68 && value <= 65_535',
    mutation: "68 → (68 + 1)",
    why: "only costs time: what is not recognised is left to the schema, which takes it",
  },
  {
    file: "src/cni/config.ts",
    text: 'return typeof value === "number" && Number.isInteger(value) && value >= 68 && value <= 65_535',
    mutation: ">= → >",
    why: "only costs time: what is not recognised is left to the schema, which takes it",
  },
  {
    file: "src/cni/config.ts",
    text: 'return typeof value === "number" && Number.isInteger(value) && value >= 68 && value <= 65_535',
    mutation: "<= → <",
    why: "only costs time: what is not recognised is left to the schema, which takes it",
  },
  {
    file: "src/cni/config.ts",
    text: 'const isShort = typeof value === "string" && value.length <= 15;',
    mutation: "<= → <",
    why: "only costs time: what is not recognised is left to the schema, which takes it",
  },
  {
    file: "src/ipam/host-local/range.ts",
    text: "holes.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));",
    mutation: "1 → (1 + 1)",
    why: "a comparison answers with a sign",
  },
  {
    file: "src/ipam/host-local/range.ts",
    text: "holes.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));",
    mutation: "1 → (1 + 1), number 2",
    why: "a comparison answers with a sign",
  },
  {
    file: "src/netavark/parent.ts",
    text: "linkInContainer: false,",
    mutation: "false → true",
    why: "chooses a word of a refusal that the lines above have made already",
  },
  {
    file: "src/ipam/host-local/lease-index.ts",
    text: "const seconds = (now - (now % 1000)) / 1000 - 2;",
    mutation: "2 → (2 + 1)",
    why: "a little in the past is as good as a little more",
  },
  {
    file: "src/ipam/host-local/store.ts",
    text: "return;",
    mutation: "return; → nothing",
    why: "only costs time: an index of few leases, which has no file, finds the same",
  },
  {
    file: "src/ipam/host-local/range.ts",
    text: "holes.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));",
    mutation: "a.first > b.first → !(a.first > b.first)",
    why: "a sort asks whether one comes before the other, and that is told by the sign below zero alone",
  },
  {
    file: "src/ipam/host-local/table.ts",
    text: "const record = larger.insert(words[at]!, { low: words[at + 1]!, high: words[at + 2]! });",
    mutation: "2 → (2 + 1)",
    why: "the page follows from the low half; all of the record is copied over in the next line",
  },
  {
    file: "src/cni/delegate.ts",
    text: "const status = new Uint8Array(256);",
    mutation: "256 → (256 + 1)",
    why: "only has to be large enough",
  },
  {
    file: "src/ipam/host-local/lease-index.ts",
    text: "const HEADER_BYTES = 512;",
    mutation: "512 → (512 + 1)",
    why: "only has to be large enough",
  },
  {
    file: "src/ipam/host-local/range.ts",
    text: "holes.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));",
    mutation: "> → >=",
    why: "holes that begin with the same address leave the same spans in either order",
  },
  {
    file: "src/ipvlan/lock.ts",
    text: "const lock = lockFile(path, 0o600, 0);",
    mutation: "0 → (0 + 1)",
    why: "a pause that is longer by a millisecond",
  },
  {
    file: "src/ipvlan/lock.ts",
    text: 'if (type !== "file" || statusOf(path)?.sizeBytes !== 0) continue;',
    mutation: "|| → &&",
    why: "what is not empty is looked at once more under its lock, and stays",
  },
  {
    file: "src/cni/options.ts",
    text: "return Object.keys(options).length > 0 ? options : undefined;",
    mutation: "> → >=",
    why: "options of which none is set are as good as none",
  },
  {
    file: "src/ipvlan/port.ts",
    text: "return { mode: modeOf(link) ?? 0, flags: link.ipvlanFlags ?? 0 };",
    mutation: "0 → (0 + 1)",
    why: "the kernel tells an ipvlan link's mode",
  },
  {
    file: "src/ipvlan/link.ts",
    text: ": { bridge: 0, private: 0, vepa: 0 };",
    mutation: "0 → (0 + 1), number 2",
    why: "of a build for kernels without ipvlan, which stands in for it with macvlan in some tests",
  },
  {
    file: "src/cni/delegate.ts",
    text: "const STATX_TYPE = 1;",
    mutation: "1 → (1 + 1)",
    why: "the kernel tells type and mode whichever of the two is asked for",
  },
  {
    file: "src/ipam/host-local/table.ts",
    text: "words[0] = 1;",
    mutation: "1 → (1 + 1)",
    why: "whatever is not 0 says that the page was too full",
  },
];
