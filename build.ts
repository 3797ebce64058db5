/**
 * Builds the plugin: `bun run build.ts [--outfile PATH]`.
 * First the AssemblyScript codec, then one self-contained executable that carries it as base64 text.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { copyInPieces } from "./src/cli/copy.ts";
import { type Chunks, tightened } from "./src/release/chunks.ts";
import { alignSegments } from "./src/release/segments.ts";
import { MEMORY_PAGES } from "./wasm/layout.ts";

/** Where everything is. */
export const repository = import.meta.dir;
const root = repository;

/**
 * Compiles wasm/index.ts into dist/codec.wasm unless that is newer than every source, and returns its bytes.
 * Throws with the compiler's output when it does not compile.
 */
export function buildCodec(): Uint8Array {
  const output = join(root, "dist/codec.wasm");
  if (!isCurrent(output)) {
    mkdirSync(dirname(output), { recursive: true });
    compileCodec(join(root, "wasm"), output);
  }
  return readFileSync(output);
}

/** As `buildCodec`, the script that `scriptOf` makes of the codec, in dist/codec.js. */
export async function buildScript(): Promise<string> {
  const output = join(root, "dist/codec.js");
  if (isCurrent(output)) return readFileSync(output, "utf8");
  const script = await scriptOf(buildCodec());
  // Several may build at once: none must read half a file.
  writeFileSync(`${output}.${process.pid}`, script);
  renameSync(`${output}.${process.pid}`, output);
  return script;
}

/** True when the codec's output is newer than all that it is made of. */
function isCurrent(output: string): boolean {
  const sources = readdirSync(join(root, "wasm")).map((name) => join(root, "wasm", name));
  const newest = Math.max(...[...sources, join(root, "build.ts")].map((path) => statSync(path).mtimeMs));
  return existsSync(output) && statSync(output).mtimeMs >= newest;
}

/** Compiles a codec from the sources in `directory`. Throws with the compiler's output when it does not compile. */
export function compileCodec(directory: string, output: string): void {
  const compiler = Bun.spawnSync({
    cmd: [
      process.execPath,
      join(root, "node_modules/assemblyscript/bin/asc.js"),
      ...compilerWords(directory, output),
    ],
    cwd: root,
  });
  if (compiler.exitCode !== 0) throw new Error(`asc failed:\n${compiler.stderr}${compiler.stdout}`);
}

/** What the AssemblyScript compiler is told, to make `output` from the sources in `directory`. */
export function compilerWords(directory: string, output: string): string[] {
  return [
    join(directory, "index.ts"),
    ...["--outFile", output],
    // No collector, no allocator, no start function, memory of a fixed size: nothing to initialise.
    ...["--runtime", "stub", "-O2", "--noAssert", "--converge"],
    ...["--initialMemory", `${MEMORY_PAGES}`, "--maximumMemory", `${MEMORY_PAGES}`],
  ];
}

/**
 * The compiled codec as a script, the module `codec:script`: what WebAssembly would do in a memory of its own. Throws when
 * binaryen writes other text than what is trimmed here.
 */
async function scriptOf(codec: Uint8Array): Promise<string> {
  const { default: binaryen } = await import("binaryen");
  const module = binaryen.readBinary(codec);
  const script = module.emitAsmjs();
  module.dispose();
  const end = script.indexOf("\nvar retasmFunc");
  const memory = /"memory": Object\.create\([\s\S]*?\n {2}\}\)/;
  if (end < 0 || !memory.test(script)) throw new Error("binaryen's script has another shape than expected");
  const trimmed = script
    .slice(0, end)
    .replace(memory, '"memory": { buffer }')
    // The memory's only user, which is trimmed.
    .replace(/^ function __wasm_memory_size\(\) {\n.*\n }\n \n/m, "")
    // Views and functions of Math that nothing uses would be made at each start.
    .replace(/^ var (HEAP\w+|Math_\w+) = .*;\n/gm, (line, name) =>
      script.split(name).length === 2 ? "" : line,
    );
  return `${trimmed}\nexport { asmFunc as instantiate };\n`;
}

/** Finds `codec:script` for the bundler, and for tests. */
export function codecScript(script: string): Bun.BunPlugin {
  return {
    name: "codec as a script",
    setup(build) {
      build.onResolve({ filter: /^codec:script$/ }, ({ path }) => ({ path, namespace: "codec" }));
      build.onLoad({ filter: /./, namespace: "codec" }, () => ({ contents: script, loader: "js" }));
    },
  };
}

export interface BuildOptions {
  /** Bun's names, `bun-linux-x64` …; this machine when left out. */
  target?: Bun.Build.CompileTarget;
  /** Another main file, built with the same settings; for benchmarks. */
  entrypoint?: string;
  /** For benchmarks on kernels without ipvlan: the same plugin with this kind of link. */
  linkKind?: "ipvlan" | "macvlan";
  /** For benchmarks: with the stop-watch of src/profile.ts. */
  profile?: boolean;
}

/** Builds the executable at `outfile`. Returns the paths of the files that are linked into it. */
export async function buildExecutable(outfile: string, options: BuildOptions = {}): Promise<string[]> {
  const { target, entrypoint = join(root, "src/main.ts"), linkKind = "ipvlan", profile = false } = options;
  const arch = target === undefined ? process.arch : target.includes("arm64") ? "arm64" : "x64";
  const { main, chunks, inputs } = await bundle(entrypoint, { linkKind, profile, arch });
  // A place that is nowhere: the same bytes wherever the repository is.
  const place = (name: string) => `/bundle/${name}`;
  const files = [...(await tightened(chunks))].map(([name, text]) => [place(name), text]);
  await Bun.build({
    entrypoints: [place(main)],
    files: Object.fromEntries(files),
    target: "bun",
    minify: true,
    bytecode: true,
    splitting: true,
    format: "esm",
    compile: {
      outfile,
      ...(target === undefined ? {} : { target }),
      // A plugin runs as root in whatever directory the runtime stands in: nothing there may configure it.
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
      // No call lives long enough for a compiler of machine code to pay off.
      jitPolicy: 1e9,
      execArgv: ["--disallow-code-generation-from-strings=strict"],
    },
  });
  align(outfile);
  return inputs;
}

/** The sources as chunks of plain text: the name of the first one, all by their names, and the paths of what they are made of. */
async function bundle(
  entrypoint: string,
  { linkKind, profile, arch }: { linkKind: string; profile: boolean; arch: string },
): Promise<{ main: string; chunks: Chunks; inputs: string[] }> {
  const { outputs, metafile } = await Bun.build({
    metafile: true,
    plugins: [oneCore, codecScript(await buildScript())],
    entrypoints: [entrypoint],
    target: "bun",
    minify: { syntax: true },
    splitting: true,
    format: "esm",
    define: {
      CODEC_WASM: JSON.stringify(buildCodec().toBase64()),
      LINK_KIND: JSON.stringify(linkKind),
      PLUGIN_VERSION: JSON.stringify(version()),
      PROFILE: String(profile),
      // One of two tables of system calls stays.
      "process.arch": JSON.stringify(arch),
    },
  });
  const chunks = new Map<string, string>();
  for (const output of outputs) chunks.set(basename(output.path), await output.text());
  const main = outputs.find(({ kind }) => kind === "entry-point");
  return { main: basename(main!.path), chunks, inputs: Object.keys(metafile?.inputs ?? {}) };
}

/** Makes the kernel map the executable by huge pages, see `alignSegments`. */
function align(executable: string): void {
  const aligned = `${executable}.${process.pid}`;
  writeFileSync(aligned, alignSegments(new Uint8Array(readFileSync(executable))));
  rmSync(executable);
  copyInPieces(aligned, executable, 0o755);
  rmSync(aligned);
}

/** All that an ADD runs. */
const CORE = join(root, "src/cni/face.ts");

/**
 * Has everything that is loaded on demand load the core first. The bundler makes a chunk of its own of whatever has the
 * same set of users, so that an ADD would load twenty-four of them, at 0.6 ms of processor time; where all users load
 * everything, it is one.
 */
const oneCore: Bun.BunPlugin = {
  name: "one core",
  setup(build) {
    const users = loadedOnDemand().map((path) => RegExp.escape(path));
    const core = `import ${JSON.stringify(CORE)};\n`;
    build.onLoad({ filter: new RegExp(`^(${users.join("|")})$`) }, async ({ path }) => ({
      loader: "ts",
      contents: core + (await Bun.file(path).text()),
    }));
  },
};

/** The sources that others load with import() or require(), but for the core. */
function loadedOnDemand(): string[] {
  const scanner = new Bun.Transpiler({ loader: "ts" });
  const found = new Set<string>();
  for (const name of new Bun.Glob("src/**/*.ts").scanSync({ cwd: root })) {
    const source = join(root, name);
    for (const { kind, path } of scanner.scanImports(readFileSync(source, "utf8")))
      if ((kind === "dynamic-import" || kind === "require-call") && path.startsWith("."))
        found.add(join(dirname(source), path));
  }
  found.delete(CORE);
  return [...found].sort();
}

/** From package.json. */
export function version(): string {
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
