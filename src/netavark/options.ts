import { Failure } from "../error.ts";
import type { Flag, Mode } from "../ipvlan/call.ts";

/** What the driver's options (`-o KEY=VALUE`, and `--network NAME:KEY=VALUE`) ask for. */
export interface DriverOptions {
  mode: Mode;
  flag: Flag;
  /** undefined: the parent's. */
  mtu: number | undefined;
  /** Of the default routes. */
  metric: number;
  noDefaultRoute: boolean;
}

/** As netavark has it since 2.0, just below the 100 of other networks, so that theirs loses. */
const DEFAULT_METRIC = 99;
const U32_MAX = 0xffff_ffffn;

const NAMES = ["mode", "flag", "mtu", "metric", "no_default_route"];

/** Reads the options; names that are not ours are passed over. Throws a `config` Failure for a value that is none. */
export function readOptions(options: Record<string, string>): DriverOptions {
  const { mode, flag, mtu, metric, no_default_route } = options;
  return {
    mode: oneOf(mode, ["l2", "l3", "l3s"], "mode"),
    flag: oneOf(flag, ["bridge", "private", "vepa"], "flag"),
    mtu: mtu === undefined ? undefined : readU32("mtu", mtu) || undefined,
    metric: metric === undefined ? DEFAULT_METRIC : readU32("metric", metric),
    noDefaultRoute: no_default_route !== undefined && readBool("no_default_route", no_default_route),
  };
}

/** Throws an `unsupported` Failure for the first option that the driver does not have. */
export function refuseUnknownOptions(options: Record<string, string>): void {
  for (const name of Object.keys(options)) {
    // netavark takes this one for macvlan links, and tells it apart.
    if (name === "bclim") throw new Failure("unsupported", "unsupported ipvlan network option bclim");
    if (!NAMES.includes(name)) throw new Failure("unsupported", `unsupported vlan network option: ${name}`);
  }
}

/** "true" or "false"; also 1 and 0, which Podman's manual uses. Throws a `config` Failure. */
export function readBool(name: string, value: string): boolean {
  if (value === "true" || value === "1") return true;
  if (value === "false" || value === "0") return false;
  throw unparsable(name, "provided string was not `true` or `false`");
}

/** The first of the words stands for "", and for nothing. */
function oneOf<Word extends string>(value: string | undefined, words: [Word, ...Word[]], name: string): Word {
  const word = value || words[0];
  if ((words as string[]).includes(word)) return word as Word;
  throw new Failure("config", `invalid ipvlan ${name} "${word}"`, {
    remedy: `choose one of ${words.join(", ")}`,
  });
}

function readU32(name: string, value: string): number {
  if (value === "") throw unparsable(name, "cannot parse integer from empty string");
  if (!/^\+?[0-9]+$/.test(value)) throw unparsable(name, "invalid digit found in string");
  const number = BigInt(value.replace("+", ""));
  if (number > U32_MAX) throw unparsable(name, "number too large to fit in target type");
  return Number(number);
}

function unparsable(name: string, why: string): Failure {
  return new Failure("config", `unable to parse "${name}": ${why}`);
}
