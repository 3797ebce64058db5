/**
 * What an address costs as leases grow: whole processes of host-local, ADD and then DEL, ours beside the reference's
 * in one interleaved run.
 *
 *   bun test/bench/leases.ts [--rounds 30] [--write]
 *
 * Prints a table and whether the target is met; with --write also docs/ipam-cost.json and docs/ipam-cost.svg.
 */

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildExecutable } from "../../build.ts";
import { copyInPieces } from "../../src/cli/copy.ts";
import { formatAddress } from "../../src/net/ip.ts";
import { repository } from "../kernel/environment.ts";
import { referencePlugins } from "../support/ipam.ts";
import { plot, type Series } from "./plot.ts";
import { ratioOf, type Spread, shuffled, spreadOf } from "./statistics.ts";
import { compile, type Program, Timer } from "./timer.ts";

const SIZES = [0, 10, 1000, 10_000, 50_000];
/** How many leases the second and the third size of the target have. */
const SMALL = 10;
const LARGE = 10_000;
/** Our time at 10,000 leases, in times of our own at 10, and the reference's in times of ours. */
const GROWTH_MAX = 1.2;
const LEAD_MIN = 10;

const OURS = "this plugin";
const RIVAL = "reference 1.9.1";
const SUBNET = "10.64.0.0/10";
const FIRST = 0x0a400002;

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "30" }, write: { type: "boolean", default: false } },
});
const rounds = Number(values.rounds);
const directory = mkdtempSync(join(tmpdir(), "ipvlan-bench-ipam-"));
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));

interface Contender {
  name: string;
  path: string;
}

interface Sample {
  wallMs: number;
  cpuMs: number;
}

async function contenders(): Promise<Contender[]> {
  const built = join(directory, "built");
  await buildExecutable(built);
  // Fresh copies, because the page cache keeps a file as it happened to be written.
  const copied = (from: string, name: string) => {
    const path = join(directory, name);
    mkdirSync(join(path, ".."), { recursive: true });
    copyInPieces(from, path, 0o755);
    return path;
  };
  const reference = async (release: "1.9.1" | "1.1.1") =>
    copied(`${await referencePlugins(release)}/host-local`, `reference-${release}/host-local`);
  copied(built, "ipvlan");
  symlinkSync("ipvlan", join(directory, "host-local"));
  return [
    { name: OURS, path: join(directory, "host-local") },
    { name: RIVAL, path: await reference("1.9.1") },
    { name: "reference 1.1.1", path: await reference("1.1.1") },
  ];
}

function storeOf(contender: Contender, size: number): string {
  return join(directory, `store of ${contender.name}, ${size}`.replaceAll(" ", "-"));
}

/** A store with so many leases, given one after the other. */
function fill(store: string, size: number): void {
  const network = join(store, "net");
  mkdirSync(network, { recursive: true });
  const name = (index: number) => formatAddress({ family: 4, value: BigInt(FIRST + index) });
  for (let index = 0; index < size; index++)
    writeFileSync(join(network, name(index)), `${Bun.SHA256.hash(`${index}`, "hex")}\r\neth0`, {
      mode: 0o600,
    });
  if (size > 0) writeFileSync(join(network, "last_reserved_ip.0"), name(size - 1));
}

function program(contender: Contender, size: number, verb: "ADD" | "DEL"): Program {
  const stdin = `${storeOf(contender, size)}.json`;
  return {
    path: contender.path,
    stdin,
    environment: {
      CNI_COMMAND: verb,
      CNI_CONTAINERID: Bun.SHA256.hash("the container", "hex"),
      CNI_IFNAME: "eth0",
      CNI_NETNS: "/var/run/netns/none",
      CNI_PATH: "/opt/cni/bin",
    },
  };
}

function prepare(contender: Contender, size: number): void {
  const store = storeOf(contender, size);
  fill(store, size);
  const config = {
    cniVersion: "1.0.0",
    name: "net",
    ipam: { type: "host-local", dataDir: store, subnet: SUBNET },
  };
  writeFileSync(`${store}.json`, JSON.stringify(config));
}

type Measured = Map<string, Map<number, { ADD: Sample[]; DEL: Sample[] }>>;

async function measure(all: Contender[]): Promise<{ measured: Measured; rebuilds: Map<number, number[]> }> {
  await using timer = new Timer(compile("timer.c", directory));
  const call = async (contender: Contender, size: number, verb: "ADD" | "DEL"): Promise<Sample> => {
    const { costs } = await timer.run([program(contender, size, verb)]);
    const { wallMs, cpuMs, exitStatus } = costs[0]!;
    if (exitStatus !== 0)
      throw new Error(`${contender.name}, ${size} leases, ${verb}: exit status ${exitStatus}`);
    return { wallMs, cpuMs };
  };
  const measured: Measured = new Map(all.map(({ name }) => [name, new Map()]));
  for (const contender of all)
    for (const size of SIZES) {
      prepare(contender, size);
      measured.get(contender.name)!.set(size, { ADD: [], DEL: [] });
      for (const verb of ["ADD", "DEL"] as const) await call(contender, size, verb);
    }
  const rebuilds = new Map(SIZES.map((size) => [size, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (const size of shuffled(SIZES))
      for (const contender of shuffled(all))
        for (const verb of ["ADD", "DEL"] as const)
          measured
            .get(contender.name)!
            .get(size)!
            [verb].push(await call(contender, size, verb));
    // What it costs ours when another program has written: every lease is read once.
    if (round % 5 === 0)
      for (const size of SIZES) {
        const now = new Date();
        utimesSync(join(storeOf(all[0]!, size), "net"), now, now);
        rebuilds.get(size)!.push((await call(all[0]!, size, "ADD")).wallMs);
        await call(all[0]!, size, "DEL");
      }
  }
  return { measured, rebuilds };
}

// ---------------------------------------------------------------------------------------------------------------

const all = await contenders();
const { measured, rebuilds } = await measure(all);

/** ADD and DEL of one round together. */
const pairs = (contender: string, size: number, of: (sample: Sample) => number): number[] => {
  const { ADD, DEL } = measured.get(contender)!.get(size)!;
  return ADD.map((sample, index) => of(sample) + of(DEL[index]!));
};
const wall = ({ wallMs }: Sample) => wallMs;
const cpu = ({ cpuMs }: Sample) => cpuMs;

const figures = all.flatMap(({ name }) =>
  SIZES.map((size) => ({
    contender: name,
    leases: size,
    add: spreadOf(measured.get(name)!.get(size)!.ADD.map(wall)),
    del: spreadOf(measured.get(name)!.get(size)!.DEL.map(wall)),
    both: spreadOf(pairs(name, size, wall)),
    bothCpu: spreadOf(pairs(name, size, cpu)),
  })),
);
const growth = ratioOf(pairs(OURS, LARGE, wall), pairs(OURS, SMALL, wall));
const growthCpu = ratioOf(pairs(OURS, LARGE, cpu), pairs(OURS, SMALL, cpu));
const lead = ratioOf(pairs(RIVAL, LARGE, wall), pairs(OURS, LARGE, wall));

const show = ({ median, p10, p90 }: Spread) =>
  `${median.toFixed(1)} (${p10.toFixed(1)} to ${p90.toFixed(1)})`;
console.log(`ADD + DEL in ms, whole processes; median (10th to 90th percentile) of ${rounds} rounds`);
for (const size of SIZES) {
  const cells = figures
    .filter(({ leases }) => leases === size)
    .map(({ contender, both }) => `${contender} ${show(both)}`);
  console.log(
    `${String(size).padStart(6)} leases: ${cells.join(", ")}; ADD after another writer ${show(spreadOf(rebuilds.get(size)!))}`,
  );
}
/** The end of docs/ipam.md. */
function tableOf(): string {
  const head = ["leases", ...all.map(({ name }) => name), "ratio", "ADD after another writer"];
  const rows = SIZES.map((size) => {
    const median = (name: string) => spreadOf(pairs(name, size, wall)).median;
    const cells = all.map(({ name }) => `${median(name).toFixed(1)} ms`);
    const rebuild = `${spreadOf(rebuilds.get(size)!).median.toFixed(1)} ms`;
    return [size.toLocaleString("en"), ...cells, `${(median(RIVAL) / median(OURS)).toFixed(1)}×`, rebuild];
  });
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]!.length)));
  const line = (row: string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  const rule = line(widths.map((width) => "-".repeat(width)));
  return `<!-- figures: made by bun test/bench/leases.ts --write -->

${[line(head), rule, ...rows.map(line)].join("\n")}

Medians of ${rounds} rounds, whole processes, an ADD and its DEL, all contenders in turn in one run on a machine with
${cpus().length} processors. Most of ours is the start of the process, twice: inside of an ADD of ipvlan there is none, and an address
costs about two milliseconds at any size. "Ratio" is reference 1.9.1 against this plugin. The last column is an ADD that
finds its index out of date.
`;
}

const verdict = (isMet: boolean) => (isMet ? "met" : "MISSED");
console.log(
  `ours at ${LARGE} leases against ${SMALL}: ${show(growth)}× (CPU ${show(growthCpu)}×), target ${GROWTH_MAX}: ${verdict(growth.median <= GROWTH_MAX)}`,
);
console.log(
  `reference 1.9.1 against ours at ${LARGE}: ${show(lead)}×, target ${LEAD_MIN}: ${verdict(lead.median >= LEAD_MIN)}`,
);

if (values.write) {
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? "processor"}`;
  const targets = { growth, growthMax: GROWTH_MAX, growthCpu, lead, leadMin: LEAD_MIN };
  const rebuild = SIZES.map((size) => ({ leases: size, add: spreadOf(rebuilds.get(size)!) }));
  writeFileSync(
    join(repository, "docs/ipam-cost.json"),
    `${JSON.stringify({ unit: "ms", rounds, machine, figures, rebuild, targets }, null, 2)}\n`,
  );
  const series = all.map(
    ({ name }): Series => ({
      name,
      points: SIZES.map((size) => ({ x: size, y: spreadOf(pairs(name, size, wall)).median })),
    }),
  );
  const page = join(repository, "docs/ipam.md");
  const [text] = (await Bun.file(page).text()).split("<!-- figures");
  writeFileSync(page, `${text}${tableOf()}`);
  const title = "ADD and DEL of an address, by leases in the store";
  writeFileSync(join(repository, "docs/ipam-cost.svg"), plot(title, "leases", "ms", series));
}
