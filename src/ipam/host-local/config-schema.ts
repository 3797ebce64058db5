import * as v from "valibot";
import { bitsOf, type IpPrefix, parseAddress, parsePrefix } from "../../net/ip.ts";
import { optionalAddress, prefix, routesSchema } from "../../net/schema.ts";
import { arrayOf, objectOf, text } from "../../schema.ts";
import type { RangeConfig } from "./range.ts";

export { text, texts, validate } from "../../schema.ts";

// The schemas of what config.ts reads; it loads them when it does not recognise a value itself.

/** Keys that messages spell as the documentation does; they are read in any case. */
export const SPELLING: Record<string, string> = {
  datadir: "dataDir",
  rangestart: "rangeStart",
  rangeend: "rangeEnd",
  resolvconf: "resolvConf",
};

/** An address or a prefix; the address is a prefix of its full length. */
const exclusion = () =>
  v.pipe(
    text,
    v.rawTransform(({ dataset, addIssue, NEVER }): IpPrefix => {
      const single = parseAddress(dataset.value);
      const found = single ? { ...single, length: bitsOf(single.family) } : parsePrefix(dataset.value);
      if (found !== undefined) return found;
      addIssue({ message: "must be an address or a prefix" });
      return NEVER;
    }),
  );

export const rangeSets = (): v.GenericSchema<unknown, RangeConfig[][]> => {
  const exclude = v.nullish(arrayOf(exclusion()), []);
  const range = { rangestart: optionalAddress, rangeend: optionalAddress, gateway: optionalAddress, exclude };
  return arrayOf(arrayOf(objectOf({ subnet: prefix, ...range })));
};

/** By key, in the order of the checks. Most configurations have two or three of them, and only these are built. */
export const FIELDS = {
  // In the single range of old, "" is none.
  subnet: () => v.union([v.literal(""), prefix], 'must be a prefix, such as "10.1.2.0/24"'),
  rangestart: () => optionalAddress,
  rangeend: () => optionalAddress,
  gateway: () => optionalAddress,
  exclude: () => arrayOf(exclusion()),
  ranges: rangeSets,
  routes: routesSchema,
  resolvconf: () => text,
};
