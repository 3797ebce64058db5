import { Failure } from "../error.ts";

/**
 * CNI_ARGS: pairs `K=V` with a semicolon between. Returns the values of `known` keys. Other keys are refused unless
 * IgnoreUnknown is true. The sentences are the reference library's.
 */
export function readCniArgs<const Key extends string>(
  cniArgs: string,
  known: readonly Key[],
): Partial<Record<Key, string>> {
  const values: Partial<Record<string, string>> = {};
  if (cniArgs === "") return values as Partial<Record<Key, string>>;
  const unknown: string[] = [];
  let ignoreUnknown = false;
  for (const pair of cniArgs.split(";")) {
    const parts = pair.split("=");
    const [key, value] = parts;
    if (parts.length !== 2 || key === undefined || value === undefined)
      throw refused(`ARGS: invalid pair ${JSON.stringify(pair)}`);
    if (key === "IgnoreUnknown") ignoreUnknown = readBoolean(value);
    else if ((known as readonly string[]).includes(key)) values[key] = value;
    else unknown.push(JSON.stringify(pair));
  }
  if (unknown.length > 0 && !ignoreUnknown) throw refused(`ARGS: unknown args [${unknown.join(" ")}]`);
  return values as Partial<Record<Key, string>>;
}

function readBoolean(value: string): boolean {
  const lower = value.toLowerCase();
  if (lower === "1" || lower === "true") return true;
  if (lower === "0" || lower === "false") return false;
  throw refused(
    `ARGS: error parsing value of pair "IgnoreUnknown=${value}": boolean unmarshal error: invalid input ${value}`,
  );
}

function refused(message: string): Failure {
  return new Failure("environment", message, {
    remedy:
      "CNI_ARGS is a list of KEY=VALUE with semicolons between; IgnoreUnknown=1 lets keys of others pass",
  });
}

/**
 * Before 0.3.0 a result has room for one address of each family; more are refused, as the reference does.
 */
export function checkAddressCount(families: (4 | 6)[], cniVersion: string): void {
  let ipv4 = 0;
  for (const family of families) if (family === 4) ipv4++;
  if (ipv4 < 2 && families.length - ipv4 < 2) return;
  const [major = 0, minor = 0] = (cniVersion || "0.1.0").split(".").map(Number);
  if (major > 0 || minor >= 3) return;
  throw new Failure(
    "config",
    `CNI version ${cniVersion || "0.1.0"} does not support more than 1 address per family`,
    { remedy: "set cniVersion to 0.3.0 or newer" },
  );
}
