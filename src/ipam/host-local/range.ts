import { Failure } from "../../error.ts";
import {
  bitsOf,
  formatAddress,
  formatPrefix,
  hostMask,
  type IpAddress,
  type IpPrefix,
  lastAddressOf,
  networkOf,
  prefixContains,
} from "../../net/ip.ts";

/** Consecutive addresses, both ends included. */
export interface Span {
  first: bigint;
  last: bigint;
}

/** A range as the configuration has it. */
export interface RangeConfig {
  subnet: IpPrefix;
  rangestart?: IpAddress | undefined;
  rangeend?: IpAddress | undefined;
  gateway?: IpAddress | undefined;
  exclude: IpPrefix[];
}

/** Addresses of one subnet that may be given, with the gateway that goes with them. */
export interface Range extends Span {
  subnet: IpPrefix;
  /** None by default where a subnet has no address to spare: /31, /32, /127, /128. */
  gateway: IpAddress | undefined;
  /** What may be given: the range less gateways, exclusions, network and broadcast address; in order. */
  usable: Span[];
}

/** One address is given from each set; its ranges are of one family and do not overlap. */
export type RangeSet = Range[];

/**
 * Checks the sets and fills in what they leave out. `excludeEverywhere` holds for each range. The sentences are the
 * reference's; a subnet without room for a network and a broadcast address is not refused (RFC 3021, RFC 6164).
 */
export function resolveSets(sets: RangeConfig[][], excludeEverywhere: IpPrefix[]): RangeSet[] {
  const resolved = sets.map((configs, index) => {
    try {
      return resolveSet(configs);
    } catch (error) {
      throw error instanceof Failure
        ? refused(`invalid range set ${index}: ${error.message}`, error.remedy)
        : error;
    }
  });
  for (let i = 0; i < resolved.length; i++)
    for (let j = 0; j < i; j++)
      if (resolved[i]!.some((range) => resolved[j]!.some((earlier) => overlap(range, earlier))))
        throw refused(`range set ${j} overlaps with ${i}`);
  checkExclusions(resolved, sets, excludeEverywhere);
  const gateways: IpAddress[] = [];
  for (const set of resolved)
    for (const { gateway } of set) if (gateway !== undefined) gateways.push(gateway);
  for (let i = 0; i < resolved.length; i++)
    for (let j = 0; j < resolved[i]!.length; j++) {
      const range = resolved[i]![j]!;
      range.usable = usableOf(range, gateways, [...sets[i]![j]!.exclude, ...excludeEverywhere]);
    }
  return resolved;
}

function resolveSet(configs: RangeConfig[]): RangeSet {
  if (configs.length === 0) throw refused("empty range set");
  const ranges = configs.map(resolveRange);
  if (ranges.some(({ subnet }) => subnet.family !== ranges[0]!.subnet.family))
    throw refused("mixed address families");
  for (let i = 0; i < ranges.length; i++)
    for (let j = 0; j < i; j++)
      if (overlap(ranges[i]!, ranges[j]!))
        throw refused(`subnets ${describeRange(ranges[j]!)} and ${describeRange(ranges[i]!)} overlap`);
  return ranges;
}

function resolveRange({ subnet, rangestart, rangeend, gateway }: RangeConfig): Range {
  const network = networkOf(subnet);
  if (network.value !== subnet.value)
    throw refused(
      `Network has host bits set. For a subnet mask of length ${subnet.length} the network address is ${formatAddress(network)}`,
    );
  const end = lastAddressOf(subnet);
  // Without room for more than two addresses both are for hosts.
  const spare = hasReservedEnds(subnet) ? 1n : 0n;
  const broadcast = subnet.family === 4 ? spare : 0n;
  const range: Range = {
    subnet,
    first: (rangestart ?? { value: subnet.value + spare }).value,
    last: (rangeend ?? { value: end.value - broadcast }).value,
    gateway: gateway ?? (spare > 0n ? { family: subnet.family, value: subnet.value + 1n } : undefined),
    usable: [],
  };
  if (rangestart && !prefixContains(subnet, rangestart))
    throw refused(`RangeStart ${formatAddress(rangestart)} not in network ${formatPrefix(subnet)}`);
  if (rangestart && rangeend && rangestart.family === rangeend.family && rangestart.value > rangeend.value)
    throw refused(
      `RangeStart ${formatAddress(rangestart)} not in network ${formatPrefix(subnet)} up to rangeEnd ${formatAddress(rangeend)}`,
    );
  if (rangeend && (!prefixContains(subnet, rangeend) || rangeend.value < range.first))
    throw refused(`RangeEnd ${formatAddress(rangeend)} not in network ${formatPrefix(subnet)}`);
  if (range.first > range.last)
    throw refused(
      `RangeStart ${formatAddress(rangestart!)} not in network ${formatPrefix(subnet)}: it leaves no address`,
    );
  if (gateway && gateway.family !== subnet.family)
    throw refused(
      `gateway ${formatAddress(gateway)} is not of the address family of ${formatPrefix(subnet)}`,
    );
  return range;
}

/** True where the first address of a subnet means the network and, in IPv4, the last one everybody. */
function hasReservedEnds(subnet: IpPrefix): boolean {
  return subnet.length < bitsOf(subnet.family) - 1;
}

/** An exclusion that excludes nothing is a slip of the pen. */
function checkExclusions(resolved: RangeSet[], sets: RangeConfig[][], everywhere: IpPrefix[]): void {
  const check = (exclude: IpPrefix, ranges: Range[]) => {
    if (ranges.some(({ subnet }) => meet(subnet, exclude))) return;
    throw refused(
      `exclude ${formatPrefix(exclude)} is not in ${ranges.map(({ subnet }) => formatPrefix(subnet)).join(", ")}`,
    );
  };
  for (let i = 0; i < resolved.length; i++)
    for (let j = 0; j < resolved[i]!.length; j++)
      for (const exclude of sets[i]![j]!.exclude) check(exclude, [resolved[i]![j]!]);
  for (const exclude of everywhere) check(exclude, resolved.flat());
}

function meet(a: IpPrefix, b: IpPrefix): boolean {
  return prefixContains(a, b) || prefixContains(b, a);
}

function usableOf(range: Range, gateways: IpAddress[], exclude: IpPrefix[]): Span[] {
  const { subnet } = range;
  const holes: Span[] = [];
  const hole = (family: 4 | 6, first: bigint, last: bigint) => {
    if (family === subnet.family) holes.push({ first, last });
  };
  for (const { family, value } of gateways) hole(family, value, value);
  for (const prefix of exclude) hole(prefix.family, networkOf(prefix).value, lastAddressOf(prefix).value);
  if (hasReservedEnds(subnet)) {
    const { value } = lastAddressOf(subnet);
    hole(subnet.family, subnet.value, subnet.value);
    if (subnet.family === 4) hole(4, value, value);
  }
  holes.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const usable: Span[] = [];
  let next = range.first;
  for (const { first, last } of holes) {
    if (first > range.last) break;
    if (first > next) usable.push({ first: next, last: first - 1n });
    if (last >= next) next = last + 1n;
  }
  if (next <= range.last) usable.push({ first: next, last: range.last });
  return usable;
}

function overlap(a: Range, b: Range): boolean {
  return a.subnet.family === b.subnet.family && a.first <= b.last && b.first <= a.last;
}

/** True when the address lies between the range's ends, usable or not. */
export function rangeContains(range: Range, address: IpAddress): boolean {
  return (
    range.subnet.family === address.family && range.first <= address.value && address.value <= range.last
  );
}

/** The range of the set that the address lies in. */
export function rangeOf(set: RangeSet, address: IpAddress): Range | undefined {
  return set.find((range) => rangeContains(range, address));
}

/** Why an address of the range is never given; undefined when it may be. */
export function whyUnusable(range: Range, address: IpAddress): string | undefined {
  const { value } = address;
  if (range.usable.some(({ first, last }) => first <= value && value <= last)) return undefined;
  const name = formatAddress(address);
  const subnet = formatPrefix(range.subnet);
  if (value === range.gateway?.value) return `requested ip ${name} is subnet's gateway`;
  if (hasReservedEnds(range.subnet)) {
    if (value === range.subnet.value) return `requested ip ${name} is the network address of ${subnet}`;
    if (
      range.subnet.family === 4 &&
      (value & hostMask(4, range.subnet.length)) === hostMask(4, range.subnet.length)
    )
      return `requested ip ${name} is the broadcast address of ${subnet}`;
  }
  return `requested ip ${name} is excluded by the configuration, or a gateway`;
}

/**
 * What to try, in order: after `cursor` up to the end of its range, the next ranges, those before, and last the
 * range of the cursor up to the cursor itself. Without a cursor, or with one outside: all ranges as they come.
 */
export function candidates(set: RangeSet, cursor: IpAddress | undefined): Span[] {
  let at = 0;
  while (at < set.length && !(cursor && rangeContains(set[at]!, cursor))) at++;
  const spans: Span[] = [];
  const { usable } = set[at] ?? { usable: [] };
  if (cursor)
    for (const { first, last } of usable)
      if (last > cursor.value) spans.push({ first: first > cursor.value ? first : cursor.value + 1n, last });
  for (const range of [...set.slice(at + 1), ...set.slice(0, at)]) spans.push(...range.usable);
  if (cursor)
    for (const { first, last } of usable)
      if (first <= cursor.value) spans.push({ first, last: smaller(last, cursor.value) });
  return spans;
}

function smaller(a: bigint, b: bigint): bigint {
  if (a < b) return a;
  return b;
}

/** How many addresses the set can give in all. */
export function capacityOf(set: RangeSet): bigint {
  return set.flatMap(({ usable }) => usable).reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
}

/** `10.0.0.1-10.0.0.254`, as the reference writes a range. */
function describeRange({ subnet, first, last }: Range): string {
  const { family } = subnet;
  return `${formatAddress({ family, value: first })}-${formatAddress({ family, value: last })}`;
}

/** The ranges of a set with commas between, as the reference writes a set. */
export function describeSet(set: RangeSet): string {
  return set.map(describeRange).join(",");
}

function refused(message: string, remedy?: string): Failure {
  return new Failure("config", message, { remedy });
}
