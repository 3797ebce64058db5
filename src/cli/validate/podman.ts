import { Failure } from "../../error.ts";
import { complete } from "../../netavark/complete.ts";
import { networkSchema } from "../../netavark/input.ts";
import { validate } from "../../schema.ts";
import type { Findings } from "./finding.ts";
import { follow, type Located } from "./json.ts";
import type { Source } from "./source.ts";

/** True for a network as Podman stores it (/etc/containers/networks/NAME.json). */
export function isPodmanNetwork(value: object): boolean {
  return "driver" in value && "id" in value;
}

/** Drivers of netavark itself that are not ours. */
const OTHERS = ["bridge", "macvlan"];

/** Finds what `create` would refuse in a network of Podman's. It stops at the first error, as that does. */
export function checkPodmanNetwork(root: Located, source: Source, findings: Findings): void {
  const driver = follow(root, "driver");
  if (OTHERS.includes(String(driver.value))) {
    findings.add(
      "warning",
      source.position(driver.at),
      `the driver is ${driver.value}: netavark serves it, not ipvlan`,
    );
    return;
  }
  try {
    complete(root.value as Record<string, unknown>, validate(networkSchema, root.value, ""));
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    const at = follow(root, thrown.path ?? "").at;
    findings.add("error", source.position(at), thrown.message, thrown.remedy);
  }
}
