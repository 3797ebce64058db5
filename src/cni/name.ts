import { Failure } from "../error.ts";

/** True for a container id or network name: they become file names in IPAM plugins. `$` without `m` is the end of text. */
export function isIdentifier(text: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(text);
}

/** True for what can only be a file in the directory it is looked for in; "" stands for no plugin. */
export function isPluginName(type: string): boolean {
  return !type.includes("/") && !type.includes("\0") && type !== "." && type !== "..";
}

/** Unicode's White_Space (which JavaScript's \s is not quite), "/" and ":". */
const FORBIDDEN = /[/:\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

/** Throws an `environment` Failure unless the spec allows `name` for an interface (section 2, CNI_IFNAME). */
export function checkIfName(name: string): void {
  if (name === "") throw new Failure("environment", "interface name is empty");
  if (Buffer.byteLength(name) > 15)
    throw new Failure("environment", "interface name is too long", {
      details: "interface name should be less than 16 characters",
    });
  if (name === "." || name === "..") throw new Failure("environment", "interface name is . or ..");
  if (FORBIDDEN.test(name))
    throw new Failure("environment", "interface name contains / or : or whitespace characters");
}
