import { Failure, messageOf } from "../../../error.ts";
import { moments } from "../grant.ts";
import { MalformedMessage } from "../malformed.ts";
import { uint16 } from "../option.ts";
import {
  ADVERTISE,
  assignedTo,
  encodeIdentity,
  encodeMessage6,
  type Message6,
  OPTION6,
  type Option6,
  optionOf,
  parseMessage6,
  REBIND,
  RELEASE,
  RENEW,
  REPLY,
  REQUEST,
  refusalIn,
  SOLICIT,
} from "./message.ts";

/** The link a client talks over, and its clock. Everything goes to all servers: so the standard has it. */
export interface Wire6 {
  /** Boot seconds. */
  now(): number;
  sleep(seconds: number): Promise<void>;
  /** From 0 to 1. */
  random(): number;
  send(message: Uint8Array): void;
  /** The next datagram; undefined when none came until `deadline`. */
  receive(deadline: number): Promise<Uint8Array | undefined>;
}

/** Who asks. */
export interface Client6 {
  /** The DUID, another one for each endpoint: they share the MAC address that others would make one of. */
  duid: Uint8Array;
  iaid: number;
}

/** What a server gives; moments in boot seconds. */
export interface Grant6 {
  address: bigint;
  /** The server's DUID. */
  server: Uint8Array;
  startedAt: number;
  renewAt: number;
  rebindAt: number;
  expiresAt: number;
  options: Option6[];
}

/** RFC 8415, section 7.6: the first pause, the longest one, and how many requests there may be. */
const PAUSE_FIRST_SECONDS = 1;
const PAUSE_MAX_SECONDS = 30;
const REQUEST_TRIES = 10;
const RESTART_PAUSE_SECONDS = 1;

/** Gets a lease: SOLICIT, ADVERTISE, REQUEST, REPLY. Throws a Failure when there is none at `deadline`. */
export async function acquire6(
  wire: Wire6,
  client: Client6,
  deadline: number,
  wanted?: bigint,
): Promise<Grant6> {
  const begun = wire.now();
  const troubles = new Set<string>();
  while (wire.now() < deadline) {
    const conversation = new Conversation6(wire, client, begun, troubles);
    const offer = await conversation.ask(SOLICIT, [ADVERTISE], [], wanted, Infinity, deadline);
    if (offer === undefined || offer === "refused") break;
    const server: Option6[] = [[OPTION6.serverId, offer.server]];
    const request = new Conversation6(wire, client, begun, troubles);
    const granted = await request.ask(REQUEST, [REPLY], server, offer.address, REQUEST_TRIES, deadline);
    if (granted !== undefined && granted !== "refused") return granted;
    await wire.sleep(RESTART_PAUSE_SECONDS);
  }
  throw new Failure("ipam", `no DHCPv6 server gave a lease within ${Math.round(wire.now() - begun)} s`, {
    details: troubles.size === 0 ? "no server answered" : [...troubles].join("; "),
    remedy: "see that a DHCPv6 server with a free address is reached by multicast on the master's link",
  });
}

/** Asks to prolong a lease; "refused" when the server does not know it any more, undefined without an answer. */
export async function prolong6(
  wire: Wire6,
  client: Client6,
  held: { address: bigint; server: Uint8Array },
  whom: "server" | "everybody",
  deadline: number,
): Promise<Grant6 | "refused" | undefined> {
  const conversation = new Conversation6(wire, client, wire.now(), new Set());
  const server: Option6[] = whom === "server" ? [[OPTION6.serverId, held.server]] : [];
  const type = whom === "server" ? RENEW : REBIND;
  const answer = await conversation.ask(type, [REPLY], server, held.address, 1, deadline);
  return answer !== undefined && answer !== "refused" && answer.address !== held.address ? "refused" : answer;
}

/** Gives a lease back; nobody waits for the answer. */
export function release6(wire: Wire6, client: Client6, held: { address: bigint; server: Uint8Array }): void {
  const conversation = new Conversation6(wire, client, wire.now(), new Set());
  conversation.send(RELEASE, [[OPTION6.serverId, held.server]], held.address);
}

/** One transaction. */
class Conversation6 {
  readonly #wire: Wire6;
  readonly #client: Client6;
  readonly #begun: number;
  readonly #troubles: Set<string>;
  readonly #transactionId: number;

  constructor(wire: Wire6, client: Client6, begun: number, troubles: Set<string>) {
    this.#wire = wire;
    this.#client = client;
    this.#begun = begun;
    this.#troubles = troubles;
    this.#transactionId = Math.floor(wire.random() * 0x100_0000);
  }

  send(type: number, more: Option6[], address?: bigint): void {
    const { duid, iaid } = this.#client;
    const elapsed = Math.min(0xffff, Math.floor((this.#wire.now() - this.#begun) * 100));
    this.#wire.send(
      encodeMessage6({
        type,
        transactionId: this.#transactionId,
        options: [
          [OPTION6.clientId, duid],
          ...more,
          [OPTION6.elapsed, uint16(elapsed)],
          [OPTION6.addresses, encodeIdentity(iaid, address)],
          [OPTION6.requests, Uint8Array.of(0, OPTION6.nameServers, 0, OPTION6.domainSearch)],
        ],
      }),
    );
  }

  /** Sends, and sends again with growing pauses, until an answer of one of these types comes. */
  async ask(
    type: number,
    answers: number[],
    more: Option6[],
    address: bigint | undefined,
    tries: number,
    deadline: number,
  ): Promise<Grant6 | "refused" | undefined> {
    const wire = this.#wire;
    let pause = PAUSE_FIRST_SECONDS;
    for (let attempt = 0; attempt < tries && wire.now() < deadline; attempt++) {
      const sentAt = wire.now();
      this.send(type, more, address);
      const until = Math.min(deadline, sentAt + pause * (0.9 + 0.2 * wire.random()));
      for (;;) {
        const bytes = await wire.receive(until);
        if (bytes === undefined) break;
        const answer = this.#judge(bytes, answers, sentAt);
        // An ADVERTISE without an address may be followed by another server's with one.
        if (answer !== undefined && !(answer === "refused" && type === SOLICIT)) return answer;
      }
      pause = Math.min(PAUSE_MAX_SECONDS, pause * 2);
    }
    return undefined;
  }

  #judge(bytes: Uint8Array, types: number[], sentAt: number): Grant6 | "refused" | undefined {
    try {
      const message = parseMessage6(bytes);
      return types.includes(message.type) && this.#isOurs(message)
        ? this.#grantOf(message, sentAt)
        : undefined;
    } catch (thrown) {
      if (!(thrown instanceof MalformedMessage)) throw thrown;
      this.#troubles.add(`an answer was of no use: ${messageOf(thrown)}`);
      return undefined;
    }
  }

  #isOurs({ transactionId, options }: Message6): boolean {
    const echoed = optionOf(options, OPTION6.clientId);
    return (
      transactionId === this.#transactionId &&
      echoed !== undefined &&
      Buffer.compare(echoed, this.#client.duid) === 0
    );
  }

  #grantOf({ options }: Message6, startedAt: number): Grant6 | "refused" {
    const server = optionOf(options, OPTION6.serverId);
    if (server === undefined) throw new MalformedMessage("no server identifier (option 2)");
    const refusal = refusalIn(options);
    const given = refusal === undefined ? assignedTo(this.#client.iaid, options) : undefined;
    if (given === undefined || given.validSeconds === 0) {
      this.#troubles.add(`a server gives no address: ${refusal ?? "it does not say why"}`);
      return "refused";
    }
    const { address, validSeconds, t1, t2 } = given;
    const times = moments(startedAt, validSeconds, t1 || undefined, t2 || undefined, this.#wire.random());
    return { address, server, startedAt, ...times, options };
  }
}
