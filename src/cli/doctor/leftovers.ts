import { orphanHosts } from "../../ipvlan/host-access.ts";
import { strangeRecords } from "../../ipvlan/record.ts";
import { orphanVlans } from "../../ipvlan/vlan.ts";
import type { Endpoint } from "../endpoints.ts";
import { type Diagnosis, ok, warning } from "./diagnosis.ts";

/** What the name of a link is until an ADD has given it its own (see ipvlan/record.ts). */
const TEMPORARY = /^ivl[0-9a-f]{12}$/;

/** What containers that are gone have left, and endpoints that nobody recorded. */
export function examineEndpoints(endpoints: Endpoint[]): Diagnosis[] {
  const inState = (state: Endpoint["state"]) => endpoints.filter((endpoint) => endpoint.state === state);
  const diagnoses = [ok("endpoints", `${inState("attached").length} attached`)];
  const gone = inState("gone").length;
  if (gone > 0)
    diagnoses.push(
      warning(
        "endpoints",
        `${gone} are recorded whose namespace has ended`,
        "ipvlan gc --dry-run, then ipvlan gc",
      ),
    );
  for (const { container, interface: name, namespace } of inState("missing"))
    diagnoses.push(
      warning("endpoints", `${container} has lost its ${name} in ${namespace}`, "restart the container"),
    );
  for (const { container, network, namespace } of inState("leaving"))
    diagnoses.push(
      warning(
        "endpoints",
        `the removal of ${container} from ${network} has begun, and has not ended`,
        `if it lasts, have the runtime remove it again, or: ipvlan del --container ${container} ${network} ${namespace}`,
      ),
    );
  const foreign = inState("foreign");
  const unfinished = foreign.filter(({ interface: name }) => TEMPORARY.test(name));
  for (const { interface: name, namespace } of unfinished)
    diagnoses.push(
      warning(
        "endpoints",
        `${name} in ${namespace} is of an ADD that has not ended`,
        `if it lasts: the runtime's DEL of that container, or nsenter --net=${namespace} ip link delete ${name}`,
      ),
    );
  const others = foreign.length - unfinished.length;
  if (others > 0)
    diagnoses.push(
      warning(
        "endpoints",
        `${others} ipvlan links were made by another program, or their records are lost`,
        "ipvlan list shows them; mind that all links of a master share its mode",
      ),
    );
  return diagnoses;
}

/** What the run directory knows of links that nobody needs any more, and files in it that say nothing. */
export function examineState(): Diagnosis[] {
  const orphans = [
    ...orphanVlans().map((orphan) => ({
      ...orphan,
      what: "VLAN link",
      whose: "whose last endpoint is gone",
    })),
    ...orphanHosts().map((orphan) => ({ ...orphan, what: "host's endpoint", whose: "without containers" })),
  ];
  const strange = strangeRecords();
  return [
    ...orphans.map(({ what, whose, link, path }) =>
      link === undefined
        ? warning("leftovers", `${path} is about a ${what} that is gone`, `rm ${path}`)
        : warning("leftovers", `${link} is a ${what} ${whose}`, `ip link delete ${link}; rm ${path}`),
    ),
    ...(strange.length === 0
      ? []
      : [
          warning(
            "leftovers",
            `${strange.length} files among the records are none, such as ${strange[0]}`,
            "if no ADD is running, remove them: a crash leaves empty ones, which a runtime's GC removes too",
          ),
        ]),
  ];
}
