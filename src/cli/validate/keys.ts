import { isObject } from "../../json.ts";
import { keysOf, type Section } from "../configuration.ts";
import { IPAM_PLACES } from "../configuration-ipam.ts";
import { nearest } from "../nearest.ts";
import type { Findings } from "./finding.ts";
import { follow, type Located } from "./json.ts";
import type { Source } from "./source.ts";

/** Warns of keys that nobody reads, and of those that are there twice. */
export function checkKeys(plugin: Located, source: Source, findings: Findings): void {
  const type = follow(plugin, "ipam.type").value;
  const isInside = typeof type === "string" && follow(plugin, "ipam.external").value !== true;
  const ofType = isInside && Object.hasOwn(IPAM_PLACES, type) ? IPAM_PLACES[type]! : [];
  const sections: [path: string, ...Section["id"][]][] = [["", "network"], ["dns", "dns"], ...ofType];
  for (const [path, ...ids] of sections)
    for (const node of reach(plugin, path)) checkObject(node, ids, source, findings);
}

/** What is at that path; `[]` stands for every item of a list. */
function reach(root: Located, path: string): Located[] {
  let nodes = [root];
  for (const [, key] of path.matchAll(/([^.[\]]+)|\[\]/g)) {
    nodes = nodes.flatMap((node) =>
      key === undefined
        ? (node.items ?? [])
        : (node.members ?? []).filter((member) => same(member.key, key)).map((member) => member.node),
    );
  }
  return nodes.filter((node) => isObject(node.value));
}

export function checkObject(node: Located, ids: Section["id"][], source: Source, findings: Findings): void {
  const known = keysOf(...ids).map(({ name }) => name);
  const members = node.members ?? [];
  for (const [index, { key, keyAt }] of members.entries()) {
    const position = source.position(keyAt);
    const earlier = members.slice(0, index).find((member) => same(member.key, key));
    if (earlier !== undefined)
      findings.add(
        "warning",
        position,
        `"${key}" is given twice; only the later one counts`,
        "remove one of them",
      );
    if (known.some((name) => same(name, key))) continue;
    const guess = nearest(key, known);
    findings.add(
      "warning",
      position,
      `"${key}" is no key of ${describe(ids)}: it has no effect`,
      guess === undefined ? undefined : `did you mean "${guess}"?`,
    );
  }
}

function describe(ids: Section["id"][]): string {
  const id = ids.at(-1);
  if (id === "network") return "an ipvlan network";
  if (id === "list") return "a list of plugins";
  if (id === "provide" || id === "request") return `an entry of ipam.${id}`;
  return id !== undefined && id in IPAM_PLACES ? `ipam of type ${id}` : `this ${id}`;
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
