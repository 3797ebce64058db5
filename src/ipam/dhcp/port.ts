import { Failure } from "../../error.ts";
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
  openPacketSocket,
  type PacketSocket,
  receivePacket,
  sendPacket,
} from "../../linux/packet-socket.ts";
import type { Reactor } from "../../linux/reactor.ts";
import { type Link, linkByIndex, linkByName } from "../../linux/rtnetlink.ts";
import { closeSocket, openSocket, type Socket } from "../../linux/socket.ts";
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
  /** Device and inode of the namespace. */
  readonly identity: string;
  /** A netlink socket inside. */
  readonly inside: Socket;
  readonly #container: Namespace;
  readonly #home: Namespace;
  readonly #reactor: Reactor;
  /** How long to listen for somebody who uses an address; 0 not at all. */
  readonly #conflictSeconds: number;
  #packets: PacketSocket | undefined;

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
    this.identity = container.identity;
    this.mac = Uint8Array.from((link.mac ?? "").split(":"), (byte) => Number.parseInt(byte, 16));
  }

  /** Opens it; undefined when namespace or link are no more. Throws KernelError. */
  static open(place: Place, reactor: Reactor, conflictSeconds = 0): Port | undefined {
    const container = openIfAlive(place.netns);
    if (container === undefined) return undefined;
    const home = openOwnNamespace();
    let inside: Socket | undefined;
    try {
      if (place.identity === undefined || place.identity === container.identity) {
        inside = inNamespace(container, home, openSocket);
        const link = linkByName(inside, place.ifName);
        if (link !== undefined) return new Port(reactor, conflictSeconds, container, home, inside, link);
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
    if (this.#packets !== undefined) closePacketSocket(this.#packets);
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
    sendPacket(this.#socket(), datagram, to?.mac ?? ETHERNET_BROADCAST);
  }

  async receive(deadline: number): Promise<{ bytes: Uint8Array; mac: Uint8Array } | undefined> {
    const socket = this.#socket();
    for (;;) {
      const packet = receivePacket(socket);
      if (packet === undefined) {
        if (!(await this.#reactor.readable(socket.fd, deadline).done)) return undefined;
        continue;
      }
      try {
        return { bytes: parseDatagram(packet.bytes), mac: packet.mac };
      } catch (thrown) {
        if (!(thrown instanceof MalformedMessage)) throw thrown;
      }
    }
  }

  #socket(): PacketSocket {
    this.#packets ??= this.#inside(() => openPacketSocket(this.link.index, ETH_P_IP, CLIENT_FILTER));
    return this.#packets;
  }

  #inside<T>(work: () => T): T {
    return inNamespace(this.#container, this.#home, work);
  }

  /**
   * Listens on the master too: the answer to a probe is addressed to no endpoint's IP address, and such a packet the
   * driver leaves to the master.
   */
  async isTaken(address: number): Promise<boolean> {
    if (this.#conflictSeconds === 0) return false;
    const own = this.#inside(() => openPacketSocket(this.link.index, ETH_P_ARP));
    const sockets = [own];
    try {
      const above = this.#openOnMaster();
      if (above !== undefined) sockets.push(above);
      for (let probe = 0; probe < PROBES; probe++) {
        sendPacket(own, arpProbe(this.mac, address), ETHERNET_BROADCAST);
        const until = bootSeconds() + this.#conflictSeconds / PROBES;
        const heard = await Promise.all(sockets.map((socket) => this.#hearsUser(socket, address, until)));
        if (heard.includes(true)) return true;
      }
      return false;
    } finally {
      for (const socket of sockets) closePacketSocket(socket);
    }
  }

  #openOnMaster(): PacketSocket | undefined {
    const { linkIndex, linkNetnsid, mac } = this.link;
    if (linkIndex === undefined) return undefined;
    const open = () => openPacketSocket(linkIndex, ETH_P_ARP);
    if (linkNetnsid === undefined) return this.#inside(open);
    // It may be in a third namespace, where its index would mean another link here.
    const home = openSocket();
    try {
      return linkByIndex(home, linkIndex)?.mac === mac ? open() : undefined;
    } finally {
      closeSocket(home);
    }
  }

  async #hearsUser(socket: PacketSocket, address: number, until: number): Promise<boolean> {
    for (;;) {
      const packet = receivePacket(socket);
      if (packet !== undefined) {
        if (isConflict(packet.bytes, address)) return true;
      } else if (!(await this.#reactor.readable(socket.fd, until).done)) {
        return false;
      }
    }
  }

  /**
   * Runs `work` while a UDP socket holds the client's port of that address: the answers are read from the packet
   * socket, and without a holder of the port the kernel would tell the server that nobody is there.
   */
  async holdingPort<T>(address: number, work: () => Promise<T>): Promise<T> {
    let fd: number | undefined;
    try {
      fd = this.#inside(() => openUdpSocket(uint32(address), CLIENT_PORT));
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

/** The refusal when ADD finds no link to talk over. */
export function noLinkFailure({ netns, ifName }: Place): Failure {
  return new Failure(
    "interface",
    `there is no interface "${ifName}" in "${netns}" to ask a DHCP server over`,
  );
}
