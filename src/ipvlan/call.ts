import type { Attachment, Ipam, ValidAttachment } from "../ipam/ipam.ts";
import type { IpAddress, IpPrefix } from "../net/ip.ts";
import type { Result } from "../net/result.ts";

/** Modes of a port: all ipvlan links of one master share one (linux/if_link.h, IPVLAN_MODE_*). */
export type Mode = "l2" | "l3" | "l3s";

/** Isolation flags of a port (linux/if_link.h, IPVLAN_F_*); `bridge` is none of them. */
export type Flag = "bridge" | "private" | "vepa";

/** What a network's configuration says of its endpoints. */
export interface EndpointConfig {
  /** Interface name; undefined: the interface of the default route. */
  master: string | undefined;
  mode: Mode;
  flag: Flag;
  /** Bytes; undefined: the master's. */
  mtu: number | undefined;
  /** The master is looked up, and the link created, inside the container's namespace. */
  linkInContainer: boolean;
  /** Absent when nothing beyond the reference is asked for. */
  options?: EndpointOptions;
}

/** Duplicate address detection: wait for its end, use addresses meanwhile (RFC 4429), or do without. */
export type Dad = "wait" | "optimistic" | "off";

/** One way to say which interface is meant; each given field must fit. */
export interface MasterSelector {
  name?: string;
  mac?: string;
  /** The interface has an address in this prefix. */
  prefix?: IpPrefix;
  /** Matched against the interface's name. */
  pattern?: RegExp;
}

/** What this plugin offers beyond the reference. */
export interface EndpointOptions {
  /** Mode and flag may be changed for every endpoint that the master carries already. */
  allowPortChange?: boolean;
  /** The master may be down. */
  allowMasterDown?: boolean;
  /** Instead of `master`: the first of these that is up and can serve. */
  masters?: MasterSelector[];
  /** How often each address is announced besides the kernel's own announcement at link-up; 0 when left out. */
  announce?: number;
  dad?: Dad;
  /** The kernel may make addresses and routes out of router advertisements. */
  acceptRa?: boolean;
  /** Ask the segment whether an address is in use before taking it. */
  probe?: boolean;
  /** Priority of the routes that have none. */
  metric?: number;
  /** false: routes to 0.0.0.0/0 and ::/0 are left out. */
  defaultRoute?: boolean;
  txQueueLen?: number;
  /** The host and the containers of the network reach each other through an endpoint of the host's own. */
  hostAccess?: boolean;
  /** That endpoint's addresses; the IPAM's when left out. */
  hostAddresses?: IpAddress[];
  /** Number of the VLAN on the master that becomes the master; made if need be, and removed with the last endpoint. */
  vlan?: number;
}

/** Everything a verb works on; faces build it from their own inputs. */
export interface Call {
  network: string;
  attachment: Attachment;
  endpoint: EndpointConfig;
  /** undefined: nobody gives addresses (`prevResult`'s are used, or the endpoint is L2-only). */
  ipam: Ipam | undefined;
  /** As `ipam`, for the host's own endpoint of that name (see host-access.ts); undefined where it can give none. */
  hostIpam?: (name: string) => Ipam | undefined;
  /** What the plugins before this one in the chain made (ADD), or what ADD made (CHECK, DEL). */
  prevResult: Result | undefined;
  /** GC: what is in use; undefined when the runtime did not say, and then nothing may be freed. */
  validAttachments: ValidAttachment[] | undefined;
  /** The caller insists: the container's namespace may be the plugin's own. Absent means no. */
  mayBeOwnNamespace?: boolean;
}

/** The behaviour behind every face: one function a verb. */
export interface Verbs {
  /** Creates the endpoint; leaves nothing behind when it throws. */
  add(call: Call): Promise<Result>;
  /** Removes what is there; absence is success. */
  del(call: Call): Promise<void>;
  /** Throws when the endpoint is not as ADD left it. */
  check(call: Call): Promise<void>;
  /** Throws a Failure of kind `unavailable` or `limited` when an ADD could not be served. */
  status(call: Call): Promise<void>;
  /** Removes what belongs to no valid attachment. */
  gc(call: Call): Promise<void>;
}
