import { expect, test } from "bun:test";
import { join } from "node:path";
import { decodeConfig, networkConfig } from "../../src/cni/config.ts";
import { OPTION_KEYS } from "../../src/cni/option-keys.ts";

const page = await Bun.file(join(import.meta.dir, "../../docs/options.md")).text();

test("every option has its row and its words in docs/options.md", () => {
  for (const key of OPTION_KEYS) {
    expect([key, page.includes(`| \`${key}\``)]).toEqual([key, true]);
    expect([key, page.split(`\`${key}\``).length > 2 || page.includes(`"${key}"`)]).toEqual([key, true]);
  }
});

test("every configuration in docs/options.md is one that ADD takes", () => {
  const examples = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text]) => text!);
  expect(examples.length).toBeGreaterThanOrEqual(8);
  for (const text of examples) {
    const raw = decodeConfig(Buffer.from(text));
    expect(networkConfig(raw, "1.1.0", "ADD").endpoint.options).toBeDefined();
  }
});
