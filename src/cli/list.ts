import type { CommandInput } from "./command.ts";
import { type Endpoint, endpointsOfHost } from "./endpoints.ts";
import { LEASE_DIRECTORY, type LeaseFile, leasesOf } from "./leases.ts";
import { isPartialView } from "./privileges.ts";
import { painter, table, wantsColour } from "./terminal.ts";

/** An endpoint with what host-local's store says of its addresses; the port's name is for this program only. */
interface Row extends Omit<Endpoint, "port" | "asked"> {
  lease: string;
}

const HEADINGS = [
  "CONTAINER",
  "NETWORK",
  "INTERFACE",
  "MASTER",
  "MODE",
  "FLAG",
  "ADDRESSES",
  "LEASE",
  "STATE",
];

/** `ipvlan list` */
export function list({ has, text }: CommandInput): number {
  const directory = text("leases") ?? LEASE_DIRECTORY;
  const status = isPartialView("list") ? 1 : 0;
  const rows = endpointsOfHost().map((endpoint): Row => {
    const leases = endpoint.network === undefined ? [] : leasesOf(directory, endpoint.network);
    const { port: _port, asked: _asked, ...shown } = endpoint;
    return { ...shown, lease: leaseState(endpoint, leases) };
  });
  if (has("json")) {
    console.log(JSON.stringify(rows, null, 2));
    return status;
  }
  if (rows.length === 0) {
    console.log("There is no ipvlan endpoint on this host.");
    return status;
  }
  const paint = painter(wantsColour(process.stdout));
  console.log(table(HEADINGS, rows.map(cells), paint));
  return status;
}

function cells(row: Row): string[] {
  const { container, network, master, mode, flag, addresses, lease, state } = row;
  const addressCell = addresses.join(",") || "-";
  return [container ?? "-", network ?? "-", row.interface, master, mode, flag, addressCell, lease, state];
}

/**
 * `held` when each address is leased to the endpoint, `none` when the store has nothing for it (another IPAM gave its
 * addresses, or it has none), else what is wrong.
 */
export function leaseState(endpoint: Endpoint, leases: LeaseFile[]): string {
  const own = leases.filter(
    ({ containerId, ifName }) =>
      containerId === endpoint.container && (ifName === undefined || ifName === endpoint.interface),
  );
  const addresses = endpoint.addresses.map((address) => address.slice(0, address.indexOf("/")));
  const stranger = leases.find((lease) => addresses.includes(lease.address) && !own.includes(lease));
  if (stranger !== undefined) return `of ${stranger.containerId}`;
  if (own.length === 0) return "none";
  const held = own.map(({ address }) => address);
  const isThere = endpoint.state === "attached" || endpoint.state === "host";
  if (isThere && addresses.some((address) => !held.includes(address))) return "partial";
  return isThere ? "held" : `leaked ${held.join(",")}`;
}
