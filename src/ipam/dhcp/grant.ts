import { MalformedMessage } from "./malformed.ts";
import type { Message } from "./message.ts";
import { OPTION, readMask, readUint32 } from "./option.ts";

/** The lease time that does not end. */
const FOREVER = 0xffff_ffff;

/** What a server gives with an OFFER or an ACK, as far as the exchange itself needs it. Moments are in boot seconds. */
export interface Grant {
  address: number;
  prefixLength: number;
  server: number;
  /** Where unicast to the server goes: its own MAC address, or that of the relay or router in between. */
  serverMac: Uint8Array;
  /** When the client asked: the lease counts from here (RFC 2131, section 4.4.1). */
  startedAt: number;
  /** T1, T2 and the end; Infinity for ever. */
  renewAt: number;
  rebindAt: number;
  expiresAt: number;
  message: Message;
}

/** What an OFFER or ACK gives. Throws MalformedMessage when it lacks what no lease can be without. */
export function grantOf(message: Message, serverMac: Uint8Array, startedAt: number, random: number): Grant {
  const { options } = message;
  if (message.yourAddress === 0) throw new MalformedMessage("no address");
  const seconds = readUint32(required(message, OPTION.leaseTime, "lease time"));
  if (seconds === 0) throw new MalformedMessage("a lease of no time at all");
  return {
    address: message.yourAddress,
    prefixLength: readMask(required(message, OPTION.subnetMask, "subnet mask")),
    server: readUint32(required(message, OPTION.serverIdentifier, "server identifier")),
    serverMac,
    startedAt,
    ...moments(
      startedAt,
      seconds,
      optionalSeconds(options.get(OPTION.renewalTime)),
      optionalSeconds(options.get(OPTION.rebindingTime)),
      random,
    ),
    message,
  };
}

function required(message: Message, code: number, name: string): Uint8Array {
  const value = message.options.get(code);
  if (value === undefined) throw new MalformedMessage(`no ${name} (option ${code})`);
  return value;
}

function optionalSeconds(value: Uint8Array | undefined): number | undefined {
  return value === undefined ? undefined : readUint32(value);
}

/** How much earlier than told T1 may come, so that endpoints that started together do not stay together. */
const FUZZ = 0.05;

/**
 * When to renew, rebind and end. T1 and T2 are half and seven eighths of the lease unless the server gives others that
 * make sense (RFC 2131, section 4.4.5). `random` is from 0 to 1.
 */
export function moments(
  startedAt: number,
  seconds: number,
  t1: number | undefined,
  t2: number | undefined,
  random: number,
): Pick<Grant, "renewAt" | "rebindAt" | "expiresAt"> {
  if (seconds === FOREVER) return { renewAt: Infinity, rebindAt: Infinity, expiresAt: Infinity };
  const given = t1 !== undefined && t2 !== undefined && t1 > 0 && t1 < t2 && t2 < seconds;
  const lone = t1 !== undefined && t2 === undefined && t1 > 0 && t1 < seconds * 0.875;
  const renew = (given || lone ? t1 : seconds * 0.5) * (1 - FUZZ * random);
  const rebind = given ? t2 : seconds * 0.875;
  return { renewAt: startedAt + renew, rebindAt: startedAt + rebind, expiresAt: startedAt + seconds };
}
