import { bootSeconds } from "../../linux/clock.ts";
import { EINVAL, ENOENT, ENOTDIR, ENOTTY, ESRCH, isErrno, KernelError } from "../../linux/errno.ts";
import {
  closeNamespace,
  inNamespace,
  type Namespace,
  openNamespace,
  openOwnNamespace,
} from "../../linux/netns.ts";
import {
  closePacketSocket,
  ETH_P_ARP,
  ETH_P_IP,
  ETHERNET_BROADCAST,
  type FilterStep,
  openPacketSocket,
  type Packet,
  type PacketSocket,
  receivePacket,
  sendPacket,
} from "../../linux/packet-socket.ts";
import type { Reactor } from "../../linux/reactor.ts";
import { type Link, linkByIndex, linkByName } from "../../linux/rtnetlink.ts";
import { closeSocket, namespaceMark, openSocket, type Socket } from "../../linux/socket.ts";
import { closeUdpSocket, openUdpSocket } from "../../linux/udp.ts";
import { arpProbe, isConflict } from "./arp.ts";
import type { Wire } from "./client.ts";
import { BROADCAST, CLIENT_FILTER, CLIENT_PORT, encodeDatagram, parseDatagram } from "./datagram.ts";
import { MalformedMessage } from "./malformed.ts";
import { uint32 } from "./option.ts";

/** Where an endpoint is. `identity` guards against a path that has come to mean another namespace. */
export interface Place {
  netns: string;
  identity?: string;
  ifName: string;
}

/** How often the link is asked whether an address is taken, and for how long in all. */
const PROBES = 2;

/**
 * The link of an endpoint, opened for a moment: everything here ends with `close`, so that nothing of ours keeps the
 * namespace alive between two exchanges.
 */
export class Port implements Wire {
  readonly link: Link;
  readonly mac: Uint8Array;
  /** What tells the namespace from every other one of this boot. */
  readonly identity: string;
  /** A netlink socket inside. */
  readonly inside: Socket;
  readonly #container: Namespace;
  readonly #home: Namespace;
  readonly #reactor: Reactor;
  /** How long to listen for somebody who uses an address; 0 not at all. */
  readonly #conflictSeconds: number;
  #sockets: PacketSocket[] | undefined;

  private constructor(
    reactor: Reactor,
    conflictSeconds: number,
    container: Namespace,
    home: Namespace,
    inside: Socket,
    link: Link,
  ) {
    this.#reactor = reactor;
    this.#conflictSeconds = conflictSeconds;
    this.#container = container;
    this.#home = home;
    this.inside = inside;
    this.link = link;
    this.identity = namespaceMark(container, inside);
    this.mac = Uint8Array.from((link.mac ?? "").split(":"), (byte) => Number.parseInt(byte, 16));
  }

  /** Opens it; undefined when namespace or link are no more. Throws KernelError. */
  static open(place: Place, reactor: Reactor, conflictSeconds = 0): Port | undefined {
    const container = openIfAlive(place.netns);
    if (container === undefined) return undefined;
    const home = openOwnNamespace();
    let inside: Socket | undefined;
    try {
      inside = inNamespace(container, home, openSocket);
      if (place.identity === undefined || place.identity === namespaceMark(container, inside)) {
        const link = linkByName(inside, place.ifName);
        // On any other link there is nothing of ours.
        if (link?.kind === "ipvlan") return new Port(reactor, conflictSeconds, container, home, inside, link);
      }
    } catch (thrown) {
      Port.#closeAll(container, home, inside);
      throw thrown;
    }
    Port.#closeAll(container, home, inside);
    return undefined;
  }

  static #closeAll(container: Namespace, home: Namespace, inside: Socket | undefined): void {
    if (inside !== undefined) closeSocket(inside);
    closeNamespace(container);
    closeNamespace(home);
  }

  close(): void {
    for (const socket of this.#sockets ?? []) closePacketSocket(socket);
    Port.#closeAll(this.#container, this.#home, this.inside);
  }

  now(): number {
    return bootSeconds();
  }

  async sleep(seconds: number): Promise<void> {
    await this.#reactor.until(bootSeconds() + seconds).done;
  }

  random(): number {
    return crypto.getRandomValues(new Uint32Array(1))[0]! / 0x1_0000_0000;
  }

  send(message: Uint8Array, source: number, to?: { address: number; mac: Uint8Array }): void {
    const datagram = encodeDatagram(source, to?.address ?? BROADCAST, message);
    const [own] = this.#open();
    sendPacket(own!, datagram, to?.mac ?? ETHERNET_BROADCAST);
  }

  async receive(deadline: number): Promise<{ bytes: Uint8Array; mac: Uint8Array } | undefined> {
    for (;;) {
      const packet = await this.#next(this.#open(), deadline);
      if (packet === undefined) return undefined;
      try {
        return { bytes: parseDatagram(packet.bytes), mac: packet.mac };
      } catch (thrown) {
        if (!(thrown instanceof MalformedMessage)) throw thrown;
      }
    }
  }

  #open(): PacketSocket[] {
    this.#sockets ??= this.#listen(ETH_P_IP, CLIENT_FILTER);
    return this.#sockets;
  }

  /**
   * Sockets on the endpoint's link, and on its master where that can be reached: a frame that is addressed to the MAC
   * address which all share, but to an IP address that no endpoint has, the driver leaves to the master. Servers that
   * answer so (to an address just offered, or to 255.255.255.255 in a unicast frame) are heard all the same.
   */
  #listen(protocol: number, filter?: FilterStep[]): PacketSocket[] {
    const sockets: PacketSocket[] = [];
    const open = (index: number) => sockets.push(openPacketSocket(index, protocol, filter));
    try {
      this.within(() => open(this.link.index));
      const { linkIndex, linkNetnsid } = this.link;
      if (linkIndex !== undefined && linkNetnsid === undefined) this.within(() => open(linkIndex));
      else if (linkIndex !== undefined && this.#isMasterAt(linkIndex)) open(linkIndex);
      return sockets;
    } catch (thrown) {
      for (const socket of sockets) closePacketSocket(socket);
      throw thrown;
    }
  }

  /** The master may be in a third namespace, where its index would mean another link here. */
  #isMasterAt(linkIndex: number): boolean {
    const home = openSocket();
    try {
      return linkByIndex(home, linkIndex)?.mac === this.link.mac;
    } finally {
      closeSocket(home);
    }
  }

  /** The next packet on any of the sockets. */
  async #next(sockets: PacketSocket[], deadline: number): Promise<Packet | undefined> {
    const fds = sockets.map(({ fd }) => fd);
    do {
      for (const socket of sockets) {
        const packet = receivePacket(socket);
        if (packet !== undefined) return packet;
      }
    } while (await this.#reactor.readable(fds, deadline).done);
    return undefined;
  }

  /** Runs synchronous system calls in the endpoint's namespace. */
  within<T>(work: () => T): T {
    return inNamespace(this.#container, this.#home, work);
  }

  /** Waits until `fd` can be read; false when it could not be until `deadline`. */
  readable(fd: number, deadline: number): Promise<boolean> {
    return this.#reactor.readable([fd], deadline).done;
  }

  async isTaken(address: number): Promise<boolean> {
    if (this.#conflictSeconds === 0) return false;
    const sockets = this.#listen(ETH_P_ARP);
    try {
      for (let probe = 0; probe < PROBES; probe++) {
        sendPacket(sockets[0]!, arpProbe(this.mac, address), ETHERNET_BROADCAST);
        const until = bootSeconds() + this.#conflictSeconds / PROBES;
        for (;;) {
          const packet = await this.#next(sockets, until);
          if (packet === undefined) break;
          if (isConflict(packet.bytes, address)) return true;
        }
      }
      return false;
    } finally {
      for (const socket of sockets) closePacketSocket(socket);
    }
  }

  /**
   * Runs `work` while a UDP socket holds the client's port of that address: the answers are read from the packet
   * socket, and without a holder of the port the kernel would tell the server that nobody is there.
   */
  async holdingPort<T>(address: number, work: () => Promise<T>): Promise<T> {
    let fd: number | undefined;
    try {
      fd = this.within(() => openUdpSocket(uint32(address), CLIENT_PORT));
    } catch (thrown) {
      // Somebody in the container holds it, or the address is gone: the exchange works all the same.
      if (!(thrown instanceof KernelError)) throw thrown;
    }
    try {
      return await work();
    } finally {
      if (fd !== undefined) closeUdpSocket(fd);
    }
  }
}

function openIfAlive(path: string): Namespace | undefined {
  try {
    return openNamespace(path);
  } catch (thrown) {
    if (isErrno(thrown, ENOENT, ENOTDIR, ENOTTY, EINVAL, ESRCH)) return undefined;
    throw thrown;
  }
}
