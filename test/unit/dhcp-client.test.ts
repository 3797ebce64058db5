/** The exchanges of the DHCP client, against servers of all sorts, with a simulated clock. */

import { expect, test } from "bun:test";
import { Failure } from "../../src/error.ts";
import { acquire, type Client, prolong, release } from "../../src/ipam/dhcp/client.ts";
import { ACK, DECLINE, DISCOVER, NAK, OFFER, RELEASE, REQUEST } from "../../src/ipam/dhcp/message.ts";
import { OPTION, uint32 } from "../../src/ipam/dhcp/option.ts";
import { FakeWire, reply, type Sent } from "../support/fake-wire.ts";

const client: Client = {
  clientId: Uint8Array.of(0, 99, 49),
  requests: [1, 121, 3],
  provides: [[OPTION.hostName, Buffer.from("named")]],
};
const ADDRESS = 0xc000_0232;
const SERVER = 0xc000_0202;
const held = { address: ADDRESS, server: SERVER, serverMac: Uint8Array.of(2, 0, 0, 0, 0, 9) };

/** A server that does as it should. */
const proper = (sent: Sent) =>
  sent.type === DISCOVER ? [reply(sent, OFFER)] : sent.type === REQUEST ? [reply(sent, ACK)] : [];

async function failure(work: Promise<unknown>): Promise<{ message: string; details: string }> {
  const thrown = await work.catch((error) => error);
  if (!(thrown instanceof Failure)) throw thrown;
  return { message: thrown.message, details: thrown.details ?? "" };
}

test("a lease is two questions, each with the identifier, and answered by broadcast", async () => {
  const wire = new FakeWire(proper);
  const grant = await acquire(wire, client, wire.now() + 60);
  expect(grant).toMatchObject({ address: ADDRESS, prefixLength: 24, server: SERVER });
  expect(wire.typesSent()).toEqual([DISCOVER, REQUEST]);
  for (const { message, source, to } of wire.sent) {
    expect(message.broadcast).toBe(true);
    expect([source, to, message.clientAddress]).toEqual([0, undefined, 0]);
    expect([...message.options.get(OPTION.clientIdentifier)!]).toEqual([0, 99, 49]);
    expect([...message.options.get(OPTION.parameterRequests)!]).toEqual([1, 121, 3]);
    expect(Buffer.from(message.options.get(OPTION.hostName)!).toString()).toBe("named");
  }
  const [discover, request] = wire.sent.map(({ message }) => message);
  expect(request!.transactionId).toBe(discover!.transactionId);
  expect(request!.options.get(OPTION.requestedAddress)).toEqual(uint32(ADDRESS));
  expect(request!.options.get(OPTION.serverIdentifier)).toEqual(uint32(SERVER));
});

test("a silent server is asked at 0, 4, 12, 28 and 60 seconds, give or take the jitter, until the time is up", async () => {
  const wire = new FakeWire();
  const { message, details } = await failure(acquire(wire, client, wire.now() + 100));
  expect(message).toBe("no DHCP server gave a lease within 100 s");
  expect(details).toBe("no server answered");
  const pauses = wire.sent.slice(1).map(({ at }, index) => at - wire.sent[index]!.at);
  expect(pauses).toHaveLength(4);
  for (const [index, pause] of pauses.entries()) {
    expect(pause).toBeGreaterThanOrEqual(4 * 2 ** index - 1);
    expect(pause).toBeLessThanOrEqual(4 * 2 ** index + 1);
  }
  expect(wire.sent.map((sent) => sent.message.seconds)).toEqual(
    wire.sent.map(({ at }) => Math.floor(at - 1000)),
  );
});

test("what is meant for siblings or makes no sense is passed over", async () => {
  const other = Uint8Array.of(9);
  const wire = new FakeWire((sent) => {
    if (sent.type !== DISCOVER) return [reply(sent, ACK)];
    return [
      { after: 0.001, bytes: Uint8Array.of(1, 2, 3) },
      reply(sent, OFFER, {
        address: 1,
        after: 0.002,
        change: { transactionId: sent.message.transactionId ^ 1 },
      }),
      reply(sent, OFFER, { address: 2, after: 0.003, change: { op: 1 } }),
      reply(sent, OFFER, { address: 3, after: 0.004, change: { hardwareAddress: new Uint8Array(6) } }),
      reply(sent, OFFER, { address: 4, after: 0.005, options: [[OPTION.clientIdentifier, other]] }),
      reply(sent, ACK, { address: 5, after: 0.006 }),
      reply(sent, OFFER, { address: 6, after: 0.007, options: [[OPTION.leaseTime, undefined]] }),
      reply(sent, OFFER, { address: 7, after: 0.008, options: [[OPTION.subnetMask, uint32(0xff00_ff00)]] }),
      reply(sent, OFFER, { address: 8, after: 0.0085, seconds: 0 }),
      reply(sent, OFFER, { address: 0, after: 0.009 }),
      reply(sent, OFFER, { after: 0.01, options: [[OPTION.clientIdentifier, client.clientId]] }),
    ];
  });
  await acquire(wire, client, wire.now() + 60);
  expect(wire.sent[1]?.message.options.get(OPTION.requestedAddress)).toEqual(uint32(ADDRESS));
});

test("why answers were of no use stands in the error", async () => {
  const wire = new FakeWire((sent) => [reply(sent, OFFER, { options: [[OPTION.subnetMask, undefined]] })]);
  const { details } = await failure(acquire(wire, client, wire.now() + 10));
  expect(details).toBe("an answer was of no use: no subnet mask (option 1)");
});

test("after a NAK it starts anew, with another transaction; the server's reason stands in the error", async () => {
  const reason: [number, Uint8Array] = [OPTION.message, Buffer.from("wrong network")];
  let refusals = 2;
  const wire = new FakeWire((sent) =>
    sent.type === REQUEST && refusals-- > 0 ? [reply(sent, NAK, { options: [reason] })] : proper(sent),
  );
  await acquire(wire, client, wire.now() + 60);
  expect(wire.typesSent()).toEqual([DISCOVER, REQUEST, DISCOVER, REQUEST, DISCOVER, REQUEST]);
  expect(new Set(wire.sent.map(({ message }) => message.transactionId)).size).toBe(3);

  const refuser = new FakeWire((sent) =>
    sent.type === REQUEST ? [reply(sent, NAK, { options: [reason] })] : proper(sent),
  );
  const { details } = await failure(acquire(refuser, client, refuser.now() + 5));
  expect(details).toBe('192.0.2.2 offered 192.0.2.50 and then refused it: "wrong network"');
});

test("only the chosen server's ACK counts, and one that says no more is given up after four requests", async () => {
  const wire = new FakeWire((sent) =>
    sent.type === REQUEST ? [reply(sent, ACK, { server: 7 })] : proper(sent),
  );
  const { details } = await failure(acquire(wire, client, wire.now() + 70));
  expect(wire.typesSent().slice(0, 6)).toEqual([DISCOVER, REQUEST, REQUEST, REQUEST, REQUEST, DISCOVER]);
  expect(details).toContain("192.0.2.2 offered 192.0.2.50 and then said no more");
});

test("an address in use is declined, three at most", async () => {
  const wire = new FakeWire(proper);
  wire.taken.add(ADDRESS);
  const { details } = await failure(acquire(wire, client, wire.now() + 60));
  expect(wire.typesSent()).toEqual([1, 2, 3].flatMap(() => [DISCOVER, REQUEST, DECLINE]));
  expect(details).toBe("192.0.2.50 is used by somebody else on the link and was declined");
  const { message, source } = wire.sent[2]!;
  expect([source, message.clientAddress]).toEqual([0, 0]);
  expect(message.options.get(OPTION.requestedAddress)).toEqual(uint32(ADDRESS));
  expect(message.options.get(OPTION.serverIdentifier)).toEqual(uint32(SERVER));
});

test("renewing asks the server from the address itself, rebinding everybody, and neither names address or server", async () => {
  for (const [whom, to] of [
    ["server", SERVER],
    ["everybody", undefined],
  ] as const) {
    const wire = new FakeWire((sent) => [reply(sent, ACK, { seconds: 1200 })]);
    const grant = await prolong(wire, client, held, whom, wire.now() + 4);
    expect(grant).toMatchObject({ address: ADDRESS, expiresAt: 2200 });
    const [sent] = wire.sent;
    expect([sent!.type, sent!.source, sent!.to, sent!.message.clientAddress]).toEqual([
      REQUEST,
      ADDRESS,
      to,
      ADDRESS,
    ]);
    expect(sent!.message.options.has(OPTION.requestedAddress)).toBe(false);
    expect(sent!.message.options.has(OPTION.serverIdentifier)).toBe(false);
  }
});

test("a renewal is refused, or not answered, or answered with another address, which is no answer", async () => {
  const ask = (wire: FakeWire) => prolong(wire, client, held, "server", wire.now() + 4);
  expect(await ask(new FakeWire((sent) => [reply(sent, NAK)]))).toBe("refused");
  expect(await ask(new FakeWire())).toBeUndefined();
  expect(await ask(new FakeWire((sent) => [reply(sent, ACK, { address: 9 })]))).toBeUndefined();
});

test("a release goes to the server alone, once", () => {
  const wire = new FakeWire();
  release(wire, client, held);
  expect(wire.typesSent()).toEqual([RELEASE]);
  const { source, to, message } = wire.sent[0]!;
  expect([source, to, message.clientAddress]).toEqual([ADDRESS, SERVER, ADDRESS]);
  expect(message.options.get(OPTION.serverIdentifier)).toEqual(uint32(SERVER));
  expect([...message.options.get(OPTION.clientIdentifier)!]).toEqual([0, 99, 49]);
});
