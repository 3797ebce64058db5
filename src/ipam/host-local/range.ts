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
  const resolved: RangeSet[] = [];
  for (const configs of sets)
    try {
      resolved.push(resolveSet(configs));
    } catch (error) {
      throw error instanceof Failure
        ? refused(`invalid range set ${resolved.length}: ${error.message}`, error.remedy)
        : error;
    }
  for (let i = 0; i < resolved.length; i++)
    for (let j = 0; j < i; j++)
      if (setsOverlap(resolved[i]!, resolved[j]!)) throw refused(`range set ${j} overlaps with ${i}`);
  const gateways: IpAddress[] = [];
  for (const set of resolved)
    for (const { gateway } of set) if (gateway !== undefined) gateways.push(gateway);
  for (let i = 0; i < resolved.length; i++)
    for (let j = 0; j < resolved[i]!.length; j++) {
      const range = resolved[i]![j]!;
      const { exclude } = sets[i]![j]!;
      for (const one of exclude) checkExclusion(one, [range]);
      range.usable = usableOf(range, gateways, [...exclude, ...excludeEverywhere]);
    }
  for (const one of excludeEverywhere) checkExclusion(one, resolved.flat());
  return resolved;
}

function resolveSet(configs: RangeConfig[]): RangeSet {
  if (configs.length === 0) throw refused("empty range set");
  const ranges: RangeSet = [];
  for (const config of configs) ranges.push(resolveRange(config));
  for (const { subnet } of ranges)
    if (subnet.family !== ranges[0]!.subnet.family) throw refused("mixed address families");
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
  const hosts = hostsOf(subnet);
  const range: Range = {
    subnet,
    first: rangestart?.value ?? hosts.first,
    last: rangeend?.value ?? hosts.last,
    gateway: gateway ?? defaultGateway(subnet),
    usable: [],
  };
  if (rangestart || rangeend) checkEnds(range, rangestart, rangeend);
  if (gateway && gateway.family !== subnet.family)
    throw refused(
      `gateway ${formatAddress(gateway)} is not of the address family of ${formatPrefix(subnet)}`,
    );
  return range;
}

/** Throws unless the ends that the configuration gives, one at least, lie in the subnet and in order. */
function checkEnds({ subnet, first, last }: Range, start?: IpAddress, end?: IpAddress): void {
  if (start && !prefixContains(subnet, start))
    throw refused(`RangeStart ${formatAddress(start)} not in network ${formatPrefix(subnet)}`);
  if (start && end && start.family === end.family && start.value > end.value)
    throw refused(
      `RangeStart ${formatAddress(start)} not in network ${formatPrefix(subnet)} up to rangeEnd ${formatAddress(end)}`,
    );
  if (end && (!prefixContains(subnet, end) || end.value < first))
    throw refused(`RangeEnd ${formatAddress(end)} not in network ${formatPrefix(subnet)}`);
  if (first > last)
    throw refused(
      `RangeStart ${formatAddress(start!)} not in network ${formatPrefix(subnet)}: it leaves no address`,
    );
}

/** True where the first address of a subnet means the network and, in IPv4, the last one everybody. */
function hasReservedEnds(subnet: IpPrefix): boolean {
  return subnet.length < bitsOf(subnet.family) - 1;
}

/** The addresses of a subnet that hosts may have. Without room for more than two addresses both are for hosts. */
function hostsOf(subnet: IpPrefix): Span {
  const first = subnet.value;
  const last = lastAddressOf(subnet).value;
  if (!hasReservedEnds(subnet)) return { first, last };
  return { first: first + 1n, last: subnet.family === 4 ? last - 1n : last };
}

function defaultGateway(subnet: IpPrefix): IpAddress | undefined {
  return hasReservedEnds(subnet) ? { family: subnet.family, value: subnet.value + 1n } : undefined;
}

/** An exclusion that excludes nothing is a slip of the pen. */
function checkExclusion(exclude: IpPrefix, ranges: Range[]): void {
  if (ranges.some(({ subnet }) => meet(subnet, exclude))) return;
  throw refused(
    `exclude ${formatPrefix(exclude)} is not in ${ranges.map(({ subnet }) => formatPrefix(subnet)).join(", ")}`,
  );
}

function meet(a: IpPrefix, b: IpPrefix): boolean {
  return prefixContains(a, b) || prefixContains(b, a);
}

function usableOf(range: Range, gateways: IpAddress[], exclude: IpPrefix[]): Span[] {
  const { family } = range.subnet;
  const holes: Span[] = [];
  for (const gateway of gateways)
    if (gateway.family === family) holes.push({ first: gateway.value, last: gateway.value });
  for (const prefix of exclude)
    if (prefix.family === family)
      holes.push({ first: networkOf(prefix).value, last: lastAddressOf(prefix).value });
  holes.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const usable: Span[] = [];
  const hosts = hostsOf(range.subnet);
  let next = range.first;
  if (next < hosts.first) next = hosts.first;
  const end = smaller(range.last, hosts.last);
  for (const { first, last } of holes) {
    if (first > end) break;
    if (first > next) usable.push({ first: next, last: first - 1n });
    if (last >= next) next = last + 1n;
  }
  if (next <= end) usable.push({ first: next, last: end });
  return usable;
}

function setsOverlap(a: RangeSet, b: RangeSet): boolean {
  for (const one of a) for (const other of b) if (overlap(one, other)) return true;
  return false;
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
  for (const range of set) if (rangeContains(range, address)) return range;
  return undefined;
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
