/** Every command of docs/podman.md does what it says, with this release's Podman and images of our own under the names used. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { repository } from "../kernel/environment.ts";
import { command, mustRun } from "../support/command.ts";
import { type Block, blocksOf, runnable, withPodman } from "../support/documented.ts";
import type { Namespace } from "../support/namespace.ts";
import { backend, places, prepareMachine, records, removeMachine } from "./machine.ts";

const [document] = withPodman as [string];
/** Which backend a section is for; the others are for both. */
const backends: Record<string, string> = {
  "A plugin of netavark": "netavark",
  "In netavark's place": "netavark",
  "Podman with CNI": "cni",
};
const configuration = "/etc/containers/containers.conf.d/ipvlan.conf";

let outside: Namespace;

beforeAll(async () => {
  outside = await prepareMachine();
  for (const place of Object.values(places)) await rm(place, { force: true });
  // The page's gateway is the router of the wire, not this machine.
  await outside.ip("address add 192.0.2.1/24 dev eth0\naddress add 2001:db8:1::1/64 dev eth0 nodad");
  await mustRun(["ip", "-batch", "-"], {
    stdin: `address flush dev eth0
      address add 192.0.2.9/24 dev eth0
      address add 2001:db8:1::9/64 dev eth0 nodad
      route replace default via 192.0.2.1\n`,
  });
  for (const name of ["docker.io/library/nginx", "docker.io/library/busybox"])
    await mustRun(["podman", "tag", "box", name]);
}, 120_000);

afterAll(async () => {
  await rm(configuration, { force: true });
  await removeMachine(outside);
});

const sections = [...new Set(blocksOf(document).map(({ section }) => section))];

test("every section with commands is one whose backend is known", () => {
  expect(sections.filter((section) => section !== "Podman" && !(section in backends))).toEqual([]);
});

const ours = sections.filter((section) => (backends[section] ?? backend) === backend);

test.each(ours)(
  "the commands under “%s” work, and leave nothing",
  async (section) => {
    const blocks = blocksOf(document).filter((block) => block.section === section);
    const settings = blocksOf(document, "toml").find((block) => block.section === section);
    try {
      if (settings !== undefined) {
        expect(settings.text).toStartWith(`# ${configuration}\n`);
        await mkdir(dirname(configuration), { recursive: true });
        await writeFile(configuration, settings.text);
      }
      const { exitCode, stderr } = await run(blocks);
      expect([exitCode, exitCode === 0 ? "" : stderr]).toEqual([0, ""]);
    } finally {
      // Not every section says how its network is removed.
      await command(["podman", "rm", "--all", "--force", "--time", "0"], { timeoutMs: 60_000 });
      await command(["podman", "network", "rm", "--force", "lan"], { timeoutMs: 60_000 });
      await rm(configuration, { force: true });
      await rm(places.cni, { force: true });
    }
    expect(await records()).toEqual([]);
  },
  120_000,
);

function run(blocks: Block[]) {
  const script = blocks.map((block) => runnable(document, block)).join("\n");
  return command(["sh", "-euc", script], { directory: repository, timeoutMs: 100_000 });
}
