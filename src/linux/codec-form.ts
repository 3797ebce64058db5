/**
 * The two forms of the codec in wasm/: as WebAssembly, and as the script that the build makes of the same module. A
 * process that exchanges a handful of messages is done with the script before WebAssembly has started: it takes 0.6 ms, two
 * threads and 3 MiB. Long dumps repay that.
 */
import { instantiate } from "codec:script";
import * as at from "../../wasm/layout.ts";

/** What wasm/index.ts exports beside its memory; every argument and result is a 32-bit number. */
export interface Calls {
  requestBegin(firstSequence: number): void;
  requestFinish(): number;
  requestCount(): number;
  requestFail(errno: number): void;
  linkAdd(
    kind: number,
    nameLength: number,
    parent: number,
    mode: number,
    modeFlags: number,
    netnsFd: number,
    linkNetnsid: number,
    mtu: number,
    index: number,
    txQueueLength: number,
    up: number,
  ): void;
  linkSet(
    index: number,
    nameLength: number,
    up: number,
    mtu: number,
    netnsFd: number,
    txQueueLength: number,
  ): void;
  linkDelete(index: number): void;
  linkGet(index: number, nameLength: number): void;
  linkDump(kindLength: number, master: number): void;
  addressAdd(
    index: number,
    family: number,
    length: number,
    broadcast: number,
    flags: number,
    scope: number,
    replace: number,
    lifetimes: number,
    valid: number,
    preferred: number,
  ): void;
  addressDelete(index: number, family: number, length: number): void;
  addressDump(family: number, index: number): void;
  routeChange(
    messageType: number,
    messageFlags: number,
    family: number,
    length: number,
    gatewayFamily: number,
    source: number,
    oif: number,
    priority: number,
    table: number,
    protocol: number,
    scope: number,
    type: number,
    flags: number,
    mtu: number,
    advmss: number,
  ): void;
  routeDump(family: number, table: number, oif: number): void;
  responseBegin(lengthBytes: number): number;
  responseNext(): number;
  seekLinkByKind(kindLength: number, parent: number): number;
  seekLinkByName(nameLength: number): number;
  seekLinkByIndex(index: number): number;
  seekAddress(index: number): number;
  seekRoute(oif: number, table: number): number;
}

/** A running codec with the views on its memory. */
interface Codec {
  calls: Calls;
  bytes: Uint8Array;
  text: Uint8Array;
  /** The same memory by halves of words and by words; netlink aligns what it holds, and hosts are little-endian. */
  halves: Uint16Array;
  words: Int32Array;
  request: Uint8Array;
  response: Uint8Array;
}

/** What `codec` returns, for whoever reads answers number by number; undefined until somebody has called `codec`. */
export let running: Codec;
let isWasm = false;

/** The codec in the form that is in use: the script, until `quicken`. */
export function codec(): Codec {
  running ??= viewed(instantiate() as Form);
  return running;
}

/** From the next datagram or batch on, the codec is WebAssembly. What the memory holds stays behind. */
export function quicken(): void {
  if (isWasm) return;
  const module = new WebAssembly.Module(Uint8Array.fromBase64(CODEC_WASM));
  running = viewed(new WebAssembly.Instance(module).exports as unknown as Form);
  isWasm = true;
}

type Form = Calls & { memory: { readonly buffer: ArrayBufferLike } };

function viewed(calls: Form): Codec {
  const { buffer } = calls.memory;
  return {
    calls,
    bytes: new Uint8Array(buffer),
    text: new Uint8Array(buffer, at.TEXT, at.TEXT_BYTES_MAX),
    halves: new Uint16Array(buffer),
    words: new Int32Array(buffer),
    request: new Uint8Array(buffer, at.REQUEST, at.REQUEST_BYTES),
    response: new Uint8Array(buffer, at.RESPONSE, at.RESPONSE_BYTES),
  };
}
