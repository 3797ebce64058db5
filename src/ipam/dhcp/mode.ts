import { Failure } from "../../error.ts";

/** A port's mode. */
export type Mode = "l2" | "l3" | "l3s";

/** Throws a Failure of kind `unsupported` unless an endpoint in that mode can talk to a DHCP server. */
export function refuseMode(mode: Mode): void {
  if (mode === "l2") return;
  throw new Failure(
    "unsupported",
    `DHCP does not work in mode ${mode}: there the driver passes no broadcasts, and without an address nothing else`,
    { remedy: "set mode to l2, or take another ipam.type", path: "mode" },
  );
}
