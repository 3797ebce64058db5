/** An IPAM plugin that a test writes itself, a line of shell for each verb, and that tells how it was called. */

import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { reference } from "./plugin.ts";
import type { World } from "./world.ts";

export interface Script {
  /** Shell for each verb, run after the call is noted; a verb without any succeeds in silence. */
  ADD?: string;
  DEL?: string;
  CHECK?: string;
  STATUS?: string;
  GC?: string;
  VERSION?: string;
}

/** Shell that leases one address to the caller in `$lease`, prints it as a result, and refuses a second lease. */
export function lease(address: string): string {
  const result = { cniVersion: "1.1.0", ips: [{ address }] };
  return `[ -e "$lease" ] && { ${fail({ code: 120, msg: "duplicate allocation" })}; }
    echo ${address} >"$lease"
    ${print(result)}`;
}

/** Shell that prints JSON. */
export function print(value: unknown): string {
  return `printf %s '${JSON.stringify(value)}'`;
}

/** Shell that fails with an error document. */
export function fail(error: { code?: number; msg?: string; details?: string }): string {
  return `${print({ cniVersion: "1.1.0", ...error })}; exit 1`;
}

/** Makes the plugin "fake" of this script; its leases, in `$lease` each, count as files of the world. */
export function fakeIpam(world: World, script: Script): FakeIpam {
  return new FakeIpam(world, script);
}

export class FakeIpam implements Disposable {
  /** The name of the plugin's file: ipam.type. */
  readonly type = "fake";
  /** CNI_PATH: this plugin's directory, then that of the reference plugins. */
  readonly path: string;
  readonly #directory = mkdtempSync(join(tmpdir(), "ipvlan-fake-"));

  constructor(world: World, script: Script) {
    this.path = `${this.#directory}:${reference("1.9.1")}`;
    const leases = join(world.directory, "fake-leases");
    mkdirSync(leases, { recursive: true });
    const verbs = { DEL: 'rm -f "$lease"', ...script };
    const cases = Object.entries(verbs).map(([verb, shell]) => `${verb}) ${shell} ;;`);
    // Only what the shell has built in: each process costs tens of milliseconds under a test kernel.
    const text = `#!/bin/sh
      IFS= read -r config
      printf %s "$config" >'${this.#directory}'/$CNI_COMMAND.stdin
      export -p >'${this.#directory}'/$CNI_COMMAND.environment
      echo "$CNI_COMMAND" >>'${this.#directory}'/calls
      lease='${leases}'/$CNI_CONTAINERID,$CNI_IFNAME
      case $CNI_COMMAND in
        ${cases.join("\n")}
      esac`;
    writeFileSync(join(this.#directory, "calls"), "");
    const file = join(this.#directory, this.type);
    writeFileSync(file, text);
    chmodSync(file, 0o755);
  }

  /** The verbs it was called with since this was last asked. */
  calls(): string[] {
    const words = readFileSync(join(this.#directory, "calls"), "utf8").split("\n").slice(0, -1);
    writeFileSync(join(this.#directory, "calls"), "");
    return words;
  }

  /** What came on standard input with the latest call of that verb. */
  input(verb: string): string {
    return readFileSync(join(this.#directory, `${verb}.stdin`), "utf8");
  }

  /** The value of a variable in the latest call of that verb; undefined when it was not set. */
  variable(verb: string, name: string): string | undefined {
    const text = readFileSync(join(this.#directory, `${verb}.environment`), "utf8");
    return new RegExp(`^export ${name}='(.*)'$`, "m").exec(text)?.[1];
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true });
  }
}
