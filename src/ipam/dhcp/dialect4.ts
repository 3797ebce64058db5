import { Failure } from "../../error.ts";
import { parseAddress } from "../../net/ip.ts";
import { acquire, type Client, dotted, type Held, prolong, release } from "./client.ts";
import type { Dialect } from "./dialect.ts";
import type { Grant } from "./grant.ts";
import { type Granted, type Lease, writtenMoments } from "./store.ts";

/** DHCPv4 leases. */
export const dialect4: Dialect = {
  prolong: async (port, lease, whom, deadline) => {
    const held = heldBy(lease);
    const ask = () => prolong(port, clientOf(lease), held, whom, deadline);
    const answer = await port.holdingPort(held.address, ask);
    return typeof answer === "object" ? grantedFields(answer) : answer;
  },
  regain: async (port, lease, deadline) => {
    const { address } = heldBy(lease);
    const client = clientOf(lease);
    const grant = await acquire(port, client, deadline, address);
    if (grant.address === address) return grantedFields(grant);
    release(port, client, grant);
    throw new Failure("ipam", `a server offers ${dotted(grant.address)} instead`);
  },
  release: async (port, lease) => release(port, clientOf(lease), heldBy(lease)),
};

/** What a lease on disk says of what was granted. */
export function grantedFields(grant: Grant): Granted {
  return {
    address: dotted(grant.address),
    prefixLength: grant.prefixLength,
    server: dotted(grant.server),
    serverMac: hex(grant.serverMac),
    ...writtenMoments(grant),
    lost: null,
  };
}

/** What a lease on disk says of who asked for it. */
export function clientFields({ clientId, requests, provides }: Client) {
  return {
    family: 4 as const,
    clientId: hex(clientId),
    iaid: 0,
    requests,
    provides: provides.map(([code, value]): [number, string] => [code, hex(value)]),
  };
}

function clientOf({ clientId, requests, provides }: Lease): Client {
  return {
    clientId: bytesOf(clientId),
    requests,
    provides: provides.map(([code, value]) => [code, bytesOf(value)]),
  };
}

function heldBy({ address, server, serverMac }: Lease): Held {
  return { address: numberOf(address), server: numberOf(server), serverMac: bytesOf(serverMac) };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function bytesOf(digits: string): Uint8Array {
  return Uint8Array.from(Buffer.from(digits, "hex"));
}

function numberOf(address: string): number {
  return Number(parseAddress(address)?.value ?? 0n);
}
