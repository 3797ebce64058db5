/** Source files as trees, of the TypeScript compiler that checks the types; AssemblyScript has the same grammar. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SourceFile } from "typescript/unstable/ast";
import { API } from "typescript/unstable/async";
import { repository } from "../kernel/environment.ts";

/** Nothing but these files: what they import and what their types mean does not matter here. */
const compilerOptions = { noLib: true, noResolve: true, types: [], allowImportingTsExtensions: true };

/** The trees of files, by their paths relative to the repository. */
export async function parse(files: string[]): Promise<Map<string, SourceFile>> {
  const directory = mkdtempSync(join(tmpdir(), "ipvlan-parse-"));
  const project = join(directory, "tsconfig.json");
  const paths = files.map((file) => join(repository, file));
  writeFileSync(project, JSON.stringify({ compilerOptions, files: paths }));
  const api = new API({ cwd: repository });
  try {
    const snapshot = await api.updateSnapshot({ openProjects: [project] });
    const program = snapshot.getProjects()[0]!.program;
    const trees = new Map<string, SourceFile>();
    for (const file of files) {
      const tree = await program.getSourceFile(join(repository, file));
      if (tree === undefined) throw new Error(`${file} is no source file`);
      trees.set(file, tree);
    }
    return trees;
  } finally {
    await api.close();
    rmSync(directory, { recursive: true });
  }
}
