import { messageOf } from "../../error.ts";
import { bootSeconds } from "../../linux/clock.ts";
import { check, EAGAIN } from "../../linux/errno.ts";
import { acceptFrom, closeUnixSocket, receiveSome, sendSome } from "../../linux/unix-socket.ts";
import { Keeper, type KeeperOptions } from "./keeper.ts";
import { leaseDirectory } from "./lease-file.ts";
import { formatReply, LINE_BYTES_MAX, LINE_TIMEOUT_MS, parseRequest, type Reply } from "./protocol.ts";
import { leaseNames, readLease, removeLease } from "./store.ts";

/** So many may talk to the daemon at the same time; the others wait in the kernel's queue. */
const CONNECTIONS_MAX = 64;

/**
 * The daemon that keeps all leases of the node alive. What it knows is on disk, so that it may be killed at any moment and
 * started again.
 */
export class Daemon {
  readonly #options: KeeperOptions;
  readonly #keepers = new Map<string, Keeper>();
  #connections = 0;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** Takes up the leases on disk; those of an earlier boot, whose endpoints have ended with it, are removed. */
  takeUp(): void {
    for (const name of leaseNames()) {
      if (readLease(name) !== undefined) this.#keep(name);
      else removeLease(name);
    }
    this.#options.log(`keeps ${this.#keepers.size} leases of ${leaseDirectory()}`);
  }

  /** Serves who connects to the listening socket, for ever. Throws KernelError. */
  async serve(listening: number): Promise<never> {
    const { reactor } = this.#options;
    for (;;) {
      if (this.#connections >= CONNECTIONS_MAX) {
        await reactor.until(bootSeconds() + 0.05).done;
        continue;
      }
      await reactor.readable([listening], Infinity).done;
      const fd = acceptFrom(listening);
      if (fd === -EAGAIN) continue;
      check(fd, "accept");
      this.#connections++;
      void this.#converse(fd).finally(() => {
        closeUnixSocket(fd);
        this.#connections--;
      });
    }
  }

  async #converse(fd: number): Promise<void> {
    const line = await this.#readLine(fd);
    if (line === undefined) return;
    const reply = Buffer.from(formatReply(this.#answer(line)));
    // It fits into the socket's buffer; a peer that has gone does not miss it.
    sendSome(fd, reply);
  }

  async #readLine(fd: number): Promise<string | undefined> {
    const buffer = new Uint8Array(LINE_BYTES_MAX);
    const deadline = bootSeconds() + LINE_TIMEOUT_MS / 1000;
    for (let length = 0; length < buffer.length; ) {
      if (!(await this.#options.reactor.readable([fd], deadline).done)) return undefined;
      const got = receiveSome(fd, buffer.subarray(length));
      if (got === -EAGAIN) continue;
      if (got <= 0) return undefined;
      length += got;
      const end = buffer.subarray(0, length).indexOf(0x0a);
      if (end >= 0) return Buffer.from(buffer.subarray(0, end)).toString();
    }
    return undefined;
  }

  #answer(line: string): Omit<Reply, "version"> {
    const leases = () => this.#keepers.size;
    const request = parseRequest(line);
    if (request === undefined) return { error: "the request is not understood", leases: leases() };
    if (request.ask === "keep") {
      if (readLease(request.lease) === undefined)
        return { error: `${leaseDirectory()} has no lease ${request.lease}`, leases: leases() };
      this.#keep(request.lease);
    } else if (request.ask === "forget") {
      this.#keepers.get(request.lease)?.wake();
    }
    return { leases: leases() };
  }

  #keep(name: string): void {
    const running = this.#keepers.get(name);
    if (running !== undefined) {
      running.wake();
      return;
    }
    const keeper = new Keeper(name, this.#options);
    this.#keepers.set(name, keeper);
    void keeper
      .run()
      .catch((thrown) => this.#options.log(`${name}: ${messageOf(thrown)}`))
      .finally(() => {
        this.#keepers.delete(name);
        // A lease that came at the very moment in which its predecessor's keeper ended.
        if (readLease(name) !== undefined) this.#keep(name);
      });
  }
}
