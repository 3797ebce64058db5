/** Whether an ADD costs the same on a crowded node: many endpoints on the master, many routes in the namespace. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  type Contender,
  contenders,
  FLOOR,
  type LinkKind,
  MASTER,
  moveIn,
  PLUGIN,
  RIVAL,
} from "./contenders.ts";
import { Lab } from "./lab.ts";
import { differenceOf, type Findings, noFindings, ratioOf, shuffled, spreadOf } from "./statistics.ts";
import { type Cost, compile, Timer } from "./timer.ts";

const VERBS = ["ADD", "DEL"] as const;
const PAUSE_MS = 40;
/** Beside ours the reference, and the floor: what a crowd costs the floor, it costs the kernel. */
const MEASURED = [PLUGIN, RIVAL, FLOOR];
const FEW = "10 endpoints";
const CROWDS: [name: string, endpoints: number, routes: number][] = [
  [FEW, 10, 0],
  ["1000 endpoints", 1000, 0],
  ["10 endpoints, 10000 routes", 10, 10_000],
];

export interface ScaleOptions {
  linkKind: LinkKind;
  references: string;
  rounds: number;
}

/** What a crowd costs is work, so the processor's time tells it without the waiting for others. */
const cpu = ({ cpuMs }: Cost) => cpuMs;

interface Place {
  name: string;
  lab: Lab;
  timer: Timer;
  contenders: Contender[];
}

export async function measureScale({ linkKind, references, rounds }: ScaleOptions): Promise<Findings> {
  await using stack = new AsyncDisposableStack();
  const places: Place[] = [];
  for (const [name, endpoints, routes] of CROWDS) {
    const lab = stack.use(await Lab.open(2));
    await crowd(lab, linkKind, endpoints, routes);
    // One place for the leases of all: ext4 takes longer to find an inode where others were freed of late, which is where it is.
    const leases = join((places[0]?.lab ?? lab).directory, "leases");
    mkdirSync(leases, { recursive: true });
    const shop = { directory: lab.directory, leases, records: lab.records, references, linkKind };
    const chosen = (await contenders(shop)).filter((each) => MEASURED.includes(each.name));
    await moveIn(lab, chosen);
    const timer = stack.use(new Timer(compile("timer.c", lab.directory), lab.host));
    places.push({ name, lab, timer, contenders: chosen });
  }
  const turns = places.flatMap(({ contenders: chosen, ...place }) =>
    chosen.map((contender) => ({ ...place, contender })),
  );
  const samples = new Map<string, Cost[]>();
  for (const { name, contender } of turns)
    for (const verb of VERBS) samples.set(`${verb} with ${name}/${contender.name}`, []);
  for (let round = -1; round < rounds; round++)
    for (const { name, lab, timer, contender } of shuffled(turns))
      for (const verb of VERBS) {
        const { costs } = await timer.run([contender.program(verb, lab.containers[0]!)]);
        if (costs[0]!.exitStatus !== 0)
          throw new Error(`${contender.name} ${verb} with ${name}: ${costs[0]!.exitStatus}`);
        await Bun.sleep(PAUSE_MS);
        if (round >= 0) samples.get(`${verb} with ${name}/${contender.name}`)!.push(costs[0]!);
      }
  const findings = noFindings();
  for (const [key, values] of samples) {
    const [name, contender] = key.split("/") as [string, string];
    const tell = (what: string, of: (cost: Cost) => number) =>
      findings.figures.push({
        part: "scale",
        name: `${name}, ${what}`,
        contender,
        unit: "ms",
        ...spreadOf(values.map(of)),
      });
    tell("wall", ({ wallMs }) => wallMs);
    tell("CPU", cpu);
  }
  const cpuOf = (contender: string, crowd: string) => samples.get(`ADD with ${crowd}/${contender}`)!.map(cpu);
  for (const [name] of CROWDS.slice(1)) {
    for (const contender of MEASURED)
      findings.figures.push({
        part: "scale",
        name: `ADD with ${name} less ADD with ${FEW}, CPU`,
        contender,
        unit: "ms",
        ...differenceOf(cpuOf(contender, name), cpuOf(contender, FEW)),
      });
    findings.targets.push({
      name: `ADD with ${name}, CPU, against ${FEW}`,
      target: 1.1,
      unit: "×",
      ...ratioOf(cpuOf(PLUGIN, name), cpuOf(PLUGIN, FEW)),
    });
  }
  return findings;
}

/** The endpoints lie in the second container, up, as those of pods that run. */
async function crowd(lab: Lab, linkKind: LinkKind, endpoints: number, routes: number): Promise<void> {
  const mode = linkKind === "macvlan" ? "bridge" : "l2";
  const parking = lab.containers[1]!;
  const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);
  const make = (index: number) =>
    `link add link ${MASTER} name e${index} netns ${parking.name} type ${linkKind} mode ${mode}`;
  await lab.host.ip(numbers(endpoints).map(make).join("\n"));
  await parking.ip(
    numbers(endpoints)
      .map((index) => `link set e${index} up`)
      .join("\n"),
  );
  if (routes > 0)
    await lab.host.ip(
      numbers(routes)
        .map((index) => `route add 10.${100 + (index >> 8)}.${index & 255}.0/24 via 10.88.0.9`)
        .join("\n"),
    );
}
