import type { EndpointOptions } from "../ipvlan/call.ts";
import { type Fields, isObject } from "./json.ts";

/** What the plugin offers beyond the reference, as it is written in a configuration. */
export const OPTION_KEYS = [
  "allowPortChange",
  "allowMasterDown",
  "announce",
  "dad",
  "acceptRA",
  "conflictProbe",
  "metric",
  "defaultRoute",
  "vlan",
  "txQueueLen",
  "hostAccess",
] as const;

/** True when `master` is not simply a name. */
export function isSelection(master: unknown): boolean {
  return Array.isArray(master) || isObject(master);
}

/** As `readOptions` of options.ts, which is loaded when there is something to read: who uses no option pays for none. */
export function optionsIn(fields: Fields, strict: boolean): EndpointOptions | undefined {
  if (!isSelection(fields.master) && !hasOption(fields)) return undefined;
  const { readOptions } = require("./options.ts") as typeof import("./options.ts");
  return readOptions(fields, strict);
}

/** The keys one by one: a loop that brings them into lower case takes several times as long, and every call runs this. */
function hasOption(fields: Fields): boolean {
  const first =
    fields.allowportchange ??
    fields.allowmasterdown ??
    fields.announce ??
    fields.dad ??
    fields.acceptra ??
    fields.conflictprobe ??
    fields.metric ??
    fields.defaultroute ??
    fields.vlan ??
    fields.txqueuelen ??
    fields.hostaccess;
  return first !== undefined && first !== null;
}
