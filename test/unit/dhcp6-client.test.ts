/** The exchanges of the DHCPv6 client, against servers of all sorts, with a simulated clock. */

import { expect, test } from "bun:test";
import { Failure } from "../../src/error.ts";
import { acquire6, prolong6, release6, type Wire6 } from "../../src/ipam/dhcp/v6/client.ts";
import {
  ADVERTISE,
  assignedTo,
  encodeIdentity,
  encodeMessage6,
  encodeOptions6,
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
  SOLICIT,
} from "../../src/ipam/dhcp/v6/message.ts";
import { client6Of, givenBy6 } from "../../src/ipam/dhcp/v6/result.ts";
import { formatPrefix } from "../../src/net/ip.ts";

const client = { duid: Uint8Array.of(0, 4, 7, 7), iaid: 0x01020304 };
const ADDRESS = 0x2001_0db8_0000_0000_0000_0000_0000_1000n;
const SERVER = Uint8Array.of(0, 3, 9);
const held = { address: ADDRESS, server: SERVER };

type Server = (message: Message6) => Uint8Array[];

class FakeWire6 implements Wire6 {
  readonly sent: { at: number; message: Message6 }[] = [];
  readonly #server: Server;
  #time = 100;
  #seed = 1;
  #inbox: Uint8Array[] = [];

  constructor(server: Server = () => []) {
    this.#server = server;
  }

  now = () => this.#time;

  async sleep(seconds: number): Promise<void> {
    this.#time += seconds;
  }

  random(): number {
    this.#seed = (this.#seed * 16_807) % 2_147_483_647;
    return this.#seed / 2_147_483_647;
  }

  send(bytes: Uint8Array): void {
    const message = parseMessage6(bytes);
    this.sent.push({ at: this.#time, message });
    this.#inbox.push(...this.#server(message));
  }

  async receive(deadline: number): Promise<Uint8Array | undefined> {
    const next = this.#inbox.shift();
    this.#time = next === undefined ? Math.max(this.#time, deadline) : this.#time + 0.01;
    return next;
  }

  types = () => this.sent.map(({ message }) => message.type);
}

interface Change {
  options?: Option6[];
  address?: bigint;
  valid?: number;
  transactionId?: number;
  duid?: Uint8Array;
  iaid?: number;
}

function answer(to: Message6, type: number, change: Change = {}): Uint8Array {
  const identity = encodeIdentity(change.iaid ?? client.iaid, change.address ?? ADDRESS);
  new DataView(identity.buffer, identity.byteOffset).setUint32(12 + 4 + 20, change.valid ?? 1000);
  return encodeMessage6({
    type,
    transactionId: change.transactionId ?? to.transactionId,
    options: change.options ?? [
      [OPTION6.clientId, change.duid ?? client.duid],
      [OPTION6.serverId, SERVER],
      [OPTION6.addresses, identity],
    ],
  });
}

const proper: Server = (message) =>
  message.type === SOLICIT ? [answer(message, ADVERTISE)] : [answer(message, REPLY)];

/** An answer that says no, in the message or in the IA_NA. */
function refusal(to: Message6, type: number, code: number, inIdentity: boolean): Uint8Array {
  const status: Option6 = [OPTION6.status, Uint8Array.of(0, code, 110, 111)];
  const identity = Buffer.concat([encodeIdentity(client.iaid), encodeOptions6([status])]);
  const options: Option6[] = [
    [OPTION6.clientId, client.duid],
    [OPTION6.serverId, SERVER],
  ];
  return answer(to, type, { options: [...options, inIdentity ? [OPTION6.addresses, identity] : status] });
}

async function detailsOf(work: Promise<unknown>): Promise<string | undefined> {
  const thrown = await work.catch((error) => error);
  if (!(thrown instanceof Failure)) throw thrown;
  expect(thrown.message).toMatch(/^no DHCPv6 server gave a lease within \d+ s$/);
  return thrown.details;
}

test("a lease is two questions, each with DUID and IAID, the second to the server that offered", async () => {
  const wire = new FakeWire6(proper);
  const grant = await acquire6(wire, client, wire.now() + 60);
  expect(grant).toMatchObject({ address: ADDRESS, expiresAt: grant.startedAt + 1000 });
  expect(wire.types()).toEqual([SOLICIT, REQUEST]);
  for (const { message } of wire.sent) {
    expect([...optionOf(message.options, OPTION6.clientId)!]).toEqual([...client.duid]);
    expect(new DataView(optionOf(message.options, OPTION6.addresses)!.buffer).getUint32(0)).toBe(client.iaid);
  }
  const [solicit, request] = wire.sent.map(({ message }) => message);
  expect(optionOf(solicit!.options, OPTION6.serverId)).toBeUndefined();
  expect([...optionOf(request!.options, OPTION6.serverId)!]).toEqual([...SERVER]);
  expect(assignedTo(client.iaid, request!.options)?.address).toBe(ADDRESS);
  expect(request!.transactionId).not.toBe(solicit!.transactionId);
});

test("a silent server is asked again with pauses that double, until the time is up", async () => {
  const wire = new FakeWire6();
  expect(await detailsOf(acquire6(wire, client, wire.now() + 20))).toBe("no server answered");
  const pauses = wire.sent.slice(1).map(({ at }, index) => at - wire.sent[index]!.at);
  expect(pauses.map(Math.round)).toEqual([1, 2, 4, 8]);
});

test("what is meant for siblings or makes no sense is passed over", async () => {
  const wire = new FakeWire6((message) =>
    message.type !== SOLICIT
      ? [answer(message, REPLY)]
      : [
          Uint8Array.of(1),
          answer(message, ADVERTISE, { address: 1n, transactionId: message.transactionId ^ 1 }),
          answer(message, ADVERTISE, { address: 2n, duid: Uint8Array.of(1) }),
          answer(message, ADVERTISE, { address: 3n, options: [[OPTION6.serverId, SERVER]] }),
          answer(message, REPLY, { address: 4n }),
          answer(message, ADVERTISE, { address: 5n, iaid: 9 }),
          answer(message, ADVERTISE, { address: 6n, valid: 0 }),
          answer(message, ADVERTISE),
        ],
  );
  expect((await acquire6(wire, client, wire.now() + 60)).address).toBe(ADDRESS);
  expect(assignedTo(client.iaid, wire.sent[1]!.message.options)?.address).toBe(ADDRESS);
});

test.each([true, false])("a server's no is said in the error (in the IA_NA: %p)", async (inIdentity) => {
  const wire = new FakeWire6((message) => [refusal(message, ADVERTISE, 2, inIdentity)]);
  expect(await detailsOf(acquire6(wire, client, wire.now() + 5))).toBe(
    'a server gives no address: status 2 "no"',
  );
  expect(wire.types()).toEqual([SOLICIT, SOLICIT, SOLICIT]);
});

test("after a no to REQUEST it starts anew", async () => {
  let refusals = 1;
  const wire = new FakeWire6((message) =>
    message.type === REQUEST && refusals-- > 0 ? [refusal(message, REPLY, 2, true)] : proper(message),
  );
  await acquire6(wire, client, wire.now() + 60);
  expect(wire.types()).toEqual([SOLICIT, REQUEST, SOLICIT, REQUEST]);
});

test("renewing names the server, rebinding none; a server that does not know the lease refuses", async () => {
  const ask = async (whom: "server" | "everybody", server: Server) => {
    const wire = new FakeWire6(server);
    const result = await prolong6(wire, client, held, whom, wire.now() + 4);
    expect(wire.sent).toHaveLength(1);
    const { message } = wire.sent[0]!;
    expect(assignedTo(client.iaid, message.options)?.address).toBe(ADDRESS);
    return { type: message.type, server: optionOf(message.options, OPTION6.serverId), result };
  };
  expect(await ask("server", proper)).toMatchObject({
    type: RENEW,
    server: SERVER,
    result: { address: ADDRESS },
  });
  expect(await ask("everybody", proper)).toMatchObject({ type: REBIND, server: undefined });
  const refusals: Server[] = [
    (message) => [refusal(message, REPLY, 3, true)],
    (message) => [answer(message, REPLY, { valid: 0 })],
    (message) => [answer(message, REPLY, { address: 9n })],
  ];
  for (const server of refusals) expect((await ask("server", server)).result).toBe("refused");
  expect((await ask("server", () => [])).result).toBeUndefined();
});

test("a release is one message that names server and address", () => {
  const wire = new FakeWire6();
  release6(wire, client, held);
  expect(wire.types()).toEqual([RELEASE]);
  const { options } = wire.sent[0]!.message;
  expect([...optionOf(options, OPTION6.serverId)!]).toEqual([...SERVER]);
  expect(assignedTo(client.iaid, options)?.address).toBe(ADDRESS);
});

test("DUID and IAID follow from the identifier, another one for each endpoint", () => {
  const [one, same, other] = ["a", "a", "b"].map((name) => client6Of(Buffer.from(name)));
  expect(one).toEqual(same!);
  expect(one!.duid).toHaveLength(18);
  expect([...one!.duid.subarray(0, 2)]).toEqual([0, 4]);
  expect([other!.duid, other!.iaid]).not.toEqual([one!.duid, one!.iaid]);
});

test("the address is a /128 with the lease's lifetime; lists that cannot be read are left out", () => {
  const grant = { address: ADDRESS, server: SERVER, startedAt: 0, renewAt: 1, rebindAt: 2, expiresAt: 600 };
  const servers = Buffer.alloc(16, 1);
  const given = givenBy6(
    {
      ...grant,
      options: [
        [OPTION6.nameServers, servers],
        [OPTION6.domainSearch, Uint8Array.of(2, 97)],
      ],
    },
    100,
  );
  expect(given.ips.map(({ address, lifetimeSeconds }) => [formatPrefix(address), lifetimeSeconds])).toEqual([
    ["2001:db8::1000/128", 500],
  ]);
  expect(given.dns).toEqual({ nameservers: ["101:101:101:101:101:101:101:101"] });
  const odd = givenBy6({ ...grant, options: [[OPTION6.nameServers, servers.subarray(1)]] }, 0);
  expect(odd.dns).toEqual({});
});
