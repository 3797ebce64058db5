/** Named network namespaces that vanish with the test. */

import { type CommandOptions, command, mustRun, type Output } from "./command.ts";

let counter = 0;

/** Fresh network namespaces under /run/netns, in one process, each with its own name after its label. */
export async function namespaces(...labels: string[]): Promise<Namespace[]> {
  const made = labels.map((label) => new Namespace(`${label}-${process.pid}-${++counter}`));
  await batch(made.map(({ name }) => `netns add ${name}`));
  return made;
}

/** A fresh network namespace with loopback up; `await using` removes it. */
export async function namespace(label = "ns"): Promise<Namespace> {
  const [made] = (await namespaces(label)) as [Namespace];
  await made.ip("link set lo up");
  return made;
}

/** Removes namespaces, with all that is in them. */
export async function remove(some: Namespace[]): Promise<void> {
  await batch(some.map(({ name }) => `netns delete ${name}`));
}

async function batch(lines: string[]): Promise<void> {
  await mustRun(["ip", "-batch", "-"], { stdin: `${lines.join("\n")}\n` });
}

export class Namespace implements AsyncDisposable {
  readonly name: string;
  /** What a runtime passes as CNI_NETNS. */
  readonly path: string;

  constructor(name: string) {
    this.name = name;
    this.path = `/run/netns/${name}`;
  }

  /** Runs `ip` commands in here, one a line, in a single process. */
  async ip(lines: string): Promise<void> {
    await mustRun(["ip", "-n", this.name, "-batch", "-"], { stdin: `${lines}\n` });
  }

  /** What `ip` shows in here, in detail: `json("addr show dev eth0")`, `json("-6 route")`. */
  async json<T = Record<string, unknown>[]>(question: string): Promise<T> {
    const words = question.split(" ");
    const text = await mustRun(["ip", "-n", this.name, "-details", "-json", ...words]);
    // Before 6.x, ip printed nothing at all for an empty list.
    return JSON.parse(text.trim() || "[]") as T;
  }

  /** The names of the links in here, loopback apart. */
  async linkNames(): Promise<string[]> {
    const links = await this.json<{ ifname: string }[]>("link show");
    return links.map((link) => link.ifname).filter((name) => name !== "lo");
  }

  /** Runs a program in here, with /sys showing this namespace as it would on a host of its own. */
  run(words: string[], options?: CommandOptions): Promise<Output> {
    return command(["ip", "netns", "exec", this.name, ...words], options);
  }

  /**
   * Whether `address` answers a ping from here within `seconds`. It is asked again while it does not,
   * because duplicate address detection and neighbour discovery take a moment after a link is up.
   */
  async reaches(address: string, seconds = 8): Promise<boolean> {
    const deadline = performance.now() + seconds * 1000;
    do {
      const { exitCode } = await this.run(["ping", "-n", "-q", "-c1", "-W0.4", address]);
      if (exitCode === 0) return true;
      await Bun.sleep(50);
    } while (performance.now() < deadline);
    return false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await remove([this]);
  }
}
