/**
 * Builds the plugin: `bun run build.ts [--outfile PATH]`.
 * First the AssemblyScript codec, then one self-contained executable that carries it as base64 text.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { MEMORY_PAGES } from "./wasm/layout.ts";

const root = import.meta.dir;

/**
 * Compiles wasm/index.ts into dist/codec.wasm unless that is newer than every source, and returns its bytes.
 * Throws with the compiler's output when it does not compile.
 */
export function buildCodec(): Uint8Array {
  const output = join(root, "dist/codec.wasm");
  const sources = readdirSync(join(root, "wasm")).map((name) => join(root, "wasm", name));
  const newest = Math.max(...[...sources, join(root, "build.ts")].map((path) => statSync(path).mtimeMs));
  if (!existsSync(output) || statSync(output).mtimeMs < newest) {
    mkdirSync(dirname(output), { recursive: true });
    const compiler = Bun.spawnSync({
      cmd: [
        process.execPath,
        join(root, "node_modules/assemblyscript/bin/asc.js"),
        join(root, "wasm/index.ts"),
        ...["--outFile", output],
        // No collector, no allocator, no start function, memory of a fixed size: nothing to initialise.
        ...["--runtime", "stub", "-O2", "--noAssert", "--converge"],
        ...["--initialMemory", `${MEMORY_PAGES}`, "--maximumMemory", `${MEMORY_PAGES}`],
      ],
      cwd: root,
    });
    if (compiler.exitCode !== 0) throw new Error(`asc failed:\n${compiler.stderr}${compiler.stdout}`);
  }
  return readFileSync(output);
}

/** Builds the executable at `outfile` for `target` (Bun's names, `bun-linux-x64` …; undefined: this machine). */
export async function buildExecutable(outfile: string, target?: Bun.Build.CompileTarget): Promise<void> {
  const codec = Buffer.from(buildCodec()).toString("base64");
  await Bun.build({
    entrypoints: [join(root, "src/main.ts")],
    minify: true,
    bytecode: true,
    splitting: true,
    format: "esm",
    define: { CODEC_WASM: JSON.stringify(codec), PLUGIN_VERSION: JSON.stringify(version()) },
    compile: {
      outfile,
      ...(target === undefined ? {} : { target }),
      // A plugin runs as root in whatever directory the runtime stands in: nothing there may configure it.
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
      execArgv: ["--disallow-code-generation-from-strings=strict"],
    },
  });
}

function version(): string {
  return JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version;
}

/** The median of how long the executable takes to answer VERSION, in milliseconds, whole process. */
function startUpMs(executable: string): number {
  const times = Array.from({ length: 21 }, () => {
    const start = performance.now();
    const { exitCode } = Bun.spawnSync({ cmd: [executable], env: { CNI_COMMAND: "VERSION" } });
    if (exitCode !== 0) throw new Error(`${executable} does not answer VERSION`);
    return performance.now() - start;
  });
  return times.sort((a, b) => a - b)[10]!;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { outfile: { type: "string", default: join(root, "dist/ipvlan") } },
  });
  await buildExecutable(values.outfile);
  const size = (statSync(values.outfile).size / 1e6).toFixed(1);
  const startUp = startUpMs(values.outfile).toFixed(1);
  console.log(
    `${values.outfile}: ${size} MB, VERSION in ${startUp} ms, codec of ${buildCodec().length} bytes`,
  );
}
