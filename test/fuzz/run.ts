/**
 * Fuzzes the codec that ships, guided by coverage:
 *
 *   bun test/fuzz/run.ts [SECONDS]     for so long in all (60 when left out), spread over the targets
 *   --target NAME                      walk, seek or request only
 *
 * Each target first has to find a defect that was planted in a copy of the codec's sources. What is found is kept in
 * dist/fuzz and told; the exit status is 1 then. test/fuzz/setup installs what this takes.
 */

import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildCodec, compileCodec } from "../../build.ts";
import * as layout from "../../wasm/layout.ts";
import { repository } from "../kernel/environment.ts";
import { planted } from "./planted.ts";
import { isTarget, type Target, targets, writeSeeds } from "./seeds.ts";

const PLANTED_SECONDS = 300;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { target: { type: "string", multiple: true, default: [...targets] } },
});
const chosen = values.target.filter(isTarget);
const seconds = Number(positionals[0] ?? 60);
if (chosen.length !== values.target.length || chosen.length === 0 || !(seconds > 0)) {
  console.error(`usage: bun test/fuzz/run.ts [SECONDS] [--target ${targets.join("|")}]…`);
  process.exit(2);
}
if (Bun.spawnSync([join(import.meta.dir, "setup")], { stderr: "inherit" }).exitCode !== 0) process.exit(1);

const work = join(repository, "dist/fuzz");
let isBroken = false;
for (const target of chosen) {
  const found = fuzz(target, compiled(target, plant(target)), "planted", PLANTED_SECONDS);
  tell(target, "planted", found, found.why === undefined ? "NOT FOUND" : `found: ${found.why}`);
  const real = fuzz(target, compiled(target, shipped()), "shipped", seconds / chosen.length);
  tell(target, "shipped", real, real.why === undefined ? "nothing found" : `BROKEN: ${real.why}`);
  if (real.why !== undefined) console.log(`  the input is in ${real.artifacts}`);
  isBroken ||= found.why === undefined || real.why !== undefined;
}
process.exit(isBroken ? 1 : 0);

// --- building -----------------------------------------------------------------------------------

function shipped(): string {
  buildCodec();
  return join(repository, "dist/codec.wasm");
}

/** A codec with the target's defect in it. */
function plant(target: Target): string {
  const { file, right, wrong } = planted[target];
  const directory = join(work, `${target}-planted-sources`);
  rmSync(directory, { recursive: true, force: true });
  cpSync(join(repository, "wasm"), directory, { recursive: true });
  const source = readFileSync(join(directory, file), "utf8");
  if (source.split(right).length !== 2)
    throw new Error(`${file} has no place, or several, to plant a defect in`);
  writeFileSync(join(directory, file), source.replace(right, wrong));
  const output = join(work, `${target}-planted.wasm`);
  compileCodec(directory, output);
  return output;
}

/** The fuzzer of a target, with that module in it. */
function compiled(target: Target, module: string): string {
  const directory = `${join(work, target)}-${module.includes("planted") ? "planted" : "shipped"}`;
  mkdirSync(directory, { recursive: true });
  const numbers = Object.entries(layout).filter(([, value]) => typeof value === "number");
  writeFileSync(
    join(directory, "layout.h"),
    numbers.map(([name, value]) => `#define ${name} ${value}\n`).join(""),
  );
  must(["wasm2c", module, "-n", "codec", "-o", join(directory, "codec.c")]);
  must([
    ...["clang-14", "-O2", "-g1", "-w", "-fsanitize=fuzzer", `-DTARGET_${target}`],
    ...["-DWASM_RT_MEMCHECK_SIGNAL_HANDLER=0", `-I${directory}`],
    ...[join(directory, "codec.c"), join(import.meta.dir, "harness.c"), "-o", join(directory, "fuzzer")],
  ]);
  return directory;
}

function must(words: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(words);
  if (exitCode !== 0) throw new Error(`${words[0]} failed:\n${stderr}`);
}

// --- running ------------------------------------------------------------------------------------

interface Found {
  executions: number;
  seconds: number;
  corpus: number;
  /** What broke; undefined when nothing did. */
  why: string | undefined;
  artifacts: string;
}

function fuzz(target: Target, directory: string, kind: "planted" | "shipped", limit: number): Found {
  const grown = join(directory, "grown");
  const artifacts = join(directory, "found");
  for (const made of kind === "planted" ? [grown, artifacts] : [artifacts])
    rmSync(made, { recursive: true, force: true });
  for (const made of [grown, artifacts]) mkdirSync(made, { recursive: true });
  const seeds = join(directory, "seeds");
  // The planted defect is to be found, not to be read from a seed.
  writeSeeds(target, seeds);
  const corpus = [grown, seeds, ...(kind === "planted" ? [] : [join(import.meta.dir, "corpus", target)])];
  const started = performance.now();
  const { stderr } = Bun.spawnSync([
    join(directory, "fuzzer"),
    ...["-max_len=1400", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1", "-len_control=50"],
    ...[`-max_total_time=${Math.ceil(limit)}`, `-artifact_prefix=${artifacts}/`, ...corpus],
  ]);
  const log = stderr.toString();
  const isFound = readdirSync(artifacts).length > 0;
  const why = /^BROKEN: (.*)$/m.exec(log)?.[1] ?? /SUMMARY: libFuzzer: (.*)/.exec(log)?.[1];
  const executions = Number(/stat::number_of_executed_units:\s*(\d+)/.exec(log)?.[1] ?? lastCount(log));
  if (!isFound && executions === 0) throw new Error(`the fuzzer did not run:\n${log}`);
  return {
    executions,
    seconds: (performance.now() - started) / 1000,
    corpus: readdirSync(grown).length,
    why: isFound ? (why ?? "a crash") : undefined,
    artifacts,
  };
}

function lastCount(log: string): number {
  return Number([...log.matchAll(/^#(\d+)/gm)].at(-1)?.[1] ?? 0);
}

function tell(target: Target, kind: string, { executions, seconds: took, corpus }: Found, result: string) {
  const rate = Math.round(executions / took);
  console.log(
    `${target.padEnd(8)} ${kind}  ${executions} executions in ${took.toFixed(0)} s (${rate}/s), ` +
      `${corpus} inputs kept; ${result}`,
  );
}
