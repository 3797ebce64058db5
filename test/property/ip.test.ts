/** Addresses as text: what is read, and what is refused. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatAddress, parseAddress } from "../../src/net/ip.ts";
import { inputs } from "../support/inputs.ts";

/** Four parts, each a number up to 255 as it is written in decimal. */
function ipv4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256n + BigInt(part);
  }
  return value;
}

const part = fc.oneof(
  fc.nat(300).map(String),
  fc.constantFrom("", " ", "0", "00", "01", "255", "256", "999", "0255", "+1", "-1", "1e1", "0x1", "٣"),
);
const text = fc.oneof(
  fc.ipV4(),
  fc.array(fc.nat(255).map(String), { minLength: 4, maxLength: 4 }).map((parts) => parts.join(".")),
  fc.array(part, { maxLength: 6 }).map((parts) => parts.join(".")),
  fc.string({ unit: fc.constantFrom("0", "1", "2", "5", "9", "."), maxLength: 12 }),
);

test("IPv4: four decimal parts and nothing else", () => {
  fc.assert(
    fc.property(text, (given) => {
      const value = ipv4(given);
      const expected = value === undefined ? undefined : { family: 4 as const, value };
      expect([given, parseAddress(given)]).toEqual([given, expected]);
      if (expected !== undefined) expect(formatAddress(expected)).toBe(given);
    }),
    inputs(3000),
  );
});
