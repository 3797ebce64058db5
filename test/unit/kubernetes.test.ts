/** The examples for Kubernetes are valid, and keep to what they say. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { COMMANDS } from "../../src/cli/commands.ts";
import { validateFile } from "../../src/cli/validate.ts";

const directory = join(import.meta.dir, "../../docs/kubernetes");

test.each(["attachments.yaml", "10-ipvlan.conflist"])(
  "%s has nothing that the plugin would refuse or ignore",
  (name) => {
    expect(validateFile(join(directory, name))).toEqual([]);
  },
);

interface Definition {
  metadata: { name: string };
  spec: { config: string };
}

interface Plugin {
  type: string;
  master: string;
  mode?: string;
  flag?: string;
}

test("attachments have names of their own, and those on one master share its mode", () => {
  const definitions = Bun.YAML.parse(
    readFileSync(join(directory, "attachments.yaml"), "utf8"),
  ) as Definition[];
  const names = definitions.map(({ metadata }) => metadata.name);
  expect(names.length).toBe(new Set(names).size);
  const ports = new Map<string, string>();
  for (const { metadata, spec } of definitions) {
    const { name, plugins, ...single } = JSON.parse(spec.config) as { name: string; plugins?: Plugin[] };
    expect(name).toBe(metadata.name);
    const { master, mode = "l2", flag = "bridge" } = plugins?.[0] ?? (single as Plugin);
    expect(`${mode} ${flag}`).toBe(ports.get(master) ?? `${mode} ${flag}`);
    ports.set(master, `${mode} ${flag}`);
  }
});

interface Container {
  command: string[];
  volumeMounts: { name: string }[];
  readinessProbe?: { exec: { command: string[] } };
}

test("the installer calls commands that exist, with options they have, and mounts volumes it declares", () => {
  const set = Bun.YAML.parse(readFileSync(join(directory, "installer.yaml"), "utf8")) as {
    spec: {
      selector: { matchLabels: object };
      template: {
        metadata: { labels: object };
        spec: { initContainers: Container[]; containers: Container[]; volumes: { name: string }[] };
      };
    };
  };
  const { selector, template } = set.spec;
  expect(template.metadata.labels).toEqual(selector.matchLabels);
  const { initContainers, containers, volumes } = template.spec;
  const all = [...initContainers, ...containers];
  const calls = all.flatMap(({ command, readinessProbe }) => [command, readinessProbe?.exec.command ?? []]);
  for (const [program, name, ...words] of calls) {
    if (program !== "/ipvlan") continue;
    const command = COMMANDS.find((each) => each.name === name);
    for (const word of words.filter((each) => each.startsWith("--")))
      expect(command?.options?.map((option) => `--${option.name}`)).toContain(word);
  }
  const mounted = all.flatMap(({ volumeMounts }) => volumeMounts.map(({ name }) => name));
  expect(new Set(mounted)).toEqual(new Set(volumes.map(({ name }) => name)));
});
