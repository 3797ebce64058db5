import { Failure, messageOf } from "../../error.ts";
import { type Grant, grantOf } from "./grant.ts";
import { MalformedMessage } from "./malformed.ts";
import {
  ACK,
  DECLINE,
  DISCOVER,
  encodeMessage,
  type Message,
  NAK,
  OFFER,
  type Options,
  parseMessage,
  RELEASE,
  REQUEST,
} from "./message.ts";
import { OPTION, uint16, uint32 } from "./option.ts";

/** The link a client talks over, and its clock: the real one is in wire.ts, tests have their own. */
export interface Wire {
  mac: Uint8Array;
  /** Boot seconds. */
  now(): number;
  sleep(seconds: number): Promise<void>;
  /** From 0 to 1. */
  random(): number;
  /** Sends from that address (0: none yet) to a server, or to everybody. */
  send(message: Uint8Array, source: number, to?: { address: number; mac: Uint8Array }): void;
  /** The next datagram for a client; undefined when none came until `deadline`. */
  receive(deadline: number): Promise<{ bytes: Uint8Array; mac: Uint8Array } | undefined>;
  /** Whether somebody on the link uses the address. */
  isTaken(address: number): Promise<boolean>;
}

/** Who asks, and for what. */
export interface Client {
  clientId: Uint8Array;
  /** Options that are asked for. */
  requests: number[];
  /** Options that are sent along. */
  provides: [code: number, value: Uint8Array][];
}

/** RFC 2131, section 4.1: 4 seconds, then twice as long each time up to 64, give or take one. */
const PAUSE_FIRST_SECONDS = 4;
const PAUSE_MAX_SECONDS = 64;
/** A server that has offered and then stays silent is given up after so many requests. */
const REQUEST_TRIES = 4;
/** Before starting over after a NAK or a conflict, and how many conflicts there may be. */
const RESTART_PAUSE_SECONDS = 1;
const CONFLICT_LIMIT = 3;
/** Ethernet's MTU less the headers of IP and UDP: no client of ours has a smaller link. */
const MESSAGE_SIZE_MAX = 1472;

/**
 * Gets a lease: DISCOVER, OFFER, REQUEST, ACK; again from the start when the server says no or somebody uses the
 * address. `wanted` is an address to ask for. Throws a Failure when there is none at `deadline` (boot seconds).
 */
export async function acquire(wire: Wire, client: Client, deadline: number, wanted?: number): Promise<Grant> {
  const begun = wire.now();
  const troubles = new Set<string>();
  for (let conflicts = 0; conflicts < CONFLICT_LIMIT; ) {
    const conversation = new Conversation(wire, client, begun, troubles);
    const offer = await conversation.discover(deadline, wanted);
    if (offer === undefined) break;
    const granted = await conversation.request(offer, deadline);
    if (granted === undefined) {
      await wire.sleep(RESTART_PAUSE_SECONDS);
      continue;
    }
    if (!(await wire.isTaken(granted.address))) return granted;
    conversation.decline(granted);
    troubles.add(`${dotted(granted.address)} is used by somebody else on the link and was declined`);
    conflicts++;
    await wire.sleep(RESTART_PAUSE_SECONDS);
  }
  const seconds = Math.round(wire.now() - begun);
  throw new Failure("ipam", `no DHCP server gave a lease within ${seconds} s`, {
    details: troubles.size === 0 ? "no server answered" : [...troubles].join("; "),
    remedy:
      "see that a server with a free address is reached by broadcast on the master's link, and tells clients apart by their client identifier",
  });
}

/** Of a lease, what its renewal and its release need. */
export type Held = Pick<Grant, "address" | "server" | "serverMac">;

/**
 * Asks to prolong a lease: the server that gave it, or every server. Returns what was granted, "refused" for a NAK,
 * undefined when nobody answered until `deadline`. Throws KernelError when the link does not carry it.
 */
export async function prolong(
  wire: Wire,
  client: Client,
  held: Held,
  whom: "server" | "everybody",
  deadline: number,
): Promise<Grant | "refused" | undefined> {
  const conversation = new Conversation(wire, client, wire.now(), new Set());
  return conversation.prolong(held, whom, deadline);
}

/** Gives a lease back: one message, which nobody answers. Throws KernelError when the link does not carry it. */
export function release(wire: Wire, client: Client, held: Held): void {
  const message = encodeMessage({
    ...blank(wire, transactionId(wire)),
    clientAddress: held.address,
    // Nobody answers, so nothing has to come by broadcast.
    broadcast: false,
    options: new Map([
      [OPTION.messageType, Uint8Array.of(RELEASE)],
      [OPTION.serverIdentifier, uint32(held.server)],
      [OPTION.clientIdentifier, client.clientId],
    ]),
  });
  wire.send(message, held.address, { address: held.server, mac: held.serverMac });
}

/** One transaction: its number, and what is sent and awaited under it. */
class Conversation {
  readonly #wire: Wire;
  readonly #client: Client;
  readonly #begun: number;
  /** Why messages were of no use. */
  readonly #troubles: Set<string>;
  readonly #transactionId: number;

  constructor(wire: Wire, client: Client, begun: number, troubles: Set<string>) {
    this.#wire = wire;
    this.#client = client;
    this.#begun = begun;
    this.#troubles = troubles;
    this.#transactionId = transactionId(wire);
  }

  /** The first offer that can be used; undefined when none came. */
  async discover(deadline: number, wanted: number | undefined): Promise<Grant | undefined> {
    const options = this.#options(DISCOVER);
    if (wanted !== undefined) options.set(OPTION.requestedAddress, uint32(wanted));
    const found = await this.#ask(() => this.#send(options), deadline, Infinity, [OFFER]);
    return found?.grant;
  }

  /** Takes an offer; undefined when the server refuses, or says nothing more. */
  async request(offer: Grant, deadline: number): Promise<Grant | undefined> {
    const options = this.#options(REQUEST);
    options.set(OPTION.requestedAddress, uint32(offer.address));
    options.set(OPTION.serverIdentifier, uint32(offer.server));
    const isFrom = (message: Message) => isServer(message, offer.server);
    const found = await this.#ask(() => this.#send(options), deadline, REQUEST_TRIES, [ACK, NAK], isFrom);
    if (found === undefined)
      this.#troubles.add(`${dotted(offer.server)} offered ${dotted(offer.address)} and then said no more`);
    else if (found.type === NAK) this.#troubles.add(refusalText(offer, found.message));
    return found?.grant;
  }

  async prolong(
    held: Held,
    whom: "server" | "everybody",
    deadline: number,
  ): Promise<Grant | "refused" | undefined> {
    // RFC 2131, table 5: the address is in ciaddr, and neither option 50 nor 54 may be there.
    const options = this.#options(REQUEST);
    const to = whom === "server" ? { address: held.server, mac: held.serverMac } : undefined;
    const isOurs = (message: Message, type: number) => type === NAK || message.yourAddress === held.address;
    const send = () => this.#send(options, held.address, to);
    const found = await this.#ask(send, deadline, 1, [ACK, NAK], isOurs);
    return found?.type === NAK ? "refused" : found?.grant;
  }

  /** Tells the server that its address is in use. */
  decline({ address, server }: Grant): void {
    const message = encodeMessage({
      ...blank(this.#wire, transactionId(this.#wire)),
      broadcast: false,
      options: new Map([
        [OPTION.messageType, Uint8Array.of(DECLINE)],
        [OPTION.requestedAddress, uint32(address)],
        [OPTION.serverIdentifier, uint32(server)],
        [OPTION.clientIdentifier, this.#client.clientId],
      ]),
    });
    this.#wire.send(message, 0);
  }

  #options(type: number): Options {
    return new Map([
      [OPTION.messageType, Uint8Array.of(type)],
      [OPTION.clientIdentifier, this.#client.clientId],
      [OPTION.messageSizeMax, uint16(MESSAGE_SIZE_MAX)],
      [OPTION.parameterRequests, Uint8Array.from(this.#client.requests)],
      ...this.#client.provides,
    ]);
  }

  #send(options: Options, source = 0, to?: { address: number; mac: Uint8Array }): void {
    const message = {
      ...blank(this.#wire, this.#transactionId),
      seconds: Math.floor(this.#wire.now() - this.#begun),
      clientAddress: source,
      options,
    };
    this.#wire.send(encodeMessage(message), source, to);
  }

  /**
   * Sends, and sends again with growing pauses, until an answer of one of these types comes that `isOurs`. An ACK or
   * OFFER without what a lease needs is as good as none.
   */
  async #ask(
    send: () => void,
    deadline: number,
    tries: number,
    types: number[],
    isOurs: (message: Message, type: number) => boolean = () => true,
  ): Promise<{ type: number; message: Message; grant: Grant | undefined } | undefined> {
    const wire = this.#wire;
    let pause = PAUSE_FIRST_SECONDS;
    for (let attempt = 0; attempt < tries && wire.now() < deadline; attempt++) {
      const sentAt = wire.now();
      send();
      const until = Math.min(deadline, sentAt + pause - 1 + 2 * wire.random());
      for (;;) {
        const packet = await wire.receive(until);
        if (packet === undefined) break;
        const message = this.#read(packet.bytes);
        const type = message?.options.get(OPTION.messageType)?.[0] ?? 0;
        if (message === undefined || !types.includes(type) || !isOurs(message, type)) continue;
        if (type === NAK) return { type, message, grant: undefined };
        const grant = this.#judge(message, packet.mac, sentAt);
        if (grant !== undefined) return { type, message, grant };
      }
      pause = Math.min(PAUSE_MAX_SECONDS, pause * 2);
    }
    return undefined;
  }

  /** A server's message of this transaction and for this client. */
  #read(bytes: Uint8Array): Message | undefined {
    let message: Message;
    try {
      message = parseMessage(bytes);
    } catch (thrown) {
      if (!(thrown instanceof MalformedMessage)) throw thrown;
      return undefined;
    }
    // All endpoints of a master share its MAC address and hear each other's answers: the number tells them apart.
    if (message.op !== 2 || message.transactionId !== this.#transactionId) return undefined;
    if (!same(message.hardwareAddress, this.#wire.mac)) return undefined;
    const echoed = message.options.get(OPTION.clientIdentifier);
    return echoed === undefined || same(echoed, this.#client.clientId) ? message : undefined;
  }

  #judge(message: Message, mac: Uint8Array, sentAt: number): Grant | undefined {
    try {
      return grantOf(message, mac, sentAt, this.#wire.random());
    } catch (thrown) {
      if (!(thrown instanceof MalformedMessage)) throw thrown;
      this.#troubles.add(`an answer was of no use: ${messageOf(thrown)}`);
      return undefined;
    }
  }
}

function transactionId(wire: Wire): number {
  return Math.floor(wire.random() * 0x1_0000_0000);
}

function blank(wire: Wire, transactionId: number): Message {
  return {
    op: 1,
    transactionId,
    seconds: 0,
    // The driver hands a unicast packet only to the endpoint that already owns its address.
    broadcast: true,
    clientAddress: 0,
    yourAddress: 0,
    hardwareAddress: wire.mac,
    options: new Map(),
  };
}

function isServer(message: Message, server: number): boolean {
  const given = message.options.get(OPTION.serverIdentifier);
  return given !== undefined && same(given, uint32(server));
}

function refusalText({ address, server }: Grant, message: Message): string {
  const reason = message.options.get(OPTION.message);
  const said = reason === undefined ? "" : `: ${JSON.stringify(Buffer.from(reason).toString())}`;
  return `${dotted(server)} offered ${dotted(address)} and then refused it${said}`;
}

/** 192.0.2.1 */
export function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
