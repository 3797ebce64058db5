import { Failure } from "../../error.ts";
import { KernelError } from "../../linux/errno.ts";
import { readText } from "../../linux/file.ts";
import type { Dns } from "../../net/result.ts";

const LIMIT_BYTES = 1 << 20;

/** Reads a resolv.conf(5) file. Lines it does not know, and lines without a value, are ignored. */
export function readResolvConf(path: string): Dns {
  let text: string | undefined;
  try {
    text = readText(path, LIMIT_BYTES);
  } catch (cause) {
    if (cause instanceof KernelError) throw unreadable(cause.message, cause);
    throw cause;
  }
  if (text === undefined) throw unreadable(`open ${path}: no such file or directory`, undefined);
  return parseResolvConf(text);
}

/** The text of a resolv.conf(5) file as a result's `dns`. */
export function parseResolvConf(text: string): Dns {
  const dns = { nameservers: [] as string[], domain: "", search: [] as string[], options: [] as string[] };
  for (const raw of text.split("\n")) {
    const line = raw.trim();
    const [keyword, ...values] = line.split(/\s+/);
    if (line === "" || line.startsWith("#") || line.startsWith(";") || values.length === 0) continue;
    if (keyword === "nameserver") dns.nameservers.push(values[0]!);
    else if (keyword === "domain") dns.domain = values[0]!;
    else if (keyword === "search") dns.search.push(...values);
    else if (keyword === "options") dns.options.push(...values);
  }
  const { nameservers, domain, search, options } = dns;
  return {
    ...(nameservers.length > 0 ? { nameservers } : {}),
    ...(domain === "" ? {} : { domain }),
    ...(search.length > 0 ? { search } : {}),
    ...(options.length > 0 ? { options } : {}),
  };
}

function unreadable(message: string, cause: unknown): Failure {
  return new Failure("ipam", `ipam.resolvConf: ${message}`, {
    cause,
    remedy: "create the file, or take resolvConf out of the configuration",
  });
}
