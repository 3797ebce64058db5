import { Failure, messageOf } from "../../error.ts";
import { bootSeconds } from "../../linux/clock.ts";
import { KernelError } from "../../linux/errno.ts";
import type { Reactor, Waiter } from "../../linux/reactor.ts";
import { dialectOf, prefixOf } from "./dialect.ts";
import { removeAddress, setLifetime } from "./endpoint.ts";
import { Port } from "./port.ts";
import { lifetimeSeconds } from "./result.ts";
import { type Granted, type Lease, momentsOf, readLease, updateLease } from "./store.ts";
import { type Due, nextDue } from "./timers.ts";

/** How often is looked whether the endpoint still exists. */
const WATCH_SECONDS = 30;
/** How long an answer is waited for: the standard's first pause. */
const ANSWER_SECONDS = 4;
/** How long a server that has refused a renewal is asked to give the same address anew. */
const REGAIN_SECONDS = 10;

export interface KeeperOptions {
  reactor: Reactor;
  /** What goes before the namespace's path, where the daemon sees the node's files below a directory. */
  hostPrefix: string;
  log(text: string): void;
}

/**
 * Keeps one lease alive until it is gone from the disk or its endpoint is no more. All it knows it reads from the disk
 * each time, so that it may be started and stopped at any moment.
 */
export class Keeper {
  readonly #name: string;
  readonly #options: KeeperOptions;
  #pause: Waiter | undefined;
  /** The last try to prolong the lease that began at `#startedAt`. */
  #triedAt: number | undefined;
  #startedAt: number | undefined;
  #wasSilent = false;

  constructor(name: string, options: KeeperOptions) {
    this.#name = name;
    this.#options = options;
  }

  /** Looks at the lease anew, now. */
  wake(): void {
    this.#pause?.wake();
  }

  /** Ends when there is nothing to be kept any more. */
  async run(): Promise<void> {
    for (let lease = this.#look(); lease !== undefined; lease = this.#look()) {
      if (lease.startedAt !== this.#startedAt) this.#triedAt = undefined;
      this.#startedAt = lease.startedAt;
      const now = bootSeconds();
      const due = lease.lost === null ? nextDue(momentsOf(lease), this.#triedAt) : undefined;
      if (due === undefined || due.at > now) {
        this.#pause = this.#options.reactor.until(Math.min(due?.at ?? Infinity, now + WATCH_SECONDS));
        await this.#pause.done;
        this.#pause = undefined;
        continue;
      }
      this.#triedAt = now;
      try {
        await this.#act(lease, due);
      } catch (thrown) {
        // The link is down, or has just gone: another try follows, or the next look tells.
        if (!(thrown instanceof KernelError || thrown instanceof Failure)) throw thrown;
        this.#say(lease, `${due.what}: ${messageOf(thrown)}`);
      }
    }
  }

  /** The lease, if it is still there and its endpoint too. */
  #look(): Lease | undefined {
    const lease = readLease(this.#name);
    if (lease === undefined) return undefined;
    const port = this.#open(lease);
    if (port !== undefined) {
      port.close();
      return lease;
    }
    // A DEL and an ADD in between have made another lease of it.
    if (!updateLease(this.#name, lease, "remove")) return this.#look();
    this.#say(lease, "its endpoint has gone, the lease is left to end by itself");
    return undefined;
  }

  #open({ netns, namespace, ifName }: Lease): Port | undefined {
    const path = `${this.#options.hostPrefix}${netns}`;
    return Port.open({ netns: path, identity: namespace, ifName }, this.#options.reactor);
  }

  async #act(lease: Lease, due: Due): Promise<void> {
    const port = this.#open(lease);
    if (port === undefined) return;
    try {
      if (due.what === "expire") this.#lose(port, lease, "it expired, no server had prolonged it");
      else await this.#prolong(port, lease, due.what);
    } finally {
      port.close();
    }
  }

  async #prolong(port: Port, lease: Lease, what: "renew" | "rebind"): Promise<void> {
    const next = nextDue(momentsOf(lease), this.#triedAt);
    const until = Math.min(bootSeconds() + ANSWER_SECONDS, next?.at ?? Infinity);
    const whom = what === "renew" ? "server" : "everybody";
    const answer = await dialectOf(lease).prolong(port, lease, whom, until);
    if (answer === undefined) {
      if (!this.#wasSilent)
        this.#say(lease, `no answer from ${what === "renew" ? lease.server : "any server"}`);
      this.#wasSilent = true;
      return;
    }
    if (answer !== "refused")
      return this.#accept(port, lease, answer, what === "renew" ? "renewed" : "rebound");
    this.#say(lease, `${lease.server} refused to prolong it`);
    await this.#regain(port, lease);
  }

  /** After a refusal the address may only be kept if a server gives the very same one anew: the container knows no other. */
  async #regain(port: Port, lease: Lease): Promise<void> {
    const until = Math.min(bootSeconds() + REGAIN_SECONDS, momentsOf(lease).expiresAt);
    let granted: Granted;
    try {
      granted = await dialectOf(lease).regain(port, lease, until);
    } catch (thrown) {
      if (!(thrown instanceof Failure)) throw thrown;
      return this.#lose(port, lease, `a server refused it; ${thrown.message}`);
    }
    await this.#accept(port, lease, granted, "given anew");
  }

  async #accept(port: Port, lease: Lease, granted: Granted, how: string): Promise<void> {
    this.#wasSilent = false;
    const renewed = { ...lease, ...granted, prefixLength: lease.prefixLength };
    if (!updateLease(this.#name, lease, renewed)) {
      // It was given back meanwhile: so is this.
      await dialectOf(lease).release(port, renewed);
      return;
    }
    const seconds = lifetimeSeconds(momentsOf(renewed), bootSeconds());
    const isThere = setLifetime(port, prefixOf(lease), seconds);
    const until = seconds === undefined ? "for ever" : `for ${seconds} s`;
    this.#say(
      lease,
      `${how} by ${granted.server} ${until}${isThere ? "" : ", but the interface lacks the address"}`,
    );
  }

  #lose(port: Port, lease: Lease, reason: string): void {
    removeAddress(port, prefixOf(lease));
    updateLease(this.#name, lease, { lost: reason });
    this.#say(lease, `the address is removed: ${reason}`);
  }

  #say({ address, network, containerId, ifName }: Lease, text: string): void {
    this.#options.log(`${address} of ${containerId}/${network}/${ifName}: ${text}`);
  }
}
