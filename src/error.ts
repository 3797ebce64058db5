/**
 * What went wrong, in words every face (CNI, netavark, terminal) can translate:
 *
 * - `environment`: a CNI_* variable or a command-line argument is missing or wrong
 * - `io`: standard input or output could not be read or written
 * - `decode`: the input is not what its format demands (JSON, a version number)
 * - `config`: a well-formed configuration asks for something that cannot be
 * - `unsupported`: the configuration asks for something ipvlan or this plugin does not have
 * - `version`: the protocol version is not spoken here
 * - `own-namespace`: the container's namespace is the plugin's own
 * - `busy`: somebody else holds what is needed; trying again later may work
 * - `unavailable`: this node cannot serve an ADD (no driver, no master, no IPAM)
 * - `limited`: as `unavailable`, and containers already attached are cut off too
 * - `namespace`, `master`, `interface`, `address`, `route`, `ipam`: that thing is missing, in the way, or refused
 * - `check`: what CHECK found differs from what ADD made
 * - `internal`: a promise inside this program was broken
 */
export type FailureKind =
  | "environment"
  | "io"
  | "decode"
  | "config"
  | "unsupported"
  | "version"
  | "own-namespace"
  | "busy"
  | "unavailable"
  | "limited"
  | "namespace"
  | "master"
  | "interface"
  | "address"
  | "route"
  | "ipam"
  | "check"
  | "internal";

export interface FailureOptions {
  /** What the operator can do about it: one sentence. */
  remedy?: string | undefined;
  /** Further facts for the `details` of an error document. */
  details?: string | undefined;
  /** The error underneath, usually a `KernelError`. */
  cause?: unknown;
  /** The exact code of an error document that is passed on from another plugin. */
  code?: number | undefined;
  /** Where in its JSON document the wrong value stands: "ipam.ranges[0][0].subnet". */
  path?: string | undefined;
}

/**
 * The one error type above the system calls. `message` names the thing, its value and what failed;
 * `remedy` says what to do. Faces turn it into their own error document.
 */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly kind: FailureKind;
  readonly remedy: string | undefined;
  readonly details: string | undefined;
  readonly code: number | undefined;
  readonly path: string | undefined;

  constructor(kind: FailureKind, message: string, options: FailureOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.remedy = options.remedy;
    this.details = options.details;
    this.code = options.code;
    this.path = options.path;
  }
}

/** The text of anything thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** One error out of several, for work that goes on after a failure (DEL, GC, undo); the first one's kind is kept. */
export function joinFailures(failures: unknown[]): unknown {
  const first = failures[0];
  if (failures.length < 2) return first;
  return new Failure(
    first instanceof Failure ? first.kind : "internal",
    failures.map(messageOf).join("; "),
    first instanceof Failure
      ? { remedy: first.remedy, details: first.details, code: first.code, cause: first }
      : { cause: first },
  );
}
