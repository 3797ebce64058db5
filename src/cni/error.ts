import { Failure, type FailureKind, messageOf } from "../error.ts";
import type { CniVersion } from "./version.ts";

/**
 * Codes of error documents. 1 to 7, 11, 50 and 51 are the specification's ("Error codes"), 8 is the reference
 * library's, those from 100 are our own, 999 says that the fault is ours. A number, once given, is never reused.
 * Made when there is an error: most calls have none.
 */
export function codes(): Record<FailureKind, number> {
  return {
    version: 1,
    unsupported: 2,
    environment: 4,
    io: 5,
    decode: 6,
    config: 7,
    "own-namespace": 8,
    busy: 11,
    unavailable: 50,
    limited: 51,
    namespace: 100,
    master: 101,
    interface: 102,
    address: 103,
    route: 104,
    ipam: 105,
    check: 106,
    internal: 999,
  };
}

/** An error as the runtime reads it (spec section 5, "Error"). */
export interface ErrorDocument {
  cniVersion: CniVersion;
  code: number;
  msg: string;
  details?: string;
}

/**
 * The error document of anything thrown. `details` are the failure's own, then what caused it, then the remedy;
 * never a stack. An error of another plugin (`Failure.code` is set) is passed on as that plugin said it.
 */
export function errorDocument(thrown: unknown, cniVersion: CniVersion): ErrorDocument {
  const failure = thrown instanceof Failure ? thrown : undefined;
  const code = failure?.code ?? codes()[failure?.kind ?? "internal"];
  const msg = messageOf(thrown);
  const details = failure?.code === undefined ? detailsOf(thrown, msg) : failure.details;
  return { cniVersion, code, msg, ...(details ? { details } : {}) };
}

function detailsOf(thrown: unknown, msg: string): string {
  const parts: string[] = [];
  const add = (text: string | undefined) => {
    if (text && !msg.includes(text) && !parts.some((part) => part.includes(text))) parts.push(text);
  };
  if (thrown instanceof Failure) add(thrown.details);
  // Eight causes are more than any error here has; the limit is for a chain that bites its tail.
  let cause = thrown instanceof Error ? thrown.cause : undefined;
  for (let depth = 0; cause !== undefined && cause !== null && depth < 8; depth++) {
    add(messageOf(cause));
    if (cause instanceof Failure) add(cause.details);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  if (thrown instanceof Failure) add(thrown.remedy);
  return parts.join("; ");
}
