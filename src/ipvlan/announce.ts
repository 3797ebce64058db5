import { KernelError } from "../linux/errno.ts";
import { sleep } from "../linux/libc.ts";
import { inNamespace } from "../linux/netns.ts";
import { announcement, closePacketSocket, openPacketSocket, sendFrame } from "../linux/packet.ts";
import type { Link } from "../linux/rtnetlink.ts";
import type { IpAddress } from "../net/ip.ts";
import type { World } from "./world.ts";

/** Between two rounds; a switch that missed the first one is still relearning. */
const PAUSE_MS = 50;

/**
 * Tells the segment, `count` times for each address, that the container has it now, so that switches and peers forget who
 * had it before. The kernel's own announcement at link-up is a single one and may be lost. Nothing depends on it: what
 * cannot be sent is not.
 */
export function announce(world: World, link: Link, addresses: IpAddress[], count: number): void {
  const { mac } = link;
  if (mac === undefined || addresses.length === 0 || count === 0) return;
  try {
    const packets = inNamespace(world.container, world.home, () => openPacketSocket(link.index, false));
    try {
      for (let round = 0; round < count; round++) {
        if (round > 0) sleep(PAUSE_MS);
        for (const address of addresses) sendFrame(packets, announcement(mac, address));
      }
    } finally {
      closePacketSocket(packets);
    }
  } catch (thrown) {
    if (!(thrown instanceof KernelError)) throw thrown;
    console.error(`ipvlan: the addresses of "${link.name}" are not announced: ${thrown.message}`);
  }
}
