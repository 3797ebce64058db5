import type { Result } from "../net/result.ts";

/** Which endpoint a call is about. */
export interface Attachment {
  containerId: string;
  /** Path of the container's network namespace; "" where the runtime has none any more (DEL). */
  netns: string;
  ifName: string;
}

/**
 * Who gives addresses. Each function throws a `Failure`; `add` takes nothing when it throws.
 */
export interface Ipam {
  /** Takes addresses for the attachment. */
  add(): Promise<Result> | Result;
  /** Gives back what the attachment holds; holding nothing is success. */
  del(): Promise<void> | void;
  /** Throws unless the attachment still holds its addresses. */
  check(): Promise<void> | void;
  /** Throws when no address could be given now. */
  status(): Promise<void> | void;
  /** Frees what no attachment holds that the runtime calls valid, or `alsoValid` names; nothing when the runtime is silent. */
  gc(alsoValid?: ValidAttachment[]): Promise<void> | void;
}

/** An attachment that is in use, as GC is told. */
export interface ValidAttachment {
  containerId: string;
  ifName: string;
}

/** Under this container id the host holds the addresses of its own endpoints; no runtime uses it for a container. */
export const HOST_CONTAINER_ID = "ipvlan-host";
