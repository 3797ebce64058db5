/** Whether an ADD costs the same on a crowded node: many endpoints on the master, many routes in the namespace. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Contender, contenders, type LinkKind, MASTER, moveIn, PLUGIN, RIVAL } from "./contenders.ts";
import { Lab } from "./lab.ts";
import { type Findings, noFindings, ratioOf, spreadOf } from "./statistics.ts";
import { type Cost, compile, Timer } from "./timer.ts";

const PAUSE_MS = 40;
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
    const leases = join(lab.directory, "leases");
    mkdirSync(leases);
    const shop = { directory: lab.directory, leases, records: lab.records, references, linkKind };
    const chosen = (await contenders(shop)).filter((each) => each.name === PLUGIN || each.name === RIVAL);
    await moveIn(lab, chosen);
    const timer = stack.use(new Timer(compile("timer.c", lab.directory), lab.host));
    places.push({ name, lab, timer, contenders: chosen });
  }
  const samples = new Map<string, Cost[]>();
  for (let round = -1; round < rounds; round++)
    for (const { name, lab, timer, contenders: chosen } of places)
      for (const contender of chosen)
        for (const verb of ["ADD", "DEL"] as const) {
          const { costs } = await timer.run([contender.program(verb, lab.containers[0]!)]);
          if (costs[0]!.exitStatus !== 0)
            throw new Error(`${contender.name} ${verb} with ${name}: ${costs[0]!.exitStatus}`);
          await Bun.sleep(PAUSE_MS);
          const key = `${verb} with ${name}/${contender.name}`;
          if (round >= 0) samples.set(key, [...(samples.get(key) ?? []), costs[0]!]);
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
  for (const [name] of CROWDS.slice(1))
    findings.targets.push({
      name: `ADD with ${name}, CPU, against ${FEW}`,
      target: 1.1,
      unit: "×",
      ...ratioOf(
        samples.get(`ADD with ${name}/${PLUGIN}`)!.map(cpu),
        samples.get(`ADD with ${FEW}/${PLUGIN}`)!.map(cpu),
      ),
    });
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
