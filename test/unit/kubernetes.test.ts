/** The examples for Kubernetes are valid, and keep to what they say. */

import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DaemonSet } from "kubernetes-models/apps/v1/DaemonSet";
import { COMMANDS } from "../../src/cli/commands.ts";
import { validateFile } from "../../src/cli/validate.ts";

const directory = join(import.meta.dir, "../../docs/kubernetes");

test.each(["attachments.yaml", "10-ipvlan.conflist"])(
  "%s has nothing that the plugin would refuse or ignore",
  (name) => {
    expect(validateFile(join(directory, name))).toEqual([]);
  },
);

const MANIFESTS = ["kubernetes/installer.yaml", "dhcp/daemonset.yaml"];
const manifest = (name: string) =>
  Bun.YAML.parse(readFileSync(join(directory, "..", name), "utf8")) as ConstructorParameters<
    typeof DaemonSet
  >[0];

test.each(MANIFESTS)("%s is what the published schema of a DaemonSet asks for", (name) => {
  const written = manifest(name);
  expect(written).toMatchObject({ apiVersion: DaemonSet.apiVersion, kind: DaemonSet.kind });
  new DaemonSet(written).validate();
});

test("the schema refuses a manifest that is wrong", () => {
  const wrong = structuredClone(manifest(MANIFESTS[0]!)) as {
    spec: { template: { spec: { hostPID: unknown } } };
  };
  wrong.spec.template.spec.hostPID = "yes";
  expect(() => new DaemonSet(wrong as never).validate()).toThrow("hostPID");
});

test("no manifest has a key that Kubernetes does not know, which it would pass over", () => {
  // The schemas allow any key. The types do not, in an object that is written down.
  const types = join(import.meta.dir, "../../node_modules/kubernetes-models/apps/v1/DaemonSet");
  const check = (manifests: unknown[]) => {
    const scratch = mkdtempSync(join(tmpdir(), "ipvlan-manifests-"));
    try {
      const texts = manifests.map((each) => ` = ${JSON.stringify(each)};`);
      writeFileSync(
        join(scratch, "manifests.ts"),
        `import type { IDaemonSet } from "${types}";\n${texts.map((text, index) => `export const m${index}: IDaemonSet${text}`).join("\n")}`,
      );
      const tsc = join(import.meta.dir, "../../node_modules/.bin/tsc");
      const options = [
        "--ignoreConfig",
        "--noEmit",
        "--strict",
        "--skipLibCheck",
        "--module",
        "nodenext",
        "--types",
        "",
      ];
      return Bun.spawnSync([tsc, ...options, join(scratch, "manifests.ts")]).stdout.toString();
    } finally {
      rmSync(scratch, { recursive: true });
    }
  };
  expect(check(MANIFESTS.map(manifest))).toBe("");
  const wrong = structuredClone(manifest(MANIFESTS[0]!)) as { spec: { template: { spec: object } } };
  Object.assign(wrong.spec.template.spec, { hostPid: true });
  expect(check([wrong])).toContain("hostPid");
});

test("each attachment is an object that Multus's definition takes: a name, and a configuration that is a string", () => {
  const definitions = Bun.YAML.parse(readFileSync(join(directory, "attachments.yaml"), "utf8")) as unknown[];
  for (const definition of definitions)
    expect(definition).toEqual({
      apiVersion: "k8s.cni.cncf.io/v1",
      kind: "NetworkAttachmentDefinition",
      metadata: { name: expect.stringMatching(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/) },
      spec: { config: expect.any(String) },
    });
});

test("the annotation in docs/kubernetes.md asks for attachments that there are", async () => {
  const page = readFileSync(join(directory, "../kubernetes.md"), "utf8");
  const [, text = ""] = /```yaml\n([\s\S]*?)```/.exec(page) ?? [];
  const { metadata } = Bun.YAML.parse(text) as { metadata: { annotations: Record<string, string> } };
  const wanted = JSON.parse(metadata.annotations["k8s.v1.cni.cncf.io/networks"]!) as { name: string }[];
  const names = (
    Bun.YAML.parse(readFileSync(join(directory, "attachments.yaml"), "utf8")) as Definition[]
  ).map((definition) => definition.metadata.name);
  expect(wanted.filter(({ name }) => !names.includes(name))).toEqual([]);
});

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
