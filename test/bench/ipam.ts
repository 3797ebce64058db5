/** host-local as an IPAM plugin of its own, ours and the reference's: what an ADD and a DEL cost among many leases. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildExecutable } from "../../build.ts";
import { copyInPieces } from "../../src/cli/copy.ts";
import { PLUGIN, REFERENCES } from "./contenders.ts";
import { Lab } from "./lab.ts";
import { type Findings, noFindings, ratioOf, shuffled, spreadOf } from "./statistics.ts";
import { type Cost, compile, type Program, Timer } from "./timer.ts";

const LEASES = [10, 1000, 10_000];
const VERBS = ["ADD", "DEL"] as const;

/** What leases cost is work, so the processor's time tells it without the waiting for others. */
const cpu = ({ cpuMs }: Cost) => cpuMs;

export interface IpamOptions {
  references: string;
  rounds: number;
}

export async function measureIpam({ references, rounds }: IpamOptions): Promise<Findings> {
  await using lab = await Lab.open(0);
  await using timer = new Timer(compile("timer.c", lab.directory));
  const built = join(lab.directory, "built");
  await buildExecutable(built);
  const plugins = [
    { name: PLUGIN, from: built },
    ...REFERENCES.map((release) => ({
      name: `Go ${release}`,
      from: join(references, `reference-${release}/host-local`),
    })),
  ].map(({ name, from }) => {
    // Ours is host-local where it bears that name.
    const path = join(lab.directory, name.replace(" ", "-"), "host-local");
    mkdirSync(join(path, ".."));
    copyInPieces(from, path, 0o755);
    return { name, path };
  });
  const findings = noFindings();
  const samples = new Map<string, Cost[]>();
  const calls = LEASES.flatMap((count) =>
    plugins.map(({ name, path }) => {
      const stdin = prepare(join(lab.directory, `${name.replace(" ", "-")}-${count}`), count);
      return { name, count, programs: VERBS.map((verb) => program(path, stdin, verb)) };
    }),
  );
  for (const { name, count } of calls)
    for (const verb of VERBS) samples.set(`${verb} among ${count} leases/${name}`, []);
  // Few and many leases in the same round, so that what the machine does meanwhile is in both. The first round makes our index.
  for (let round = -1; round < rounds; round++)
    for (const { name, count, programs } of shuffled(calls))
      for (const [index, verb] of VERBS.entries()) {
        const { costs } = await timer.run([programs[index]!]);
        if (costs[0]!.exitStatus !== 0) throw new Error(`${name} ${verb}: ${costs[0]!.exitStatus}`);
        if (round >= 0) samples.get(`${verb} among ${count} leases/${name}`)!.push(costs[0]!);
      }
  for (const [key, values] of samples) {
    const [name, contender] = key.split("/") as [string, string];
    const tell = (what: string, of: (cost: Cost) => number) =>
      findings.figures.push({
        part: "ipam",
        name: `${name}, ${what}`,
        contender,
        unit: "ms",
        ...spreadOf(values.map(of)),
      });
    tell("wall", ({ wallMs }) => wallMs);
    tell("CPU", cpu);
  }
  const [few, , many] = LEASES;
  for (const verb of VERBS)
    findings.targets.push({
      name: `host-local ${verb} among ${many} leases, CPU, against ${few}`,
      target: 1.1,
      unit: "×",
      ...ratioOf(
        samples.get(`${verb} among ${many} leases/${PLUGIN}`)!.map(cpu),
        samples.get(`${verb} among ${few} leases/${PLUGIN}`)!.map(cpu),
      ),
    });
  return findings;
}

/** A store with so many leases of others, and the configuration that leads to it. */
function prepare(directory: string, count: number): string {
  const store = join(directory, "bench");
  mkdirSync(store, { recursive: true });
  for (let index = 2; index < count + 2; index++)
    writeFileSync(join(store, `10.88.${index >> 8}.${index & 255}`), `other-${index}\r\neth0`);
  const last = count + 1;
  writeFileSync(join(store, "last_reserved_ip.0"), `10.88.${last >> 8}.${last & 255}`);
  const stdin = join(directory, "configuration");
  writeFileSync(
    stdin,
    JSON.stringify({
      cniVersion: "1.0.0",
      name: "bench",
      type: "ipvlan",
      ipam: { type: "host-local", dataDir: directory, subnet: "10.88.0.0/16" },
    }),
  );
  return stdin;
}

function program(path: string, stdin: string, verb: "ADD" | "DEL"): Program {
  const environment = {
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    CNI_COMMAND: verb,
    CNI_CONTAINERID: "bench-0123456789abcdef",
    CNI_NETNS: "/run/netns/none",
    CNI_IFNAME: "eth0",
    CNI_PATH: join(path, ".."),
  };
  return { path, stdin, environment };
}
