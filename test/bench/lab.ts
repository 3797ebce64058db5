/** A small network to measure in: the host's namespace with a master, and containers. */

import { mkdirSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Namespace, namespaces, remove } from "../support/namespace.ts";
import { MASTER } from "./contenders.ts";

const TMPFS = 0x01021994;

export class Lab implements AsyncDisposable {
  /** For executables and leases. */
  readonly directory: string;
  /** In memory, as /run is on a node. */
  readonly records: string;
  readonly host: Namespace;
  readonly containers: Namespace[];
  /** For the endpoint of a pod that has been here for a while. */
  readonly resident: Namespace;

  private constructor(directory: string, host: Namespace, resident: Namespace, containers: Namespace[]) {
    this.directory = directory;
    this.records = inMemory("/dev/shm") ? mkdtempSync("/dev/shm/ipvlan-bench-") : join(directory, "records");
    mkdirSync(this.records, { recursive: true });
    this.host = host;
    this.resident = resident;
    this.containers = containers;
  }

  /** A lab with so many containers; `await using` removes it. */
  static async open(containerCount: number): Promise<Lab> {
    const labels = Array.from({ length: containerCount }, () => "bench-container");
    const [host, resident, ...containers] = await namespaces("bench-host", "bench-resident", ...labels);
    const lab = new Lab(mkdtempSync(join(tmpdir(), "ipvlan-bench-")), host!, resident!, containers);
    await host!.ip(`link set lo up
      link add ${MASTER} type veth peer name wire
      link set wire up
      link set ${MASTER} up
      address add 10.88.0.1/16 dev ${MASTER}`);
    return lab;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await remove([this.host, this.resident, ...this.containers]);
    rmSync(this.directory, { recursive: true, force: true });
    rmSync(this.records, { recursive: true, force: true });
  }
}

function inMemory(directory: string): boolean {
  try {
    return statfsSync(directory).type === TMPFS;
  } catch {
    return false;
  }
}
