import { IFA_F_TENTATIVE } from "../../../../wasm/uapi.ts";
import { Failure } from "../../../error.ts";
import { KernelError } from "../../../linux/errno.ts";
import { addressesOf } from "../../../linux/rtnetlink.ts";
import { netPath, writeSysctl } from "../../../linux/sysctl.ts";
import { closeUdpSocket, openUdp6Socket, receiveUdp, sendUdp6 } from "../../../linux/udp.ts";
import { addressBytes, type IpAddress, parseAddress } from "../../../net/ip.ts";
import type { Port } from "../port.ts";
import type { Wire6 } from "./client.ts";

const CLIENT_PORT = 546;
const SERVER_PORT = 547;
const ALL_SERVERS = parseAddress("ff02::1:2")!;
const LINK_LOCAL = 0xfe80n;
/** Duplicate detection of the link-local address takes one to two seconds. */
const LINK_LOCAL_SECONDS = 5;
const LOOK_SECONDS = 0.05;

/**
 * An endpoint's link for DHCPv6: a UDP socket bound to its link-local address. That address is the endpoint's own, so
 * that here the driver delivers answers by itself. Close it before its port.
 */
export class Port6 implements Wire6 {
  readonly #port: Port;
  readonly #fd: number;

  private constructor(port: Port, fd: number) {
    this.#port = port;
    this.#fd = fd;
  }

  /** Waits for the link-local address of a link that is up, and opens the socket. Throws a Failure without one. */
  static async open(port: Port): Promise<Port6> {
    const { link } = port;
    const deadline = port.now() + LINK_LOCAL_SECONDS;
    port.within(() => enable(link.name));
    for (;;) {
      const own = linkLocalOf(port);
      if (own !== undefined) {
        const fd = port.within(() => openUdp6Socket(addressBytes(own), CLIENT_PORT, link.index));
        return new Port6(port, fd);
      }
      if (port.now() > deadline)
        throw new Failure(
          "address",
          `"${link.name}" has no link-local IPv6 address to ask a DHCPv6 server from`,
          {
            remedy:
              "see whether IPv6 is off in the container (disable_ipv6, addr_gen_mode), or leave 6 out of ipam.families",
          },
        );
      await port.sleep(LOOK_SECONDS);
    }
  }

  close(): void {
    closeUdpSocket(this.#fd);
  }

  now(): number {
    return this.#port.now();
  }

  sleep(seconds: number): Promise<void> {
    return this.#port.sleep(seconds);
  }

  random(): number {
    return this.#port.random();
  }

  send(message: Uint8Array): void {
    sendUdp6(this.#fd, message, addressBytes(ALL_SERVERS), SERVER_PORT, this.#port.link.index);
  }

  async receive(deadline: number): Promise<Uint8Array | undefined> {
    do {
      const bytes = receiveUdp(this.#fd);
      if (bytes !== undefined) return bytes;
    } while (await this.#port.readable(this.#fd, deadline));
    return undefined;
  }
}

function linkLocalOf({ inside, link }: Port): IpAddress | undefined {
  return addressesOf(inside, link.index).find(
    ({ address, flags }) => address.value >> 112n === LINK_LOCAL && (flags & IFA_F_TENTATIVE) === 0,
  )?.address;
}

function enable(ifName: string): void {
  try {
    writeSysctl(netPath("ipv6/conf", ifName, "disable_ipv6"), "0");
  } catch (thrown) {
    // Where that cannot be written the address tells whether IPv6 is on.
    if (!(thrown instanceof KernelError)) throw thrown;
  }
}
