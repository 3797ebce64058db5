/**
 * Writes what is in the documents because it is in the source: `bun run documents`. test/unit/generated.test.ts tells
 * when that has been forgotten.
 */
import { join } from "node:path";
import { manualPage } from "./man.ts";
import { networkTable, optionsDocument } from "./options.ts";
import { configurationSchema } from "./schema.ts";

const root = join(import.meta.dir, "../..");

/** Every generated file: its path below the repository, and its text. */
export async function generatedFiles(): Promise<Record<string, string>> {
  const { version } = await Bun.file(join(root, "package.json")).json();
  const readme = await Bun.file(join(root, "README.md")).text();
  return {
    "docs/configuration.md": optionsDocument(),
    "docs/ipvlan.schema.json": `${JSON.stringify(configurationSchema(), null, 2)}\n`,
    "docs/ipvlan.8": manualPage(version),
    "README.md": withTable(readme, networkTable()),
  };
}

/** Puts the table where the README has it. */
function withTable(readme: string, table: string): string {
  const [start, end] = ["<!-- options: made by `bun run documents` -->\n", "<!-- end of options -->"];
  const [from, to] = [readme.indexOf(start), readme.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`README.md lacks ${start.trim()} … ${end}`);
  return `${readme.slice(0, from + start.length)}\n${table}\n\n${readme.slice(to)}`;
}

if (import.meta.main)
  for (const [path, text] of Object.entries(await generatedFiles())) await Bun.write(join(root, path), text);
