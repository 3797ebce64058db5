import { bootSeconds } from "./clock.ts";
import { check, EINTR } from "./errno.ts";
import { pollAll } from "./libc.ts";

/** The longest single poll(2): its clock stands still while the machine sleeps, ours does not. */
const POLL_LIMIT_MS = 30_000;
/** sizeof(struct pollfd): i32 fd, i16 events, i16 revents. */
const POLLFD_BYTES = 8;
const POLLIN = 1;

/** Something that is awaited: `done` is true when it came, false when its time was over or `wake` was called. */
export interface Waiter {
  done: Promise<boolean>;
  /** Ends the wait. */
  wake(): void;
}

interface Entry {
  fds: number[];
  deadline: number;
  resolve(came: boolean): void;
}

/**
 * Waits for descriptors and for moments on behalf of asynchronous code, with poll(2): the descriptors are of network
 * namespaces and kinds that the runtime's own sockets do not know. Deadlines are in `bootSeconds`.
 */
export class Reactor {
  readonly #entries = new Set<Entry>();
  #isRunning = false;

  /** Until one of the descriptors can be read, or `deadline`. */
  readable(fds: number[], deadline: number): Waiter {
    return this.#wait(fds, deadline);
  }

  /** Until `deadline`. */
  until(deadline: number): Waiter {
    return this.#wait([], deadline);
  }

  #wait(fds: number[], deadline: number): Waiter {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const entry: Entry = { fds, deadline, resolve };
    this.#entries.add(entry);
    if (!this.#isRunning) {
      this.#isRunning = true;
      void this.#run();
    }
    return { done: promise, wake: () => this.#finish(entry, false) };
  }

  #finish(entry: Entry, came: boolean): void {
    if (this.#entries.delete(entry)) entry.resolve(came);
  }

  /** Between two polls all code that has been woken runs until it waits again. */
  async #run(): Promise<void> {
    for (;;) {
      await new Promise<void>((resume) => setImmediate(resume));
      if (this.#entries.size === 0) break;
      this.#poll();
    }
    this.#isRunning = false;
  }

  #poll(): void {
    const watched = [...this.#entries].flatMap((entry) => entry.fds.map((fd) => ({ fd, entry })));
    const fds = new DataView(new ArrayBuffer(Math.max(1, watched.length) * POLLFD_BYTES));
    for (const [index, { fd }] of watched.entries()) {
      fds.setInt32(index * POLLFD_BYTES, fd, true);
      fds.setInt16(index * POLLFD_BYTES + 4, POLLIN, true);
    }
    const next = Math.min(...[...this.#entries].map((entry) => entry.deadline));
    const waitMs = Math.ceil((next - bootSeconds()) * 1000);
    const got = pollAll(
      new Uint8Array(fds.buffer),
      watched.length,
      Math.max(0, Math.min(POLL_LIMIT_MS, waitMs)),
    );
    if (got !== -EINTR) check(got, "poll");
    // An error on a descriptor shows itself to whoever reads it.
    if (got > 0) {
      for (const [index, { entry }] of watched.entries())
        if (fds.getInt16(index * POLLFD_BYTES + 6, true) !== 0) this.#finish(entry, true);
    }
    const now = bootSeconds();
    for (const entry of [...this.#entries]) if (entry.deadline <= now) this.#finish(entry, false);
  }
}
