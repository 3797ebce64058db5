import { Failure } from "../error.ts";
import { encodeUtf8, isAlphanumeric, isMadeOf } from "../text.ts";

/** True for a container id or network name, [a-zA-Z0-9][a-zA-Z0-9_.-]*: they become file names in IPAM plugins. */
export function isIdentifier(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    // What container ids are made of, first: of 64 characters each call would count.
    if ((code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39)) continue;
    const isMark = code === 0x5f || code === 0x2e || code === 0x2d;
    if (!(isAlphanumeric(code) || (isMark && index > 0))) return false;
  }
  return text !== "";
}

/** True for what can only be a file in the directory it is looked for in; "" stands for no plugin. */
export function isPluginName(type: string): boolean {
  return !type.includes("/") && !type.includes("\0") && type !== "." && type !== "..";
}

/** True for the code of what nearly every name is made of: visible ASCII without "/" and ":". */
function isPlain(code: number): boolean {
  return code > 0x20 && code < 0x7f && code !== 0x2f && code !== 0x3a;
}

/** Throws an `environment` Failure unless the spec allows `name` for an interface (section 2, CNI_IFNAME). */
export function checkIfName(name: string): void {
  if (name === "") throw new Failure("environment", "interface name is empty");
  if (encodeUtf8(name).length > 15)
    throw new Failure("environment", "interface name is too long", {
      details: "interface name should be less than 16 characters",
    });
  if (name === "." || name === "..") throw new Failure("environment", "interface name is . or ..");
  if (!isMadeOf(name, isPlain) && (hasForbidden(name) || name.includes("\0")))
    throw new Failure("environment", "interface name contains / or : or whitespace characters");
}

/** Unicode's White_Space (which JavaScript's \s is not quite), "/" and ":". */
function hasForbidden(name: string): boolean {
  return /[/:\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/.test(name);
}
