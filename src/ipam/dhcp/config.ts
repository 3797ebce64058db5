import * as v from "valibot";
import { Failure } from "../../error.ts";
import { runDirectory } from "../../linux/run-directory.ts";
import { arrayOf, bool, integer, objectOf, text, validate } from "../../schema.ts";
import type { Attachment } from "../ipam.ts";
import type { Client } from "./client.ts";
import { OPTION, OPTION_NAMES } from "./option.ts";

/** What `ipam` says for type dhcp. */
export interface DhcpConfig {
  client: Client;
  /** Which families to get an address of, in this order. */
  families: (4 | 6)[];
  /** The daemon's socket. */
  socketPath: string;
  /** For routes of the result; undefined: the kernel's. */
  priority: number | undefined;
  /** How long a server is waited for. */
  timeoutSeconds: number;
  /** How long to listen for somebody who uses the address; 0: not at all. */
  conflictSeconds: number;
}

const TIMEOUT_SECONDS = 60;
const CONFLICT_SECONDS = 0.5;
/** The type byte and an identifier may have 255 bytes together. */
const IDENTIFIER_BYTES_MAX = 254;
const OPTION_BYTES_MAX = 255;

/** What is asked for unless the configuration says otherwise; 121 stands before 3 and 33 (RFC 3442). */
const DEFAULT_REQUESTS = [
  OPTION.subnetMask,
  OPTION.classlessRoutes,
  OPTION.routers,
  OPTION.staticRoutes,
  OPTION.nameServers,
  OPTION.domainName,
  OPTION.domainSearch,
  OPTION.mtu,
  OPTION.renewalTime,
  OPTION.rebindingTime,
];

/** Options that belong to the exchange itself. */
const RESERVED: number[] = [
  OPTION.pad,
  OPTION.requestedAddress,
  OPTION.overload,
  OPTION.messageType,
  OPTION.serverIdentifier,
  OPTION.parameterRequests,
  OPTION.messageSizeMax,
  OPTION.end,
];

const optionCode = () =>
  v.pipe(
    v.union([v.string(), v.number()], "must be an option's name or number"),
    v.check(
      (option) => codeOf(option) !== undefined,
      `must be a number from 1 to 254 or one of: ${Object.keys(OPTION_NAMES).join(", ")}`,
    ),
    v.transform((option) => codeOf(option)!),
  );

function codeOf(option: string | number): number | undefined {
  const code = OPTION_NAMES[option] ?? (/^[0-9]{1,3}$/.test(String(option)) ? Number(option) : 0);
  return code > 0 && code < OPTION.end ? code : undefined;
}

/** The `ipam` section, keys in lower case. */
export const dhcpSchema = () =>
  objectOf({
    daemonsocketpath: v.nullish(text),
    families: v.nullish(
      v.pipe(arrayOf(v.picklist([4, 6], "must be 4 or 6")), v.minLength(1, "must name 4, 6 or both")),
    ),
    request: v.nullish(arrayOf(objectOf({ skipdefault: v.nullish(bool), option: v.nullish(optionCode()) }))),
    provide: v.nullish(
      arrayOf(
        objectOf({
          option: v.pipe(
            optionCode(),
            v.check((code) => !RESERVED.includes(code), "belongs to the exchange itself"),
          ),
          value: v.nullish(text, ""),
          fromarg: v.nullish(text, ""),
        }),
      ),
    ),
    priority: v.nullish(v.pipe(integer, v.minValue(0, "must not be negative"))),
    timeoutseconds: v.nullish(
      v.pipe(integer, v.minValue(1, "must be from 1 to 600"), v.maxValue(600, "must be from 1 to 600")),
    ),
    conflictms: v.nullish(
      v.pipe(
        integer,
        v.minValue(0, "must be from 0 to 10000"),
        v.maxValue(10_000, "must be from 0 to 10000"),
      ),
    ),
  });

const SPELLING = {
  daemonsocketpath: "daemonSocketPath",
  skipdefault: "skipDefault",
  fromarg: "fromArg",
  timeoutseconds: "timeoutSeconds",
  conflictms: "conflictMs",
};

/** Reads the `ipam` section. Throws a `config` Failure. */
export function readDhcpConfig(
  config: object,
  network: string,
  attachment: Attachment,
  cniArgs: string,
): DhcpConfig {
  const read = validate(dhcpSchema(), config, "ipam", { spelling: SPELLING });
  const requested = (read.request ?? []).flatMap(({ option }) => option ?? []);
  const skipsDefault = (read.request ?? []).some(({ skipdefault }) => skipdefault === true);
  const provides = readProvided(read.provide ?? [], readArgs(cniArgs));
  const clientId = provides.get(OPTION.clientIdentifier) ?? defaultIdentifier(network, attachment);
  provides.delete(OPTION.clientIdentifier);
  return {
    client: {
      clientId,
      // Without a mask there is no lease.
      requests: [...new Set([OPTION.subnetMask, ...(skipsDefault ? [] : DEFAULT_REQUESTS), ...requested])],
      provides: [...provides],
    },
    families: [...new Set(read.families ?? [4 as const])],
    socketPath: read.daemonsocketpath || defaultSocketPath(),
    priority: read.priority || undefined,
    timeoutSeconds: read.timeoutseconds ?? TIMEOUT_SECONDS,
    conflictSeconds: read.conflictms == null ? CONFLICT_SECONDS : read.conflictms / 1000,
  };
}

/** Where the daemon listens unless it is told otherwise. */
export function defaultSocketPath(): string {
  return `${runDirectory()}/dhcp.sock`;
}

/** The reference's form: a zero for "no hardware address" (RFC 2132), then what names the endpoint. */
function defaultIdentifier(network: string, { containerId, ifName }: Attachment): Uint8Array {
  const name = Buffer.from(`${containerId}/${network}/${ifName}`).subarray(0, IDENTIFIER_BYTES_MAX);
  return Uint8Array.of(0, ...name);
}

function readProvided(
  provide: { option: number; value: string; fromarg: string }[],
  args: Map<string, string>,
): Map<number, Uint8Array> {
  const provided = new Map<number, Uint8Array>();
  for (const { option, value, fromarg } of provide) {
    // As in the reference, an argument wins over the value, and an option without either is not sent.
    const given = args.get(fromarg) ?? value;
    if (given === "") continue;
    const bytes = Buffer.from(given);
    // RFC 3004: each user class is preceded by its length.
    const encoded =
      option === OPTION.userClass ? Uint8Array.of(bytes.length, ...bytes) : Uint8Array.from(bytes);
    if (encoded.length > OPTION_BYTES_MAX)
      throw new Failure(
        "config",
        `ipam.provide: the value of option ${option} has ${bytes.length} bytes, too many`,
        {
          remedy: `give at most ${OPTION_BYTES_MAX} bytes`,
        },
      );
    provided.set(option, encoded);
  }
  return provided;
}

/** CNI_ARGS as the reference's daemon reads it: any key may be named, so none is refused. */
function readArgs(cniArgs: string): Map<string, string> {
  const args = new Map<string, string>();
  for (const pair of cniArgs.split(";")) {
    const equals = pair.indexOf("=");
    if (equals > 0) args.set(pair.slice(0, equals), pair.slice(equals + 1));
  }
  return args;
}
