/**
 * ADD and DEL again and again: nothing piles up, neither in the kernel nor in files. A moment of it in the normal lanes;
 * `bun run soak` goes on for 20,000 pairs, or for as many as an hour allows.
 */

import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { binary } from "../kernel/environment.ts";
import { growth, isLong, median, type Sample, sampleMachine } from "../support/endurance.ts";
import type { Namespace } from "../support/namespace.ts";
import { leased, stateOf } from "../support/network.ts";
import { reference } from "../support/plugin.ts";
import { hostWorld, master, type World } from "../support/world.ts";

const PAIRS = isLong ? 20_000 : 24;
const PAIRS_OF_BATCH = isLong ? 100 : 4;
const LIMIT_MS = 60 * 60_000;
/** What may be more at the end: the allocators' own ups and downs, and so much for each pair that it is no object of ours. */
const SLACK_BYTES = 1 << 20;
const SLACK_BYTES_OF_PAIR = 16;

/**
 * Pairs number $1 to $2, in one shell so that little else runs: each in the next container, most in l2; every tenth on a VLAN
 * with host access, every tenth in l3s, every tenth with an IPAM that is executed. One in seven is DELeted twice.
 */
const LOOP = `
call() { CNI_COMMAND=$1 CNI_IFNAME=eth0 CNI_CONTAINERID=c$container CNI_NETNS=/run/netns/$2 "$IPVLAN" <"$3" >"$OUT" || {
  echo "$1 number $number with $3:"; cat "$OUT"; exit 1; }; }
number=$1 last=$2; shift 2
while [ $number -le $last ]; do
  case $((number % 10)) in 7) config=executed ;; 8) config=l3s ;; 9) config=vlan ;; *) config=l2 ;; esac
  container=$((number % $#))
  eval "netns=\\\${$((container + 1))}"
  call ADD $netns $CONFIGS/$config
  call DEL $netns $CONFIGS/$config
  [ $((number % 7)) != 0 ] || call DEL $netns $CONFIGS/$config
  number=$((number + 1))
done
call GC "" $CONFIGS/collection`;

test(
  "nothing grows with the number of ADDs and DELs",
  async () => {
    await using world = await hostWorld();
    await world.wire(world.host, "eth9");
    const containers: Namespace[] = [];
    for (let index = 0; index < 4; index++) containers.push(await world.container({ dad: false }));
    const environment = prepare(world);
    const run = async (first: number, last: number) => {
      const names = containers.map(({ name }) => name);
      const words = ["sh", "-c", LOOP, "soak", String(first), String(last), ...names];
      const { exitCode, stdout, stderr } = await world.host.run(words, { environment, timeoutMs: LIMIT_MS });
      if (exitCode !== 0) throw new Error(`${stdout}${stderr}`);
    };
    // The first of each kind makes directories, and has the kernel load what it needs.
    await run(1, 10);
    const before = await stateOf(world);
    const samples: Sample[] = [];
    const seconds: number[] = [];
    const files: number[] = [];
    const started = performance.now();
    let done = 0;
    for (; done < PAIRS && performance.now() - started < LIMIT_MS; done += PAIRS_OF_BATCH) {
      const begun = performance.now();
      await run(done + 11, done + 10 + PAIRS_OF_BATCH);
      seconds.push((performance.now() - begun) / 1000);
      samples.push(await sampleMachine());
      files.push(readdirSync(world.directory, { recursive: true }).length);
      if (isLong && done % 1000 === 0) console.log(`${done}: ${JSON.stringify(samples.at(-1))}`);
    }
    expect(await stateOf(world)).toEqual(before);
    tell(done, samples, seconds);

    const series = (key: keyof Sample) => samples.map((sample) => sample[key]);
    expect(growth(files)).toBe(0);
    for (const key of ["processes", "mounts"] as const) expect(growth(series(key))).toBeLessThanOrEqual(0);
    // One or two are the test's own, on their way.
    expect(growth(series("descriptors"))).toBeLessThan(16);
    for (const key of ["slabBytes", "kernelBytes", "usedBytes"] as const)
      expect(growth(series(key))).toBeLessThan(SLACK_BYTES + SLACK_BYTES_OF_PAIR * done);
    // Over moments it is the machine's other work that shows.
    if (isLong) expect(median(seconds.slice(-3)) / median(seconds.slice(0, 3))).toBeLessThan(5);
  },
  2 * LIMIT_MS,
);

/** Writes the configurations; returns the loop's environment. */
function prepare(world: World): Record<string, string> {
  const configs = join(world.directory, "configs");
  mkdirSync(configs);
  const common = { cniVersion: "1.1.0", name: "net", type: "ipvlan", master };
  const leasing = leased(world, "203.0.113.0/24", { routes: [{ dst: "0.0.0.0/0" }] });
  const both = [[{ subnet: "203.0.113.0/24" }], [{ subnet: "2001:db8:3::/64" }]];
  const l2 = { ...common, ipam: { ...leasing, ranges: both } };
  const documents = {
    l2,
    executed: { ...common, ipam: { ...leasing, external: true } },
    l3s: { ...common, name: "routed", master: "eth9", mode: "l3s", ipam: leasing },
    vlan: { ...common, name: "apart", vlan: 20, hostAccess: true, ipam: leasing },
    collection: { ...l2, "cni.dev/valid-attachments": [] },
  };
  for (const [name, config] of Object.entries(documents))
    writeFileSync(join(configs, name), JSON.stringify(config));
  return {
    PATH: process.env.PATH ?? "",
    IPVLAN: binary,
    IPVLAN_RUN_DIR: join(world.directory, "records"),
    CNI_PATH: reference("1.9.1"),
    CONFIGS: configs,
    OUT: join(world.directory, "out"),
  };
}

function tell(pairs: number, samples: Sample[], seconds: number[]): void {
  const first = samples[samples.length >> 2]!;
  const last = samples.at(-1)!;
  const changes = (Object.keys(first) as (keyof Sample)[]).map(
    (key) => `${key} ${first[key]} -> ${last[key]}`,
  );
  const pace = median(seconds.slice(-3)) / median(seconds.slice(0, 3));
  console.log(
    `${pairs} pairs: ${changes.join(", ")}; the last took ${pace.toFixed(2)} times the first's time`,
  );
}
