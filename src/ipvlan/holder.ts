import { KernelError } from "../linux/errno.ts";
import { closeNamespace, type Namespace, openNamespace } from "../linux/netns.ts";
import { addressesOf, linkByName } from "../linux/rtnetlink.ts";
import { withSocketIn } from "../linux/socket.ts";
import { type IpAddress, sameAddress } from "../net/ip.ts";
import { type EndpointRecord, findRecord } from "./record.ts";

/**
 * Whose endpoint has the address, in words for an error: "network "a", container "b", interface "eth0""; undefined when
 * no recorded endpoint has it. Looks into every recorded namespace: only for when something went wrong.
 */
export function holderOf(home: Namespace, address: IpAddress): string | undefined {
  const record = findRecord((each) => (has(home, each, address) ? each : undefined));
  return (
    record && `network "${record.network}", container "${record.containerId}", interface "${record.ifName}"`
  );
}

function has(home: Namespace, record: EndpointRecord, address: IpAddress): boolean {
  try {
    const container = openNamespace(record.netns);
    try {
      return withSocketIn(container, home, (socket) => {
        const link = linkByName(socket, record.ifName);
        if (link?.kind !== LINK_KIND) return false;
        return addressesOf(socket, link.index).some((entry) => sameAddress(entry.address, address));
      });
    } finally {
      closeNamespace(container);
    }
  } catch (thrown) {
    if (thrown instanceof KernelError) return false;
    throw thrown;
  }
}
