/**
 * Recognises values as nearly every configuration has them, without a schema: loading valibot and building its schemas takes
 * 0.6 ms of a process that lives for eight. Each function returns undefined for whatever it does not recognise; the
 * schema then has the last word, and the words.
 */
import { fold, isObject } from "../json.ts";
import { type IpAddress, type IpPrefix, parseAddress, parsePrefix } from "./ip.ts";
import type { Route } from "./result.ts";

export function plainText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

export function plainBool(value: unknown): boolean | undefined {
  return typeof value === "boolean" ? value : undefined;
}

/** A JSON object, keys in lower case. */
export function plainObject(value: unknown): Record<string, unknown> | undefined {
  return isObject(value) ? fold(value) : undefined;
}

export function plainTexts(value: unknown): string[] | undefined {
  return plainList(value, plainText);
}

export function plainAddress(value: unknown): IpAddress | undefined {
  return typeof value === "string" ? parseAddress(value) : undefined;
}

export function plainPrefix(value: unknown): IpPrefix | undefined {
  return typeof value === "string" ? parsePrefix(value) : undefined;
}

/** A list of what `item` recognises, all of it. */
export function plainList<Item>(
  value: unknown,
  item: (value: unknown) => Item | undefined,
): Item[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const items: Item[] = [];
  for (const each of value) {
    const plain = item(each);
    if (plain === undefined) return undefined;
    items.push(plain);
  }
  return items;
}

/** Routes with nothing but a destination and, perhaps, a gateway. */
export function plainRoutes(value: unknown): Route[] | undefined {
  return plainList(value, plainRoute);
}

function plainRoute(value: unknown): Route | undefined {
  if (!isObject(value)) return undefined;
  let dst: IpPrefix | undefined;
  let gw: IpAddress | undefined;
  for (const [key, item] of Object.entries(value)) {
    if (key === "dst") dst = plainPrefix(item);
    else if (key === "gw") gw = plainAddress(item);
    else return undefined;
    if ((key === "dst" ? dst : gw) === undefined) return undefined;
  }
  if (dst === undefined) return undefined;
  return gw === undefined ? { dst } : { dst, gw };
}
