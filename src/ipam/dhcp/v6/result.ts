import { addressFromBytes, formatAddress, type IpAddress } from "../../../net/ip.ts";
import type { Dns, Result } from "../../../net/result.ts";
import { present } from "../../../net/schema.ts";
import { MalformedMessage } from "../malformed.ts";
import { readSearchList } from "../option.ts";
import { lifetimeSeconds } from "../result.ts";
import type { Client6, Grant6 } from "./client.ts";
import { PREFIX_LENGTH } from "./dialect6.ts";
import { OPTION6, optionOf } from "./message.ts";

const DUID_UUID = 4;
const UUID_BYTES = 16;
const ADDRESS_BYTES = 16;

/** DUID (of type UUID) and IAID that follow from what names the endpoint to a DHCPv4 server. */
export function client6Of(clientId: Uint8Array): Client6 {
  const digest = new Uint8Array(new Bun.CryptoHasher("sha256").update(clientId).digest());
  return {
    duid: Uint8Array.of(0, DUID_UUID, ...digest.subarray(0, UUID_BYTES)),
    iaid: new DataView(digest.buffer, digest.byteOffset + UUID_BYTES, 4).getUint32(0),
  };
}

/** Address and names out of a REPLY; a name list that cannot be read is left out. `now` is in boot seconds. */
export function givenBy6(grant: Grant6, now: number): Result {
  const seconds = lifetimeSeconds(grant, now);
  const address = { family: 6 as const, value: grant.address, length: PREFIX_LENGTH };
  return {
    interfaces: [],
    ips: [{ address, ...(seconds === undefined ? {} : { lifetimeSeconds: seconds }) }],
    routes: [],
    dns: present<Dns>({ nameservers: serversOf(grant), search: searchOf(grant) }, ["nameservers", "search"]),
  };
}

function serversOf({ options }: Grant6): string[] | undefined {
  const value = optionOf(options, OPTION6.nameServers);
  if (value === undefined || value.length === 0 || value.length % ADDRESS_BYTES !== 0) return undefined;
  const servers: IpAddress[] = [];
  for (let at = 0; at < value.length; at += ADDRESS_BYTES)
    servers.push(addressFromBytes(value.subarray(at, at + ADDRESS_BYTES)));
  return servers.map(formatAddress);
}

function searchOf({ options }: Grant6): string[] | undefined {
  const value = optionOf(options, OPTION6.domainSearch);
  try {
    return value === undefined ? undefined : readSearchList(value);
  } catch (thrown) {
    if (!(thrown instanceof MalformedMessage)) throw thrown;
    return undefined;
  }
}
