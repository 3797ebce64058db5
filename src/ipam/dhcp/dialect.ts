import type { IpPrefix } from "../../net/ip.ts";
import { parseAddress } from "../../net/ip.ts";
import { dialect4 } from "./dialect4.ts";
import type { Port } from "./port.ts";
import type { Granted, Lease } from "./store.ts";
import { dialect6 } from "./v6/dialect6.ts";

/** What is different between the two versions of DHCP for a lease that is on disk. */
export interface Dialect {
  /** Asks the lease's server, or everybody; "refused" for a no, undefined without an answer until `deadline`. */
  prolong(
    port: Port,
    lease: Lease,
    whom: "server" | "everybody",
    deadline: number,
  ): Promise<Granted | "refused" | undefined>;
  /** Asks for the very same address anew. Throws a Failure when it cannot be had until `deadline`. */
  regain(port: Port, lease: Lease, deadline: number): Promise<Granted>;
  /** Gives it back, over a link that is up. Throws a Failure or KernelError when that cannot be sent. */
  release(port: Port, lease: Lease): Promise<void>;
}

export function dialectOf({ family }: Lease): Dialect {
  return family === 4 ? dialect4 : dialect6;
}

/** The lease's address as the interface has it. */
export function prefixOf({ address, prefixLength }: Lease): IpPrefix {
  return { ...parseAddress(address)!, length: prefixLength };
}
