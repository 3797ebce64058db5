import { Failure } from "../error.ts";
import { checkMtu, findMaster } from "../ipvlan/master.ts";
import { linkByName } from "../linux/rtnetlink.ts";
import { closeSocket, openSocket } from "../linux/socket.ts";

/** Throws a Failure when the parent that a network names cannot carry its links. */
export function checkParent({ parent, mtu }: { parent: string | undefined; mtu: number | undefined }): void {
  if (parent === undefined) return;
  const socket = openSocket();
  try {
    if (linkByName(socket, parent) === undefined)
      throw new Failure("master", `parent interface ${parent} does not exist`);
    const endpoint = {
      master: parent,
      mode: "l2",
      flag: "bridge",
      mtu,
      linkInContainer: false,
      options: { allowMasterDown: true },
    } as const;
    checkMtu(findMaster(socket, endpoint), mtu);
  } finally {
    closeSocket(socket);
  }
}
