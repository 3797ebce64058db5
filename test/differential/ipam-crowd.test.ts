/** Many processes at once on one network: ours, and the reference's among them. */

import { beforeAll, expect, test } from "bun:test";
import { existsSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { binary } from "../kernel/environment.ts";
import { expectTrueIndex } from "../support/index.ts";
import {
  callOurs,
  environmentOf,
  filesOf,
  type IpamCall,
  leasesOf,
  type Outcome,
  referencePlugins,
  scratch,
} from "../support/ipam.ts";
import { variable } from "../support/variable.ts";

let reference: string;

beforeAll(async () => {
  reference = `${await referencePlugins("1.9.1")}/host-local`;
  if (!existsSync(binary)) throw new Error(`${binary} is not built: bun run build.ts`);
}, 300_000);

/** Our program under the name of the plugin. */
function ours(directory: string): string {
  const program = join(directory, "host-local");
  if (!existsSync(program)) symlinkSync(binary, program);
  return program;
}

async function start(program: string, call: IpamCall): Promise<Outcome> {
  const stdin = {
    ...call.config,
    ...(call.validAttachments && {
      "cni.dev/valid-attachments": call.validAttachments.map(({ containerId, ifName }) => ({
        containerID: containerId,
        ifname: ifName,
      })),
    }),
  };
  const child = Bun.spawn([program], {
    stdin: Buffer.from(JSON.stringify(stdin)),
    stdout: "pipe",
    stderr: "inherit",
    env: { ...environmentOf(call), IPVLAN_LOCK_TIMEOUT_MS: "60000" },
  });
  const [text, exitCode] = await Promise.all([child.stdout.text(), child.exited]);
  if (exitCode !== 0) return { error: (JSON.parse(text) as { msg: string }).msg };
  return text === "" ? {} : { result: JSON.parse(text) };
}

function callFor(dataDir: string, verb: IpamCall["verb"], containerId: string, subnet: string): IpamCall {
  const ipam = { type: "host-local", dataDir, subnet };
  return { verb, containerId, config: { cniVersion: "1.1.0", name: "net", ipam } };
}

const addressOf = ({ result }: Outcome) => (result as { ips: { address: string }[] }).ips[0]!.address;

test("128 ADDs at once get 128 addresses, and one too many is refused", async () => {
  using directory = scratch();
  const program = ours(directory.path);
  const store = join(directory.path, "store");
  // 126 addresses, the gateway apart 125: three do not fit.
  const outcomes = await Promise.all(
    Array.from({ length: 128 }, (_, index) =>
      start(program, callFor(store, "ADD", `c${index}`, "10.1.2.0/25")),
    ),
  );
  const given = outcomes.filter(({ error }) => error === undefined).map(addressOf);
  expect(new Set(given).size).toBe(125);
  const refused = outcomes.flatMap(({ error }) => error ?? []);
  expect(refused).toHaveLength(3);
  for (const error of refused) expect(error).toContain("no IP addresses available in range set");
  expect(Object.keys(leasesOf(store, "net"))).toHaveLength(125);
  expect(expectTrueIndex(store, "net")).toBe(true);
}, 180_000);

for (const [name, share] of [
  ["ours", 0],
  ["ours and the reference's", 0.5],
] as const)
  test(`ADD, DEL and GC of ${name} at once: no address twice, none lost, none left`, async () => {
    using directory = scratch();
    const program = ours(directory.path);
    const store = join(directory.path, "store");
    const subnet = "10.1.0.0/22";
    const choose = (index: number) => (index % 2 < share * 2 ? reference : program);
    const ids = Array.from({ length: 128 }, (_, index) => `c${index}`);
    const stay = ids.filter((_, index) => index % 4 !== 0);
    const validAttachments = ids.map((containerId) => ({ containerId, ifName: "eth0" }));

    // Leases of containers that are gone: GC frees them meanwhile, and nothing else.
    for (let index = 0; index < 40; index++) callOurs(callFor(store, "ADD", `gone${index}`, subnet));
    const lives = ids.map(async (id, index) => {
      const added = await start(choose(index), callFor(store, "ADD", id, subnet));
      expect(added.error).toBeUndefined();
      if (stay.includes(id)) return { id, address: addressOf(added) };
      expect(await start(choose(index + 1), callFor(store, "DEL", id, subnet))).toEqual({});
      const again = await start(choose(index + 2), callFor(store, "ADD", id, subnet));
      return { id, address: addressOf(again) };
    });
    const collections = Array.from({ length: 6 }, async () => {
      expect(await start(program, { ...callFor(store, "GC", "", subnet), validAttachments })).toEqual({});
    });
    const held = await Promise.all(lives);
    await Promise.all(collections);

    expect(new Set(held.map(({ address }) => address)).size).toBe(128);
    const leases = leasesOf(store, "net");
    for (const { id, address } of held) expect(leases[address.replace("/22", "")]).toBe(`${id}\r\neth0`);
    expect(Object.keys(leases)).toHaveLength(128);
    expectTrueIndex(store, "net");

    await Promise.all(ids.map((id, index) => start(choose(index), callFor(store, "DEL", id, subnet))));
    expect(leasesOf(store, "net")).toEqual({});
    expect(Object.keys(filesOf(store, "net"))).toEqual(["last_reserved_ip.0", "lock"]);
  }, 180_000);

test("who finds the lock held for too long is told to try again", async () => {
  using directory = scratch();
  const store = join(directory.path, "store");
  callOurs(callFor(store, "ADD", "c1", "10.1.2.0/24"));
  const holder = Bun.spawn(
    ["flock", "-F", join(store, "net", "lock"), "sh", "-c", "echo held; exec sleep 30"],
    {
      stdout: "pipe",
    },
  );
  const reader = holder.stdout.getReader();
  await reader.read();
  try {
    using _ = variable("IPVLAN_LOCK_TIMEOUT_MS", "200");
    const started = performance.now();
    const { error } = callOurs(callFor(store, "ADD", "c2", "10.1.2.0/24"));
    const waitedMs = performance.now() - started;
    expect(error).toBe(`host-local: ${store}/net/lock was held by others for 0.2 s`);
    expect(waitedMs).toBeGreaterThan(190);
    expect(waitedMs).toBeLessThan(2000);
  } finally {
    holder.kill();
    await holder.exited;
  }
  expect(callOurs(callFor(store, "ADD", "c2", "10.1.2.0/24")).error).toBeUndefined();
});
