import * as v from "valibot";
import { isPluginName } from "./name.ts";
import { arrayOf, integer, objectOf, text } from "./schema.ts";

export { dnsSchema } from "../net/schema.ts";
export { bool, object, validate } from "./schema.ts";

// The schemas of what config.ts reads; it loads them when it does not recognise a value itself.

export const modeSchema = () => v.picklist(["l2", "l3", "l3s", ""], 'must be "l2", "l3" or "l3s"');
export const flagSchema = () =>
  v.picklist(["bridge", "private", "vepa", ""], 'must be "bridge", "private" or "vepa"');

/** An interface's name of up to 15 bytes or an alternative name of up to 127; "/" would lead sysfs paths astray. */
export const masterSchema = () =>
  v.pipe(
    text,
    v.check(
      (name) =>
        Buffer.byteLength(name) <= 127 &&
        !name.includes("/") &&
        !name.includes("\0") &&
        name !== "." &&
        name !== "..",
      "must be the name of an interface",
    ),
  );

/** 0 means "not set". 68 is the least an Ethernet-like link takes, 65535 the most; the master may allow less. */
export const mtuSchema = () =>
  v.pipe(
    integer,
    v.check((mtu) => mtu === 0 || (mtu >= 68 && mtu <= 65_535), "must be from 68 to 65535"),
  );

/**
 * The configuration must not choose a program outside of the directories that the runtime names, nor the plugin
 * itself, whose DEL would execute itself without end.
 */
export const ipamTypeSchema = (ownType: unknown) =>
  v.pipe(
    text,
    v.check(isPluginName, "must be the name of a file in CNI_PATH"),
    v.check((type) => type === "" || type !== ownType, "must be an IPAM plugin, not this one"),
  );

/** The valid value, undefined for a wrong one. */
export function tolerate<Output>(
  schema: v.GenericSchema<unknown, Output>,
  value: unknown,
): Output | undefined {
  const result = v.safeParse(schema, value, { abortEarly: true });
  return result.success ? result.output : undefined;
}

export const validAttachmentsSchema = () => arrayOf(objectOf({ containerid: text, ifname: text }));
