import { isObject } from "../../json.ts";
import type { Findings } from "./finding.ts";
import { follow, JsonError, type Located, locate } from "./json.ts";
import { checkObject } from "./keys.ts";
import { checkPlugin, type Surroundings } from "./plugin.ts";
import { checkPodmanNetwork, isPodmanNetwork } from "./podman.ts";
import { insideString, insideYaml, isYaml, type Source, wholeFile } from "./source.ts";

const TOP = { line: 1, column: 1 };

/** Looks at one file, whatever kind of configuration it holds. */
export function checkFile(path: string, text: string, findings: Findings): void {
  if (isYaml(path, text)) checkYaml(text, findings);
  else checkJson(wholeFile(text), undefined, findings);
}

function checkYaml(text: string, findings: Findings): void {
  let documents: unknown;
  try {
    documents = Bun.YAML.parse(text);
  } catch (thrown) {
    findings.add("error", TOP, `this is neither JSON nor YAML: ${(thrown as Error).message}`);
    return;
  }
  const definitions = [documents].flat().filter(isDefinition);
  if (definitions.length === 0)
    findings.add("warning", TOP, "there is no NetworkAttachmentDefinition in this file");
  for (const { spec, metadata } of definitions) {
    if (typeof spec?.config === "string" && spec.config.trim() !== "")
      checkJson(insideYaml(text, spec.config), metadata?.name, findings);
    else noteEmptyDefinition(spec?.config, TOP, findings);
  }
}

interface Definition {
  metadata?: { name?: string };
  spec?: { config?: unknown };
}

function isDefinition(document: unknown): document is Definition {
  return isObject(document) && (document as { kind?: unknown }).kind === "NetworkAttachmentDefinition";
}

function noteEmptyDefinition(
  config: unknown,
  position: { line: number; column: number },
  findings: Findings,
) {
  if (config === undefined || config === "")
    findings.add(
      "warning",
      position,
      "without spec.config Multus looks for a file of that name on each node",
    );
  else
    findings.add(
      "error",
      position,
      "spec.config must be a string that holds JSON",
      "write it behind `config: |`",
    );
}

/** `name` is of the attachment definition around it: Multus puts it in where there is none. */
function checkJson(source: Source, name: string | undefined, findings: Findings): void {
  let root: Located;
  try {
    root = locate(source.text);
  } catch (thrown) {
    if (!(thrown instanceof JsonError)) throw thrown;
    findings.add("error", source.position(thrown.at), thrown.message);
    return;
  }
  const { value } = root;
  if (!isObject(value)) {
    findings.add("error", source.position(root.at), "a configuration is a JSON object");
  } else if (isDefinition(value)) {
    const config = follow(root, "spec.config");
    if (typeof config.value === "string" && config.value !== "")
      checkJson(insideString(source, config), value.metadata?.name, findings);
    else noteEmptyDefinition(value.spec?.config, source.position(config.at), findings);
  } else if (isPodmanNetwork(value)) {
    checkPodmanNetwork(root, source, findings);
  } else if ("plugins" in value) {
    checkList(root, value, source, name, findings);
  } else {
    const own = "name" in value ? {} : { name };
    checkOne(root, { ...own, isChained: false }, source, findings);
  }
}

function checkList(
  root: Located,
  list: { name?: unknown; cniVersion?: unknown; plugins?: unknown },
  source: Source,
  name: string | undefined,
  findings: Findings,
): void {
  checkObject(root, ["list"], source, findings);
  const plugins = follow(root, "plugins");
  if (plugins.items === undefined || plugins.items.length === 0) {
    findings.add("error", source.position(plugins.at), '"plugins" must be a list with a plugin in it');
    return;
  }
  for (const key of ["disableCheck", "disableGC", "loadOnlyInlinedPlugins"]) {
    const { value, at } = follow(root, key);
    if (key in list && typeof value !== "boolean" && value !== "true" && value !== "false")
      findings.add("error", source.position(at), `"${key}" must be true or false`);
  }
  const surroundings = { name: list.name ?? name ?? "", cniVersion: list.cniVersion };
  for (const [index, plugin] of plugins.items.entries())
    checkOne(plugin, { ...surroundings, isChained: index > 0 }, source, findings);
}

function checkOne(plugin: Located, surroundings: Surroundings, source: Source, findings: Findings): void {
  if (!isObject(plugin.value)) {
    findings.add("error", source.position(plugin.at), "a plugin's configuration is a JSON object");
    return;
  }
  const type = follow(plugin, "type");
  const written = (plugin.value as { type?: unknown }).type;
  if (typeof written !== "string" || written === "")
    findings.add("error", source.position(type.at), '"type" is missing: the name of the plugin\'s program');
  if (written === "ipvlan" || written === undefined) checkPlugin(plugin, surroundings, source, findings);
}
