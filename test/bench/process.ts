/** Whole processes, from the start to the last exit: VERSION, ADD and DEL, alone and in bursts, of all contenders in turn. */

import { command } from "../support/command.ts";
import {
  type Contender,
  contendersIn,
  EMPTY,
  FLOOR,
  LEAST,
  type LinkKind,
  moveIn,
  PLUGIN,
  REFERENCES,
  RIVAL,
  type Verb,
} from "./contenders.ts";
import { Lab } from "./lab.ts";
import {
  differenceOf,
  type Figure,
  type Findings,
  mapped,
  noFindings,
  ratioOf,
  type Spread,
  shuffled,
  spreadOf,
  type Target,
} from "./statistics.ts";
import { type Cost, compile, Timer } from "./timer.ts";

/** Long enough for what a removed link leaves to the kernel to be over. */
const PAUSE_MS = 40;
const BURSTS = [10, 50];

export interface ProcessOptions {
  linkKind: LinkKind;
  references: string;
  /** Rounds of single calls; of bursts a fraction of them. */
  rounds: number;
}

/** Samples by contender, one from each round. */
type Series<T> = Map<string, T[]>;

export async function measureProcesses(options: ProcessOptions): Promise<Findings> {
  const { linkKind, references, rounds } = options;
  await using lab = await Lab.open(Math.max(...BURSTS));
  const all = await contendersIn(lab, { references, linkKind });
  await using timer = new Timer(compile("timer.c", lab.directory), lab.host);
  const bench = new Bench(lab, timer, all);

  for (const contender of all) await bench.rehearse(contender);
  const first = await bench.firsts(Math.ceil(rounds / 4));
  await moveIn(lab, all);
  const singles = await bench.singles(rounds);
  const bursts = new Map<number, Series<{ add: number; del: number }>>();
  for (const size of BURSTS) bursts.set(size, await bench.bursts(size, Math.ceil(rounds / (size / 3))));
  return report(singles, first, bursts, linkKind);
}

interface Singles {
  VERSION: Series<Cost>;
  ADD: Series<Cost>;
  DEL: Series<Cost>;
}

class Bench {
  readonly #lab: Lab;
  readonly #timer: Timer;
  readonly #all: Contender[];

  constructor(lab: Lab, timer: Timer, all: Contender[]) {
    this.#lab = lab;
    this.#timer = timer;
    this.#all = all;
  }

  /** One ADD and DEL whose outcome is looked at, which also warms the page cache. */
  async rehearse(contender: Contender): Promise<void> {
    if (contender.role === "empty") return;
    const [container] = this.#lab.containers;
    for (const verb of ["VERSION", "ADD", "DEL"] as const) {
      const { path, stdin, environment } = contender.program(verb, container!);
      const input = await Bun.file(stdin).text();
      const output = await command(["ip", "netns", "exec", this.#lab.host.name, path], {
        stdin: input,
        environment,
      });
      const has = await container!.linkNames();
      if (output.exitCode === 0 && has.length === (verb === "ADD" ? 1 : 0)) continue;
      throw new Error(
        `${contender.name} ${verb}: ${output.exitCode} ${has} ${output.stdout}${output.stderr}`,
      );
    }
  }

  /** The plugin's ADDs on a master that carries nothing yet. */
  async firsts(rounds: number): Promise<Cost[]> {
    const plugin = this.#all.find(({ role }) => role === "plugin")!;
    const samples: Cost[] = [];
    for (let round = 0; round < rounds; round++) {
      samples.push((await this.#call(plugin, "ADD", 1)).costs[0]!);
      await this.#call(plugin, "DEL", 1);
    }
    return samples;
  }

  /** Rounds in which each contender does everything once, in an order that changes. */
  async singles(rounds: number): Promise<Singles> {
    const series: Singles = { VERSION: new Map(), ADD: new Map(), DEL: new Map() };
    for (let round = 0; round < rounds; round++) {
      for (const contender of shuffled(this.#all)) {
        for (const verb of ["VERSION", "ADD", "DEL"] as const) {
          // An empty program has no verbs; its one start stands beside every ADD.
          if (contender.role === "empty" && verb !== "ADD") continue;
          const { costs } = await this.#call(contender, verb, 1);
          append(series[verb], contender.name, costs[0]!);
          await Bun.sleep(verb === "VERSION" ? 1 : PAUSE_MS);
        }
      }
    }
    return series;
  }

  /** Rounds in which each contender attaches `size` containers at once, and detaches them. */
  async bursts(size: number, rounds: number): Promise<Series<{ add: number; del: number }>> {
    const series: Series<{ add: number; del: number }> = new Map();
    for (let round = 0; round < rounds; round++) {
      for (const contender of shuffled(this.#all.filter(({ role }) => role !== "empty"))) {
        const { makespanMs: add } = await this.#call(contender, "ADD", size);
        await Bun.sleep(PAUSE_MS);
        const { makespanMs: del } = await this.#call(contender, "DEL", size);
        await Bun.sleep(PAUSE_MS);
        append(series, contender.name, { add, del });
      }
    }
    return series;
  }

  async #call(contender: Contender, verb: Verb, count: number) {
    const containers = this.#lab.containers.slice(0, count);
    const outcome = await this.#timer.run(containers.map((each) => contender.program(verb, each)));
    const failed = outcome.costs.find(({ exitStatus }) => exitStatus !== 0);
    if (failed) throw new Error(`${contender.name} ${verb}: exit status ${failed.exitStatus}`);
    return outcome;
  }
}

function report(
  singles: Singles,
  first: Cost[],
  bursts: Map<number, Series<{ add: number; del: number }>>,
  linkKind: LinkKind,
): Findings {
  const findings = noFindings();
  const tell = <T>(name: string, unit: string, series: Series<T>, of: (sample: T) => number) => {
    const all = [PLUGIN, ...REFERENCES.map((release) => `Go ${release}`), LEAST, FLOOR, EMPTY];
    for (const contender of all.filter((each) => series.has(each)))
      findings.figures.push({
        part: "process",
        name,
        contender,
        unit,
        ...spreadOf(samplesOf(series, contender, of)),
      } satisfies Figure);
  };
  for (const verb of ["VERSION", "ADD", "DEL"] as const) {
    tell(`${verb}, wall`, "ms", singles[verb], wall);
    tell(`${verb}, CPU`, "ms", singles[verb], cpu);
    tell(`${verb}, peak memory`, "MiB", singles[verb], ({ peakMib }: Cost) => peakMib);
    tell(`${verb}, page faults`, "", singles[verb], ({ faults }: Cost) => faults);
  }
  const onFresh = new Map([[PLUGIN, first]]);
  tell("ADD, the first on a master, wall", "ms", onFresh, wall);
  tell("ADD, the first on a master, CPU", "ms", onFresh, cpu);
  for (const [size, series] of bursts) {
    tell(`${size} ADDs at once`, "ms", series, ({ add }: { add: number }) => add);
    tell(`${size} DELs at once`, "ms", series, ({ del }: { del: number }) => del);
  }
  findings.targets.push(...targets(singles, bursts));
  if (linkKind === "macvlan")
    findings.notes.push(
      "This kernel has no ipvlan driver: the plugin was built with the link kind macvlan, otherwise the same code, " +
        "and stands beside the reference's macvlan plugin.",
    );
  return findings;
}

function targets(singles: Singles, bursts: Map<number, Series<{ add: number; del: number }>>): Target[] {
  const own = figuresOf(PLUGIN, singles, bursts);
  // What is left when a program of this runtime does the kernel's work and nothing else.
  const least = figuresOf(LEAST, singles, bursts);
  return own.map((each, index) => ({ ...each, least: least[index]!.median }));
}

/** The figures that have a target, of one of those who are measured. */
function figuresOf(
  who: string,
  singles: Singles,
  bursts: Map<number, Series<{ add: number; del: number }>>,
): Target[] {
  const add = (of: (cost: Cost) => number, who: string) => samplesOf(singles.ADD, who, of);
  const ratio = (name: string, target: number, spread: Spread): Target => ({
    name,
    target,
    unit: "×",
    ...spread,
  });
  const burst = (size: number, verb: "add" | "del") => {
    const series = bursts.get(size)!;
    const of = (sample: { add: number; del: number }) => sample[verb];
    return ratioOf(samplesOf(series, who, of), samplesOf(series, RIVAL, of));
  };
  const own = differenceOf(add(wall, who), add(wall, EMPTY));
  const floorMs = spreadOf(add(wall, FLOOR)).median;
  const version = differenceOf(samplesOf(singles.VERSION, who, wall), add(wall, EMPTY));
  const peak = ({ peakMib }: Cost) => peakMib;
  const del = ratioOf(samplesOf(singles.DEL, who, wall), samplesOf(singles.DEL, RIVAL, wall));
  return [
    ratio(`ADD, wall, against ${RIVAL}`, 0.65, ratioOf(add(wall, who), add(wall, RIVAL))),
    ratio(`ADD, CPU, against ${RIVAL}`, 0.6, ratioOf(add(cpu, who), add(cpu, RIVAL))),
    ...BURSTS.map((size) => ratio(`${size} ADDs at once, against ${RIVAL}`, 0.5, burst(size, "add"))),
    ratio(`DEL, wall, against ${RIVAL}`, 1, del),
    ratio(`10 DELs at once, against ${RIVAL}`, 0.85, burst(10, "del")),
    ratio(
      `ADD less ${EMPTY}, in times of all of ${FLOOR}`,
      1,
      mapped(own, (ms) => ms / floorMs),
    ),
    { name: `VERSION less ${EMPTY}`, target: 0.5, unit: "ms", ...version },
    {
      name: `ADD, peak memory over ${EMPTY}`,
      target: 6,
      unit: "MiB",
      ...differenceOf(add(peak, who), add(peak, EMPTY)),
    },
  ];
}

const wall = ({ wallMs }: Cost) => wallMs;
const cpu = ({ cpuMs }: Cost) => cpuMs;

function samplesOf<T>(series: Series<T>, contender: string, of: (sample: T) => number): number[] {
  return series.get(contender)!.map(of);
}

function append<T>(series: Series<T>, contender: string, sample: T): void {
  const samples = series.get(contender) ?? [];
  samples.push(sample);
  series.set(contender, samples);
}
