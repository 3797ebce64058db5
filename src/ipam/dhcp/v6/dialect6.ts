import { Failure } from "../../../error.ts";
import { formatAddress, parseAddress } from "../../../net/ip.ts";
import type { Dialect } from "../dialect.ts";
import type { Port } from "../port.ts";
import { type Granted, type Lease, writtenMoments } from "../store.ts";
import { acquire6, type Client6, type Grant6, prolong6, release6 } from "./client.ts";
import { Port6 } from "./port.ts";

/** DHCPv6 gives single addresses: what else is on the link, routers say. */
export const PREFIX_LENGTH = 128;

/** DHCPv6 leases. */
export const dialect6: Dialect = {
  prolong: (port, lease, whom, deadline) =>
    withPort6(port, async (wire) => {
      const answer = await prolong6(wire, clientOf(lease), heldBy(lease), whom, deadline);
      return typeof answer === "object" ? grantedFields6(answer) : answer;
    }),
  regain: (port, lease, deadline) =>
    withPort6(port, async (wire) => {
      const client = clientOf(lease);
      const grant = await acquire6(wire, client, deadline, heldBy(lease).address);
      const granted = grantedFields6(grant);
      if (granted.address === lease.address) return granted;
      release6(wire, client, grant);
      throw new Failure("ipam", `a server offers ${granted.address} instead`);
    }),
  release: (port, lease) => withPort6(port, async (wire) => release6(wire, clientOf(lease), heldBy(lease))),
};

/** Runs `work` with a socket for DHCPv6 on the port's link. */
export async function withPort6<T>(port: Port, work: (wire: Port6) => Promise<T>): Promise<T> {
  const wire = await Port6.open(port);
  try {
    return await work(wire);
  } finally {
    wire.close();
  }
}

/** What a lease on disk says of what was granted. */
export function grantedFields6(grant: Grant6): Granted {
  return {
    address: formatAddress({ family: 6, value: grant.address }),
    prefixLength: PREFIX_LENGTH,
    server: Buffer.from(grant.server).toString("hex"),
    serverMac: "",
    ...writtenMoments(grant),
    lost: null,
  };
}

/** What a lease on disk says of who asked for it. */
export function clientFields6({ duid, iaid }: Client6) {
  return {
    family: 6 as const,
    clientId: Buffer.from(duid).toString("hex"),
    iaid,
    requests: [],
    provides: [],
  };
}

function clientOf({ clientId, iaid }: Lease): Client6 {
  return { duid: Uint8Array.from(Buffer.from(clientId, "hex")), iaid };
}

function heldBy({ address, server }: Lease): { address: bigint; server: Uint8Array } {
  return {
    address: parseAddress(address)?.value ?? 0n,
    server: Uint8Array.from(Buffer.from(server, "hex")),
  };
}
