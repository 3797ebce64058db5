/** DHCP messages as they went over the wire between this client and dnsmasq 2.90. */

import { expect, test } from "bun:test";
import { encodeDatagram, parseDatagram } from "../../src/ipam/dhcp/datagram.ts";
import { grantOf } from "../../src/ipam/dhcp/grant.ts";
import { DISCOVER, encodeMessage, parseMessage } from "../../src/ipam/dhcp/message.ts";
import { OPTION } from "../../src/ipam/dhcp/option.ts";
import { givenBy } from "../../src/ipam/dhcp/result.ts";
import { formatAddress, formatPrefix } from "../../src/net/ip.ts";

const MAC = "4e6ce0f961b2";
/** The rest of the hardware address's field, and the names of server and file. */
const UNUSED = "00".repeat(10 + 64 + 128);
const COOKIE = "63825363";

const discover =
  `4500014800004000401139a600000000ffffffff0044004301341015` +
  `0101060094669ed000008000${"00".repeat(16)}${MAC}${UNUSED}${COOKIE}` +
  `3501013d1900636f6e7461696e65722d3733392d362f6e65742f65746830390205c0370a01790321060f771a3a3bff${"00".repeat(13)}`;

const acknowledgement =
  `45c0018bd70c00004011df93c0000202ffffffff004300440177c38a` +
  `0201060094669ed00000800000000000c0000232c000020200000000${MAC}${UNUSED}${COOKIE}` +
  "3501053604c0000202330400000e103a04000007083b0400000c4e0104ffffff001c04c00002ff0304c0000202" +
  "791500c000020218c63364c000020918cb0071000000002108c6336400c00002091a0205787713" +
  "0161076578616d706c6503636f6d000162c0020f0b6578616d706c652e636f6d0608c0000235c0000236ff";

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
const requests = [1, 121, 3, 33, 6, 15, 119, 26, 58, 59];

test("DISCOVER is, byte for byte, what dnsmasq answered", () => {
  const message = encodeMessage({
    op: 1,
    transactionId: 0x94669ed0,
    seconds: 0,
    broadcast: true,
    clientAddress: 0,
    yourAddress: 0,
    hardwareAddress: bytes(MAC),
    options: new Map<number, Uint8Array>([
      [OPTION.messageType, Uint8Array.of(DISCOVER)],
      [OPTION.clientIdentifier, Buffer.from("\0container-739-6/net/eth0")],
      [OPTION.messageSizeMax, Uint8Array.of(5, 0xc0)],
      [OPTION.parameterRequests, Uint8Array.from(requests)],
    ]),
  });
  expect(Buffer.from(encodeDatagram(0, 0xffff_ffff, message)).toString("hex")).toBe(discover);
});

test("dnsmasq's ACK is read, though its UDP checksum was left to a network card", () => {
  const message = parseMessage(parseDatagram(bytes(acknowledgement)));
  const grant = grantOf(message, bytes("aabbccddeeff"), 1000, 0);
  expect(grant).toMatchObject({
    address: 0xc000_0232,
    prefixLength: 24,
    server: 0xc000_0202,
    renewAt: 2800,
    rebindAt: 4150,
    expiresAt: 4600,
  });
  const { result, mtu, complaints } = givenBy(grant, requests, undefined, 1010.5);
  expect(complaints).toEqual([]);
  expect(mtu).toBe(1400);
  expect(
    result.ips.map((ip) => [formatPrefix(ip.address), formatAddress(ip.gateway!), ip.lifetimeSeconds]),
  ).toEqual([["192.0.2.50/24", "192.0.2.2", 3590]]);
  expect(
    result.routes.map(({ dst, gw, scope }) => [formatPrefix(dst), gw && formatAddress(gw), scope]),
  ).toEqual([
    ["0.0.0.0/0", "192.0.2.2", undefined],
    ["198.51.100.0/24", "192.0.2.9", undefined],
    ["203.0.113.0/24", undefined, 253],
  ]);
  expect(result.dns).toEqual({
    nameservers: ["192.0.2.53", "192.0.2.54"],
    domain: "example.com",
    search: ["a.example.com", "b.example.com"],
  });
});
