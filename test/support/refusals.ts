/** A table of calls that have to be refused without a trace, in one world. */

import { expect, test } from "bun:test";
import type { Namespace } from "./namespace.ts";
import { type CniError, errorOf, type Network, network, stateOf } from "./network.ts";
import type { Call, Verb } from "./plugin.ts";
import { hostWorld, type World } from "./world.ts";

export interface Ground {
  world: World;
  container: Namespace;
  net: Network;
}

export interface Refusal {
  /** What is wrong: the test's name. */
  of: string;
  /** Changes to the configuration, or another text altogether. */
  config?: Record<string, unknown> | string | ((ground: Ground) => Record<string, unknown>);
  /** Changes to the call; `netns` is the container's otherwise. */
  call?: Call | ((ground: Ground) => Call);
  verb?: Verb;
  code: number;
  /** What `msg` has to name. */
  says: (string | RegExp)[];
  /** What `details` has to name. */
  details?: string | RegExp;
}

/** One test for all rows, so that they share a world; it says which row broke its promise. */
export function refusals(
  sentence: string,
  config: (world: World) => Record<string, unknown>,
  rows: Refusal[],
  prepare: (ground: Ground) => Promise<void> = async () => {},
): void {
  test(sentence, async () => {
    await using world = await hostWorld();
    const ground = { world, container: await world.container(), net: network(world, config(world)) };
    await prepare(ground);
    const before = await stateOf(world);
    const broken: string[] = [];
    for (const row of rows) {
      try {
        const error = await refused(ground, row);
        if (!isAsAnnounced(row, error)) throw new Error(JSON.stringify(error));
      } catch (thrown) {
        broken.push(`${row.of}: ${thrown instanceof Error ? thrown.message : thrown}`);
      }
    }
    expect(broken.join("\n\n")).toBe("");
    // Once for all: what one row leaves the others do not take away.
    expect(await stateOf(world)).toEqual(before);
  });
}

async function refused(ground: Ground, { config, call, verb = "ADD" }: Refusal): Promise<CniError> {
  const { container, net } = ground;
  const { netns = container, ...options } = (typeof call === "function" ? call(ground) : call) ?? {};
  if (typeof config === "string") return errorOf(await net.run(verb, netns, options, config));
  const change = typeof config === "function" ? config(ground) : config;
  return errorOf(await net.with(change ?? {}).run(verb, netns, { containerId: container.name, ...options }));
}

function isAsAnnounced(row: Refusal, error: CniError): boolean {
  const names = (text: string, wanted: string | RegExp) =>
    typeof wanted === "string" ? text.includes(wanted) : wanted.test(text);
  return (
    error.code === row.code &&
    row.says.every((wanted) => names(error.msg, wanted)) &&
    (row.details === undefined || names(error.details ?? "", row.details))
  );
}
