/** The netlink codec, warm, beside C by hand and the library of the reference plugins. */

import "../support/preload.ts";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { do_not_optimize, measure } from "mitata";
import { buildCodec } from "../../build.ts";
import * as codec from "../../src/linux/codec.ts";
import { recv, send } from "../../src/linux/libc.ts";
import { inNamespace, openNamespace, openOwnNamespace } from "../../src/linux/netns.ts";
import { openSocket } from "../../src/linux/socket.ts";
import * as at from "../../wasm/layout.ts";
import * as k from "../../wasm/uapi.ts";
import { Lab } from "./lab.ts";
import { type Findings, noFindings, type Spread, spreadOf, type Target } from "./statistics.ts";
import { compile } from "./timer.ts";

const LINKS = 1000;
const ROUTES = 10_000;
const MSG_TRUNC = 0x20;

const WASM = "wasm";
const FACE = "wasm through its typed face";
const EACH = "wasm, a call for each message";
const C = "C -O2";
const GO = "Go vishvananda/netlink";

type Work = "encode" | "links" | "routes";

export async function measureCodec(): Promise<Findings> {
  const findings = noFindings();
  await using lab = await Lab.open(0);
  const dumps = { links: join(lab.directory, "links"), routes: join(lab.directory, "routes") };
  await record(lab, dumps);
  const peers = new Map([[C, compile("codec-peer.c", lab.directory)]]);
  const go = buildGo(lab.directory);
  if (go === undefined) findings.notes.push("No Go peer: Debian's golang packages are not to be had here.");
  else peers.set(GO, go);

  const results = new Map<string, Spread>();
  const note = (work: Work, contender: string, ns: Spread) => {
    results.set(`${work} ${contender}`, ns);
    const name =
      work === "encode"
        ? "encode NEWLINK + NEWADDR + NEWROUTE"
        : `parse a dump of ${work === "links" ? LINKS : ROUTES} ${work}`;
    const scale = work === "encode" ? 1 : 1000;
    const spread = Object.fromEntries(
      Object.entries(ns).map(([key, value]) => [key, key === "runs" ? value : value / scale]),
    ) as unknown as Spread;
    findings.figures.push({
      part: "codec",
      name,
      contender,
      unit: work === "encode" ? "ns" : "µs",
      ...spread,
    });
  };
  note("encode", WASM, await warm(encodeInWasm()));
  note("encode", FACE, await warm(encodeThroughFace));
  for (const work of ["links", "routes"] as const) {
    note(work, WASM, await warm(await parser(dumps[work], work === "links" ? seekNoLink : seekNoRoute)));
    note(work, EACH, await warm(await parser(dumps[work], nextOfAll)));
  }
  for (const [name, path] of peers) {
    note("encode", name, runPeer(path, ["encode"]));
    for (const work of ["links", "routes"] as const) note(work, name, runPeer(path, [work, dumps[work]]));
  }
  const ratio = (name: string, target: number, above: string, below: string): Target[] => {
    const [a, b] = [results.get(above), results.get(below)];
    if (a === undefined || b === undefined) return [];
    const median = a.median / b.median;
    return [
      {
        name,
        target,
        unit: "×",
        runs: a.runs,
        median,
        p10: a.p10 / b.median,
        p90: a.p90 / b.median,
        min: a.min / b.min,
      },
    ];
  };
  findings.targets.push(
    { name: "codec: encode a batch", target: 60, unit: "ns", ...results.get(`encode ${WASM}`)! },
    ...ratio(`codec: encode a batch, against ${GO}`, 1 / 20, `encode ${WASM}`, `encode ${GO}`),
    ...(["links", "routes"] as const).flatMap((work) => [
      ...ratio(`codec: parse ${work}, against ${C}`, 1.2, `${work} ${WASM}`, `${work} ${C}`),
      ...ratio(`codec: parse ${work}, against ${GO}`, 1 / 20, `${work} ${WASM}`, `${work} ${GO}`),
    ]),
  );
  return findings;
}

/** Makes the links and routes in the lab, and files of what the kernel answers to a dump of each. */
async function record(lab: Lab, dumps: { links: string; routes: string }): Promise<void> {
  const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);
  await lab.host.ip(
    [
      // With loopback, the master and its other end: in pairs, and every kernel has this kind.
      ...numbers((LINKS - 2) / 2 - 1).map((index) => `link add near${index} type veth peer name far${index}`),
      ...numbers(ROUTES).map(
        (index) => `route add 10.${100 + (index >> 8)}.${index & 255}.0/24 via 10.88.0.9`,
      ),
    ].join("\n"),
  );
  const home = openOwnNamespace();
  const socket = inNamespace(openNamespace(lab.host.path), home, openSocket);
  const dump = (pack: () => void, file: string) => {
    codec.requestBegin(socket.sequence);
    pack();
    const { lengthBytes, count } = codec.requestFinish();
    socket.sequence += count;
    send(socket.fd, codec.requestMemory(), lengthBytes, 0);
    const datagrams: Uint8Array[] = [];
    for (let isLast = false; !isLast; ) {
      const got = recv(socket.fd, codec.responseMemory(), codec.responseMemory().length, MSG_TRUNC);
      if (got <= 0) throw new Error(`recv gives ${got}`);
      datagrams.push(new Uint8Array(new Uint32Array([got]).buffer), codec.responseMemory().slice(0, got));
      codec.responseBegin(got);
      for (let type = codec.responseNext(); type !== 0; type = codec.responseNext())
        isLast = type === k.NLMSG_DONE;
    }
    writeFileSync(file, Buffer.concat(datagrams));
  };
  dump(() => codec.requestLinkDump(), dumps.links);
  dump(() => codec.requestRouteDump({ family: 4 }), dumps.routes);
}

/** The module itself, apart from the typed face. */
const { memory, ...wasm } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(buildCodec())))
  .exports as unknown as { memory: WebAssembly.Memory } & Record<string, (...numbers: number[]) => number>;

type Export = (...numbers: number[]) => number;

/** Walks every message of the dump, as the peers do; `walk` those of one datagram. */
async function parser(file: string, walk: () => void): Promise<() => void> {
  const bytes = new Uint8Array(await Bun.file(file).arrayBuffer());
  const view = new DataView(bytes.buffer);
  const datagrams: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = start + 4 + view.getUint32(start, true);
    datagrams.push(bytes.subarray(start + 4, end));
    start = end;
  }
  const { responseBegin } = wasm as { responseBegin: Export };
  const response = new Uint8Array(memory.buffer, at.RESPONSE, at.RESPONSE_BYTES);
  return () => {
    for (const datagram of datagrams) {
      response.set(datagram);
      responseBegin(datagram.length);
      walk();
    }
  };
}

const NOWHERE = 0x7fffffff;
const { responseNext, seekLinkByIndex, seekRoute } = wasm as Record<
  "responseNext" | "seekLinkByIndex" | "seekRoute",
  Export
>;

/** What the plugin does with a dump: looks for one link or route, here one that is not there, in one call. */
const seekNoLink = () => {
  while (seekLinkByIndex(NOWHERE) !== 0);
};
const seekNoRoute = () => {
  while (seekRoute(NOWHERE, 0) !== 0);
};
const nextOfAll = () => {
  while (responseNext() !== 0);
};

/** The exports alone: a name and addresses lie already where the typed face would put them. */
function encodeInWasm(): () => void {
  new TextEncoder().encodeInto("eth0", new Uint8Array(memory.buffer, at.TEXT, at.TEXT_BYTES_MAX));
  const words = new BigUint64Array(memory.buffer);
  words[at.ADDRESS_IN / 8 + 1] = ADDRESS.value;
  words[at.GATEWAY_IN / 8 + 1] = GATEWAY.value;
  const { requestBegin, linkAdd, addressAdd, routeChange, requestFinish } = wasm as Record<
    "requestBegin" | "linkAdd" | "addressAdd" | "routeChange" | "requestFinish",
    (...numbers: number[]) => number
  >;
  return () => {
    requestBegin(1);
    linkAdd(at.KIND_IPVLAN, 4, 2, k.IPVLAN_MODE_L2, 0, 7, -1, -1, 0, -1, -1);
    addressAdd(7, k.AF_INET, ADDRESS.length, 1, 0, k.RT_SCOPE_UNIVERSE, 0, 0, 0, 0);
    // biome-ignore format: one line a group
    routeChange(
      k.RTM_NEWROUTE, k.NLM_F_CREATE | k.NLM_F_ACK, k.AF_INET, 0, k.AF_INET, 0, 7, 0,
      k.RT_TABLE_MAIN, k.RTPROT_BOOT, k.RT_SCOPE_UNIVERSE, k.RTN_UNICAST, 0, 0, 0,
    );
    do_not_optimize(requestFinish());
  };
}

function encodeThroughFace(): void {
  codec.requestBegin(1);
  codec.requestLinkAdd({ kind: "ipvlan", name: "eth0", masterIndex: 2, netnsFd: 7, mode: 0, flags: 0 });
  codec.requestAddressAdd({ index: 7, address: ADDRESS, broadcast: true });
  codec.requestRouteAdd({ dst: DEFAULT, gateway: GATEWAY, oif: 7 });
  do_not_optimize(codec.requestFinish());
}

const ADDRESS = { family: 4, value: 0x0a580002n, length: 16 } as const;
const GATEWAY = { family: 4, value: 0x0a580001n } as const;
const DEFAULT = { family: 4, value: 0n, length: 0 } as const;

async function warm(work: () => void): Promise<Spread> {
  const { samples } = await measure(work, { min_cpu_time: 1e9, min_samples: 100 });
  return spreadOf(samples);
}

function runPeer(path: string, words: string[]): Spread {
  const { exitCode, stdout, stderr } = Bun.spawnSync([path, ...words]);
  if (exitCode !== 0) throw new Error(`${path} ${words.join(" ")}:\n${stderr}`);
  return spreadOf(stdout.toString().trim().split("\n").map(Number));
}

/** The Go peer, built from Debian's packages; undefined where there are none. */
function buildGo(directory: string): string | undefined {
  const setup = Bun.spawnSync([join(import.meta.dir, "setup-go")], { stderr: "ignore" });
  if (setup.exitCode !== 0) return undefined;
  const root = setup.stdout.toString().trim();
  const source = join(directory, "codec-peer-go");
  mkdirSync(source);
  cpSync(join(import.meta.dir, "codec-peer.go"), join(source, "main.go"));
  // Allows a declaration without a body, which go:linkname needs.
  writeFileSync(join(source, "empty.s"), "");
  const output = join(source, "peer");
  const { exitCode, stderr } = Bun.spawnSync([join(root, "go/bin/go"), "build", "-o", output, "."], {
    cwd: source,
    env: {
      PATH: process.env.PATH,
      GO111MODULE: "off",
      CGO_ENABLED: "0",
      GOROOT: join(root, "go"),
      GOPATH: join(root, "usr/share/gocode"),
      GOCACHE: join(root, "build-cache"),
    },
  });
  if (exitCode !== 0) throw new Error(`go build:\n${stderr}`);
  return output;
}
