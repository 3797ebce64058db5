import { inNamespace, type Namespace } from "../linux/netns.ts";
import {
  claims,
  closePacketSocket,
  openPacketSocket,
  probe,
  receiveFrame,
  sendFrame,
} from "../linux/packet.ts";
import type { IpAddress } from "../net/ip.ts";

/** RFC 5227 waits for seconds; a station on the same segment answers within milliseconds. */
const ROUNDS = 3;
const ROUND_MS = 100;

/**
 * Asks the segment whether somebody has one of these addresses already, and returns the first one that is claimed.
 *
 * The question goes out on the master and the answers are read there: the ipvlan driver hands an answer only to an
 * endpoint that owns the address already. Throws KernelError.
 */
export function findClaimed(
  namespace: Namespace,
  home: Namespace,
  master: { index: number; mac: string | undefined },
  addresses: IpAddress[],
): IpAddress | undefined {
  const { mac } = master;
  if (mac === undefined || addresses.length === 0) return undefined;
  const packets = inNamespace(namespace, home, () => openPacketSocket(master.index, true));
  try {
    for (let round = 0; round < ROUNDS; round++) {
      for (const address of addresses) sendFrame(packets, probe(mac, address));
      const deadline = performance.now() + ROUND_MS;
      for (let leftMs = ROUND_MS; leftMs > 0; leftMs = deadline - performance.now()) {
        const frame = receiveFrame(packets, Math.ceil(leftMs));
        const claimed = frame && addresses.find((address) => claims(frame, address));
        if (claimed !== undefined) return claimed;
      }
    }
    return undefined;
  } finally {
    closePacketSocket(packets);
  }
}
