/** What is given to users, tried as they get it. Slow: run by `bun run check:release`. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildExecutable, repository, version } from "../../build.ts";
import { versionAnswer } from "../../src/cni/version.ts";
import { release, TARGETS } from "../../src/release/release.ts";
import { guestCommand, setUp } from "../kernel/environment.ts";
import { command, mustRun } from "../support/command.ts";

const MINUTES = 60_000;
let directory = "";
let tools = "";

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "ipvlan-release-"));
  tools = (await mustRun([join(import.meta.dir, "setup")], { timeoutMs: 3 * MINUTES })).trim();
  const wanted = ["linux-x64-baseline", "linux-arm64", "linux-x64-musl"];
  await release(
    join(directory, "files"),
    TARGETS.filter(({ name }) => wanted.includes(name)),
  );
}, 5 * MINUTES);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const file = (name: string) => join(directory, "files", name);

/** Unpacks the archive of a target, and returns where. */
async function unpacked(target: string): Promise<string> {
  const into = join(directory, target);
  await mustRun(["mkdir", "-p", into]);
  await mustRun(["tar", "-xzf", file(`ipvlan-${version()}-${target}.tar.gz`), "-C", into]);
  return into;
}

test(
  "two builds in different directories are the same, byte for byte",
  async () => {
    const [first, second] = [join(directory, "a/ipvlan"), join(directory, "b/c/ipvlan")];
    await buildExecutable(first);
    await buildExecutable(second);
    expect(readFileSync(first).equals(readFileSync(second))).toBe(true);
  },
  2 * MINUTES,
);

test("the checksums are those of the files, all of them", async () => {
  for (const algorithm of ["sha256", "sha512"]) {
    const list = `${algorithm.toUpperCase()}SUMS`;
    const { exitCode, stdout } = await command([`${algorithm}sum`, "--check", "--strict", list], {
      directory: join(directory, "files"),
    });
    expect(exitCode).toBe(0);
    const named = stdout
      .trim()
      .split("\n")
      .map((line) => line.split(":")[0]!);
    expect(named.sort()).toEqual(
      readdirSync(join(directory, "files"))
        .filter((name) => !name.endsWith("SUMS"))
        .sort(),
    );
  }
});

test("an archive belongs to root, has no times, and its program runs", async () => {
  const archive = file(`ipvlan-${version()}-linux-x64-baseline.tar.gz`);
  const listing = await mustRun(["tar", "--numeric-owner", "--utc", "-tvzf", archive]);
  const lines = listing.trim().split("\n");
  for (const line of lines) expect(line).toMatch(/^[-d][rwx-]{9} 0\/0 +\d+ 1970-01-01 00:00 /);
  expect(lines.map((line) => line.split("./")[1])).toEqual([
    ...["", "ipvlan", "LICENSE", "README.md", "ipvlan.8", "ipvlan.schema.json", "ipvlan.cdx.json"],
    ...["ipvlan.bash", "ipvlan.zsh", "ipvlan.fish"],
  ]);
  const into = await unpacked("linux-x64-baseline");
  expect(await mustRun([join(into, "ipvlan"), "version"])).toStartWith(`ipvlan ${version()}\n`);
});

test("the bill of materials names what is linked in, and the program by its digest", async () => {
  const bill = JSON.parse(readFileSync(file(`ipvlan-${version()}-linux-x64-baseline.cdx.json`), "utf8"));
  const into = await unpacked("linux-x64-baseline");
  const digest = new Bun.CryptoHasher("sha256").update(readFileSync(join(into, "ipvlan"))).digest("hex");
  expect(bill.metadata.component.hashes).toEqual([{ alg: "SHA-256", content: digest }]);
  const { dependencies } = await Bun.file(join(repository, "package.json")).json();
  expect(bill.components.map(({ purl }: { purl: string }) => purl)).toEqual([
    ...Object.entries(dependencies).map(([name, number]) => `pkg:npm/${name}@${number}`),
    `pkg:npm/bun@${Bun.version}`,
  ]);
});

test("the Debian package names its maintainer, and its papers are those of this version", async () => {
  const deb = file(`ipvlan-cni_${version()}_amd64.deb`);
  const { author } = await Bun.file(join(repository, "package.json")).json();
  expect(await mustRun(["dpkg-deb", "--field", deb, "Maintainer"])).toBe(`${author}\n`);
  const into = join(directory, "deb");
  await mustRun(["dpkg-deb", "--extract", deb, into]);
  const changelog = await mustRun(["zcat", join(into, "usr/share/doc/ipvlan-cni/changelog.gz")]);
  expect(changelog).toStartWith(`ipvlan-cni (${version()}) `);
  expect(await mustRun(["zcat", join(into, "usr/share/man/man8/ipvlan.8.gz")])).toContain(".SH COMMANDS");
});

test.skipIf(Bun.which("lintian") === null)(
  "lintian finds nothing wrong with the Debian package",
  async () => {
    const lintian = ["lintian", "--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0"];
    const { exitCode, stdout } = await command([...lintian, file(`ipvlan-cni_${version()}_amd64.deb`)], {
      timeoutMs: 2 * MINUTES,
    });
    expect([exitCode, stdout]).toEqual([0, ""]);
  },
  3 * MINUTES,
);

test(
  "the Debian package installs, steps in for the reference plugin, and leaves no trace",
  async () => {
    const script = `set -e
    mkdir -p /usr/lib/cni; echo reference >/usr/lib/cni/ipvlan
    dpkg --install "$1" >/dev/null
    /usr/lib/cni/ipvlan version; /usr/sbin/ipvlan version
    cat /usr/lib/cni/ipvlan.reference; /usr/lib/netavark/bun-ipvlan info
    dpkg --verify ipvlan-cni
    dpkg --remove ipvlan-cni >/dev/null
    cat /usr/lib/cni/ipvlan; ls /usr/sbin/ipvlan /usr/lib/netavark/bun-ipvlan 2>/dev/null || echo gone`;
    const deb = file(`ipvlan-cni_${version()}_amd64.deb`);
    const guest = { kernel: "7", timeoutSeconds: 150, writable: directory } as const;
    const output = await mustRun(guestCommand(guest, ["sh", "-c", script, "sh", deb]), {
      timeoutMs: 3 * MINUTES,
    });
    const lines = output.split("\n").filter((line) => !line.startsWith("CNI "));
    expect(lines).toEqual([
      `ipvlan ${version()}`,
      `ipvlan ${version()}`,
      "reference",
      expect.stringContaining('"api_version":"1.0.0"'),
      "reference",
      "gone",
      "",
    ]);
  },
  4 * MINUTES,
);

test(
  "the program for arm64 answers, validates and refuses under emulation",
  async () => {
    const into = await unpacked("linux-arm64");
    const run = [
      join(tools, "qemu/usr/bin/qemu-aarch64-static"),
      "-L",
      join(tools, "arm64"),
      join(into, "ipvlan"),
    ];
    const environment = { CNI_COMMAND: "VERSION" };
    expect((await mustRun(run, { environment })).trim()).toBe(versionAnswer());
    const network = {
      cniVersion: "1.1.0",
      name: "n",
      type: "ipvlan",
      ipam: { type: "static", addresses: [{ address: "10.0.0.1/8" }] },
    };
    const valid = await command([...run, "validate", "-"], { stdin: JSON.stringify(network) });
    expect([valid.exitCode, valid.stdout]).toEqual([0, "-: valid\n"]);
    const call = { CNI_CONTAINERID: "c", CNI_NETNS: "/nowhere", CNI_IFNAME: "eth0", CNI_PATH: "/" };
    const refused = await command(run, {
      environment: { ...call, CNI_COMMAND: "ADD", IPVLAN_RUN_DIR: directory },
      stdin: JSON.stringify(network),
    });
    expect([refused.exitCode, JSON.parse(refused.stdout)]).toEqual([
      1,
      expect.objectContaining({ code: 100 }),
    ]);
  },
  2 * MINUTES,
);

test(
  "the program for arm64 attaches, checks and detaches a container on the real driver, under emulation",
  async () => {
    const into = await unpacked("linux-arm64");
    const emulated = `${tools}/qemu/usr/bin/qemu-aarch64-static -L ${tools}/arm64 ${into}/ipvlan`;
    const network = {
      cniVersion: "1.1.0",
      name: "n",
      type: "ipvlan",
      master: "m0",
      mode: "l3",
      ipam: {
        type: "host-local",
        ranges: [[{ subnet: "10.9.0.0/24" }], [{ subnet: "fd00:9::/64" }]],
        routes: [{ dst: "0.0.0.0/0" }],
      },
    };
    const script = `
      ip link add m0 type dummy; ip link set m0 up; ip netns add c1
      export CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=/nowhere
      call() { CNI_COMMAND=$1 ${emulated}; }
      echo "$1" | call STATUS
      result=$(echo "$1" | call ADD)
      echo "$result" | tr -d '\\n '; echo
      ip -n c1 -o address show dev eth0 scope global | grep -o 'inet[6]* [0-9a-f.:/]*'
      ip -n c1 -o -details link show eth0 | grep -o 'ipvlan *mode l3 bridge'
      echo "\${1%\\}},\\"prevResult\\":$result}" | call CHECK
      echo "$1" | call DEL
      ip -n c1 -o link | wc -l; ls /var/lib/cni/networks/n; find /run/ipvlan -type f`;
    const guest = { kernel: "7", timeoutSeconds: 200, writable: directory } as const;
    const run = ["sh", "-euc", script, "sh", JSON.stringify(network)];
    const output = await mustRun(guestCommand(guest, run), {
      timeoutMs: 4 * MINUTES,
    });
    const [result = "", ...lines] = output.trim().split("\n");
    expect(JSON.parse(result).ips).toEqual([
      { address: "10.9.0.2/24", gateway: "10.9.0.1", interface: 0 },
      { address: "fd00:9::2/64", gateway: "fd00:9::1", interface: 0 },
    ]);
    expect(lines).toEqual([
      "inet 10.9.0.2/24",
      "inet6 fd00:9::2/64",
      "ipvlan  mode l3 bridge",
      // Loopback alone, no lease, no record.
      "1",
      "last_reserved_ip.0",
      "last_reserved_ip.1",
      "lock",
    ]);
  },
  5 * MINUTES,
);

test("every function that is asked of the C library is one that musl has", () => {
  const names = [
    ...readFileSync(join(repository, "src/linux/libc.ts"), "utf8").matchAll(/^ +(\w+): \{ args:/gm),
  ];
  const musl = readFileSync(join(tools, "musl/lib/ld-musl-x86_64.so.1"), "latin1");
  expect(names.length).toBeGreaterThan(4);
  // A name may be the end of a longer one: linkers share their text.
  expect(names.map(([, name]) => name!).filter((name) => !musl.includes(`${name}\0`))).toEqual([]);
});

test("the program for musl asks for musl's loader", async () => {
  const into = await unpacked("linux-x64-musl");
  const head = readFileSync(join(into, "ipvlan")).subarray(0, 4_000_000).toString("latin1");
  expect(head).toContain("/lib/ld-musl-x86_64.so.1\0");
});

/** Of all that is tried on the driver, what touches the C library most: netlink, namespaces, sockets, locks, signals. */
const MUSL_TESTS = ["version", "add", "check", "del", "gc", "host-access", "dhcp-client", "cli"];

test(
  "the program for musl does on the real driver what the other does",
  async () => {
    const into = await unpacked("linux-x64-musl");
    const musl = join(directory, "musl");
    await mustRun(["cp", "-rL", `${tools}/musl`, musl]);
    await mustRun(["cp", "-rL", `${tools}/musl-dev/usr`, musl]);
    await mustRun([join(import.meta.dir, "musl-library"), join(into, "ipvlan"), musl, musl], {
      environment: {
        PATH: process.env.PATH ?? "",
        LIBSTDCXX: join(tools, "libstdc++/usr/lib/gcc/x86_64-linux-gnu/12/libstdc++.a"),
      },
    });
    const reference = await setUp();
    const guest = {
      kernel: "7",
      timeoutSeconds: 600,
      writable: directory,
      environment: { IPVLAN_BINARY: join(into, "ipvlan"), IPVLAN_REFERENCE: reference ?? "" },
    } as const;
    const script = `cp "$1/lib/ld-musl-x86_64.so.1" /lib/; echo "$1" >/etc/ld-musl-x86_64.path
      shift; exec "$@"`;
    const files = MUSL_TESTS.map((name) => `./test/e2e/${name}.test.ts`);
    const runner = [process.execPath, "test", "--timeout=60000", ...files];
    const { exitCode, stderr } = await command(
      guestCommand(guest, ["sh", "-euc", script, "sh", musl, ...runner]),
      { timeoutMs: 11 * MINUTES },
    );
    expect([exitCode, exitCode === 0 ? "" : stderr]).toEqual([0, ""]);
    expect(stderr).toMatch(/^ *[1-9][0-9]+ pass$/m);
  },
  12 * MINUTES,
);
