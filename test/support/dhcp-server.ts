/**
 * A small DHCP server for tests (RFC 2131): leases 192.0.2.100 and on by client identifier, and broadcasts every answer,
 * as ipvlan needs. Notes each request on standard output: "REQUEST <client identifier>".
 *
 *   bun dhcp-server.ts OWN-ADDRESS BROADCAST-ADDRESS
 */

export {};

const [own = "", broadcast = ""] = process.argv.slice(2);
const MAGIC = [99, 130, 83, 99];
const OPTIONS_START = 240;
const MESSAGE_TYPES: Record<number, string> = { 1: "DISCOVER", 3: "REQUEST", 4: "DECLINE", 7: "RELEASE" };
const OFFER = 2;
const ACK = 5;
/** Option numbers of RFC 2132. */
const SUBNET_MASK = 1;
const ROUTER = 3;
const LEASE_SECONDS = 51;
const MESSAGE_TYPE = 53;
const SERVER = 54;
const CLIENT = 61;

const clients: string[] = [];

const socket = await Bun.udpSocket({
  hostname: "0.0.0.0",
  port: 67,
  socket: {
    data(_, request) {
      const options = optionsOf(request);
      const type = options.get(MESSAGE_TYPE)?.[0] ?? 0;
      const client = Buffer.from(options.get(CLIENT) ?? [])
        .toString("latin1")
        .replace(/\0/g, "");
      console.log(`${MESSAGE_TYPES[type]} ${client}`);
      if (type === 1 || type === 3)
        socket.send(answer(request, type === 1 ? OFFER : ACK, client), 68, broadcast);
    },
  },
});
socket.setBroadcast(true);
console.log("ready");

function answer(request: Buffer, type: number, client: string): Buffer {
  if (!clients.includes(client)) clients.push(client);
  const reply = Buffer.alloc(300);
  request.copy(reply, 0, 0, OPTIONS_START);
  reply[0] = 2;
  reply.set([192, 0, 2, 100 + clients.indexOf(client)], 16);
  reply.set(bytes(own), 20);
  reply.set(MAGIC, 236);
  reply.set(
    [
      ...[MESSAGE_TYPE, 1, type],
      ...[SERVER, 4, ...bytes(own)],
      ...[LEASE_SECONDS, 4, 0, 0, 14, 16],
      ...[SUBNET_MASK, 4, 255, 255, 255, 0],
      ...[ROUTER, 4, ...bytes(own)],
      255,
    ],
    OPTIONS_START,
  );
  return reply;
}

function optionsOf(message: Buffer): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  for (let at = OPTIONS_START; at < message.length && message[at] !== 255; ) {
    if (message[at] === 0) {
      at++;
      continue;
    }
    const length = message[at + 1] ?? 0;
    options.set(message[at] ?? 0, message.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return options;
}

function bytes(address: string): number[] {
  return address.split(".").map(Number);
}
