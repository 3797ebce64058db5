/**
 * What Podman and netavark of each generation send, word for word: recorded between the programs of Debian 13 and sid;
 * for Podman 6 with netavark 2, which no release has yet, written after their documentation. Up to 1.17 netavark sends
 * null for what is absent, 2.x leaves it out and sends the networks in order.
 */

import { expect, test } from "bun:test";
import { basename } from "node:path";
import { type Json, podmanCall } from "../support/netavark.ts";
import { addressesOf, bed, linkOf } from "../support/netavark-bed.ts";

interface Recorded {
  as: "plugin" | "netavark";
  words: string[];
  input: Json;
}

interface Block {
  interfaces: Record<string, { mac_address: string; subnets: { ipnet: string }[] }>;
}

const directory = `${import.meta.dir}/recorded`;
const files = [...new Bun.Glob("*.json").scanSync({ cwd: directory, absolute: true })].sort();

test.each(files.map((file) => [basename(file, ".json"), file]))("%s", async (_name, file) => {
  const calls: Recorded[] = await Bun.file(file).json();
  expect(calls.length).toBeGreaterThan(0);
  await using world = await bed("eth0");
  const { host, container } = world;
  for (const { as, words, input } of calls) {
    const answer = await podmanCall(
      host,
      words.map((word) => (word === "NETNS" ? container.path : word)),
      input,
    );
    expect(answer).toMatchObject({ exitCode: 0, stderr: "" });
    if (words.includes("create")) {
      const asked = (input.network ?? input) as Json;
      const { name, id, driver } = asked;
      expect(answer.json).toMatchObject({ name, id, driver, network_interface: "eth0", dns_enabled: false });
    } else if (words.includes("setup")) {
      const blocks = as === "plugin" ? [answer.json] : Object.values(answer.json as Json);
      for (const { interfaces } of blocks as Block[]) {
        for (const [name, { mac_address, subnets }] of Object.entries(interfaces)) {
          const link = await linkOf(container, name);
          expect(link?.address).toBe(mac_address);
          expect(addressesOf(link)).toEqual(subnets.map(({ ipnet }) => ipnet));
        }
      }
    } else {
      expect(answer.stdout).toBe("");
    }
  }
  expect(await container.linkNames()).toEqual([]);
});
