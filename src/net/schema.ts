import * as v from "valibot";
import { arrayOf, integer, objectOf, text, texts } from "../schema.ts";
import { type IpAddress, type IpPrefix, parseAddress, parsePrefix } from "./ip.ts";
import type { Dns, Route } from "./result.ts";

// The JSON of results and configurations, as far as it is about addresses, routes and names.

/** An address with a prefix length; host bits are kept. */
export const prefix = v.pipe(
  text,
  v.rawTransform(({ dataset, addIssue, NEVER }): IpPrefix => {
    const parsed = parsePrefix(dataset.value);
    if (parsed !== undefined) return parsed;
    addIssue({ message: 'must be an address with a prefix length, such as "10.1.2.3/24"' });
    return NEVER;
  }),
);

/** An address; absent, null and "" are none. */
export const optionalAddress = v.pipe(
  v.nullish(text, ""),
  v.rawTransform(({ dataset, addIssue }): IpAddress | undefined => {
    const parsed = parseAddress(dataset.value);
    if (parsed === undefined && dataset.value !== "") addIssue({ message: "must be an IP address" });
    return parsed;
  }),
);

/** A list of routes; absent and null are none. */
export function routesSchema() {
  const optionalInteger = v.nullish(integer);
  const route = objectOf({
    dst: prefix,
    gw: optionalAddress,
    mtu: optionalInteger,
    advmss: optionalInteger,
    priority: optionalInteger,
    table: optionalInteger,
    scope: optionalInteger,
  });
  return v.pipe(
    v.nullish(arrayOf(route), []),
    v.transform((routes): Route[] =>
      routes.map((route) =>
        present<Route>(
          {
            ...route,
            mtu: route.mtu || undefined,
            advmss: route.advmss || undefined,
            priority: route.priority || undefined,
          },
          ["dst", "gw", "mtu", "advmss", "priority", "table", "scope"],
        ),
      ),
    ),
  );
}

/** A DNS section. */
export function dnsSchema() {
  const optionalText = v.nullish(text);
  return v.pipe(
    objectOf({ nameservers: texts, domain: optionalText, search: texts, options: texts }),
    v.transform(
      (dns): Dns =>
        present<Dns>({ ...dns, domain: dns.domain || undefined }, [
          "nameservers",
          "domain",
          "search",
          "options",
        ]),
    ),
  );
}

/** Those of the fields, in this order, that are neither null nor undefined. */
export function present<T extends object>(
  fields: { [Key in keyof T]?: T[Key] | null | undefined },
  keys: (keyof T)[],
): T {
  const result: Partial<T> = {};
  for (const key of keys) {
    const value = fields[key];
    if (value !== null && value !== undefined) result[key] = value as T[typeof key];
  }
  return result as T;
}
