/** A link with a simulated clock: what a client sends is handed to a server of the test, whose answers come when it says. */

import type { Wire } from "../../src/ipam/dhcp/client.ts";
import { encodeMessage, type Message, parseMessage } from "../../src/ipam/dhcp/message.ts";
import { OPTION, uint32 } from "../../src/ipam/dhcp/option.ts";

export interface Sent {
  at: number;
  source: number;
  to: number | undefined;
  type: number;
  message: Message;
}

/** An answer, so many seconds later. */
export interface Answer {
  after: number;
  bytes: Uint8Array;
}

export class FakeWire implements Wire {
  readonly mac = Uint8Array.of(2, 0, 0, 0, 0, 1);
  readonly sent: Sent[] = [];
  /** Addresses that somebody uses. */
  readonly taken = new Set<number>();
  #time = 1000;
  #seed = 1;
  #inbox: { at: number; bytes: Uint8Array }[] = [];
  readonly #server: (sent: Sent) => Answer[];

  constructor(server: (sent: Sent) => Answer[] = () => []) {
    this.#server = server;
  }

  now(): number {
    return this.#time;
  }

  async sleep(seconds: number): Promise<void> {
    this.#time += seconds;
  }

  /** Park and Miller's, so that every run is the same. */
  random(): number {
    this.#seed = (this.#seed * 16_807) % 2_147_483_647;
    return this.#seed / 2_147_483_647;
  }

  send(bytes: Uint8Array, source: number, to?: { address: number }): void {
    const message = parseMessage(bytes);
    const type = message.options.get(OPTION.messageType)?.[0] ?? 0;
    const sent = { at: this.#time, source, to: to?.address, type, message };
    this.sent.push(sent);
    for (const { after, bytes: answer } of this.#server(sent))
      this.#inbox.push({ at: this.#time + after, bytes: answer });
    this.#inbox.sort((a, b) => a.at - b.at);
  }

  async receive(deadline: number): Promise<{ bytes: Uint8Array; mac: Uint8Array } | undefined> {
    const next = this.#inbox[0];
    if (next === undefined || next.at > deadline) {
      this.#time = Math.max(this.#time, deadline);
      return undefined;
    }
    this.#inbox.shift();
    this.#time = Math.max(this.#time, next.at);
    return { bytes: next.bytes, mac: Uint8Array.of(2, 0, 0, 0, 0, 9) };
  }

  async isTaken(address: number): Promise<boolean> {
    return this.taken.has(address);
  }

  typesSent(): number[] {
    return this.sent.map(({ type }) => type);
  }
}

export interface ReplyOptions {
  address?: number;
  server?: number;
  seconds?: number;
  after?: number;
  /** Changes to the message, and to its options: undefined removes one. */
  change?: Partial<Message>;
  options?: [code: number, value: Uint8Array | undefined][];
}

/** A server's answer to what was sent. */
export function reply({ message }: Sent, type: number, options: ReplyOptions = {}): Answer {
  const { address = 0xc000_0232, server = 0xc000_0202, seconds = 600, after = 0.01 } = options;
  const all = new Map<number, Uint8Array>([
    [OPTION.messageType, Uint8Array.of(type)],
    [OPTION.serverIdentifier, uint32(server)],
    [OPTION.leaseTime, uint32(seconds)],
    [OPTION.subnetMask, uint32(0xffff_ff00)],
  ]);
  for (const [code, value] of options.options ?? []) {
    if (value === undefined) all.delete(code);
    else all.set(code, value);
  }
  const bytes = encodeMessage({
    ...message,
    op: 2,
    clientAddress: 0,
    yourAddress: address,
    options: all,
    ...options.change,
  });
  return { after, bytes };
}
