/** What an enemy writes, and how a program that stands it fails. */

import fc from "fast-check";
import { Failure, messageOf } from "../../src/error.ts";
import { KernelError } from "../../src/linux/errno.ts";

/** Texts that mean something to a file system, a C library, a parser or a prototype. */
export const NASTY = [
  ...["", ".", "..", "/", "../..", "../../canary", "a/../../b", "/etc/passwd", "a\0b", "\0", "%d", "-"],
  ...[
    "__proto__",
    "constructor",
    "toString",
    "null",
    "[]",
    "{}",
    "\ufeff",
    "\ud800",
    "\r\n",
    " ",
    "💥",
    "all",
  ],
  ...["0.0.0.0/0", "10.0.0.0/8", "::/0", "::1", "10.0.0.1", "1e999", "x".repeat(300), "ipvlan", "eth0"],
];

export const text = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...NASTY) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 20 }) },
  { weight: 1, arbitrary: fc.string({ maxLength: 20 }) },
);

/** A place in something, wherever: without the bias, which likes the beginning. */
const somewhere = fc.noBias(fc.nat());

/** Any JSON value, some of whose keys are `keys`. */
export function jsonWith(keys: string[]): fc.Arbitrary<unknown> {
  const key = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...keys) }, { weight: 1, arbitrary: text });
  const leaf = fc.oneof(
    text,
    fc.integer(),
    fc.double(),
    fc.constantFrom(null, true, false, 0, -1, 1e300, 2 ** 31, 2 ** 32),
  );
  return fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      leaf,
      fc.array(tie("value"), { maxLength: 4 }),
      fc.array(fc.tuple(key, tie("value")), { maxLength: 6 }).map((entries) => Object.fromEntries(entries)),
    ),
  })).value;
}

/** The value with one place of it, however deep, replaced by something else or taken out. */
export function mutated(value: unknown, other: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.tuple(somewhere, fc.option(fc.oneof(text, other))).map(([place, replacement]) => {
    const copy = structuredClone({ value }) as Record<string, unknown>;
    const places: [holder: Record<string, unknown>, key: string][] = [];
    const visit = (holder: object) => {
      for (const [key, item] of Object.entries(holder)) {
        places.push([holder as Record<string, unknown>, key]);
        if (typeof item === "object" && item !== null) visit(item);
      }
    };
    visit(copy);
    const [holder, key] = places[place % places.length]!;
    if (replacement === null && holder !== copy) delete holder[key];
    else holder[key] = replacement;
    return copy.value;
  });
}

/** The bytes with some of them changed, cut off, or put in twice. */
export function torn(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  const change = fc.tuple(somewhere, fc.nat({ max: 255 }));
  return fc
    .tuple(fc.array(change, { maxLength: 8 }), fc.option(somewhere, { freq: 3 }))
    .map(([changes, cut]) => {
      const copy = bytes.slice();
      for (const [at, byte] of changes) if (copy.length > 0) copy[at % copy.length] = byte;
      return cut === null ? copy : copy.subarray(0, cut % (copy.length + 1));
    });
}

/** Throws unless what was thrown says what is wrong with the input: a TypeError says what is wrong with us. */
export function expectNamed(thrown: unknown): void {
  let error = thrown;
  // A kind of its own is for several errors at once too; the first one is underneath.
  while (error instanceof Failure && error.kind === "internal" && error.cause !== undefined)
    error = error.cause;
  const isNamed = error instanceof KernelError || (error instanceof Failure && error.kind !== "internal");
  if (!isNamed) throw new Error(`not a named failure: ${messageOf(thrown)}`, { cause: thrown });
}

/** Runs the work; whatever it throws is to be a named failure. */
export async function survives(work: () => unknown): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    expectNamed(thrown);
  }
}
