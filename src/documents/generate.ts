/**
 * Writes what is in the documents because it is in the source: `bun run documents`. test/unit/generated.test.ts tells
 * when that has been forgotten.
 */
import { join } from "node:path";
import { manualPage } from "./man.ts";
import { beyondTable, keysTable, networkTable, optionsDocument } from "./options.ts";
import { performanceText, targetsText } from "./performance.ts";
import { configurationSchema } from "./schema.ts";

const root = join(import.meta.dir, "../..");

/** What is made of each document that is not made whole: the text for each of its named places. */
async function parts(): Promise<Record<string, Record<string, string>>> {
  const baseline = await Bun.file(join(root, "test/bench/baseline.json")).json();
  return {
    "README.md": {
      options: networkTable(),
      figures: performanceText(baseline),
    },
    "docs/performance.md": { targets: targetsText(baseline) },
    "docs/options.md": { options: beyondTable() },
    "docs/ipam.md": {
      "host-local": keysTable("host-local", "ipam"),
      range: keysTable("range"),
      static: keysTable("static", "ipam"),
      address: keysTable("address"),
      route: keysTable("route"),
    },
    "docs/dhcp.md": {
      dhcp: keysTable("dhcp", "ipam"),
      provide: keysTable("provide"),
      request: keysTable("request"),
    },
  };
}

/** Every file that is made, or has parts that are: its path below the repository, and its text. */
export async function generatedFiles(): Promise<Record<string, string>> {
  const { version } = await Bun.file(join(root, "package.json")).json();
  const files: Record<string, string> = {
    "docs/configuration.md": optionsDocument(),
    "docs/ipvlan.schema.json": `${JSON.stringify(configurationSchema(), null, 2)}\n`,
    "docs/ipvlan.8": manualPage(version),
  };
  for (const [path, places] of Object.entries(await parts())) {
    let text = await Bun.file(join(root, path)).text();
    for (const [name, part] of Object.entries(places)) text = withPart(path, text, name, part);
    files[path] = text;
  }
  return files;
}

/** Puts the part where the document has its name. */
function withPart(path: string, text: string, name: string, part: string): string {
  const [start, end] = [`<!-- ${name}: made by \`bun run documents\` -->\n`, `<!-- end of ${name} -->`];
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${path} lacks ${start.trim()} … ${end}`);
  return `${text.slice(0, from + start.length)}\n${part}\n\n${text.slice(to)}`;
}

if (import.meta.main)
  for (const [path, text] of Object.entries(await generatedFiles())) await Bun.write(join(root, path), text);
