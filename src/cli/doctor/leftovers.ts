import type { Endpoint } from "../endpoints.ts";
import { type Diagnosis, ok, warning } from "./diagnosis.ts";

/** What containers that are gone have left, and endpoints that nobody recorded. */
export function examineEndpoints(endpoints: Endpoint[]): Diagnosis[] {
  const count = (state: Endpoint["state"]) => endpoints.filter((endpoint) => endpoint.state === state).length;
  const diagnoses = [ok("endpoints", `${count("attached")} attached`)];
  const gone = count("gone");
  if (gone > 0)
    diagnoses.push(
      warning(
        "endpoints",
        `${gone} are recorded whose namespace has ended`,
        "ipvlan gc --dry-run, then ipvlan gc",
      ),
    );
  for (const { container, interface: name, namespace } of endpoints.filter(
    ({ state }) => state === "missing",
  ))
    diagnoses.push(
      warning("endpoints", `${container} has lost its ${name} in ${namespace}`, "restart the container"),
    );
  const foreign = count("foreign");
  if (foreign > 0)
    diagnoses.push(
      warning(
        "endpoints",
        `${foreign} ipvlan links were made by another program, or their records are lost`,
        "ipvlan list shows them; mind that all links of a master share its mode",
      ),
    );
  return diagnoses;
}
