/** Makes a test of every case: the reference and ours differ exactly as differences.ts says. */

import { afterAll, expect, test } from "bun:test";
import { release as kernelRelease } from "node:os";
import type { Release } from "../support/plugin.ts";
import type { Case } from "./case.ts";
import { compare, type Difference, type Group, matches } from "./compare.ts";
import { kinds } from "./differences.ts";
import { Stage } from "./observe.ts";

/** Debian 12's plugins under Debian 12's kernel, sid's under any newer. */
const release: Release = kernelRelease().startsWith("6.1.") ? "1.1.1" : "1.9.1";

export function conform(group: Group, cases: Case[]): void {
  const reference = new Stage(release, "reference");
  const ours = new Stage(release, "ours");
  afterAll(async () => {
    await reference[Symbol.asyncDispose]();
    await ours[Symbol.asyncDispose]();
  });
  const declared = kinds.flatMap((kind) => kind.differences).filter(isHere);
  const general = new Set(
    declared.filter(({ cases, groups }) => cases === "*" && (groups ?? [group]).includes(group)),
  );
  let played = 0;

  const here = cases.filter(isHere);
  for (const some of here) {
    test(`${some.name}, against ${release}`, async () => {
      const found = compare(await reference.observe(some), await ours.observe(some));
      const unmet = new Set(declared.filter((difference) => difference.cases.includes(some.name)));
      const surprises = found.filter((each) => {
        const meant = declared.filter((difference) => matches(difference, some.name, each));
        for (const difference of meant) {
          unmet.delete(difference);
          general.delete(difference);
        }
        return meant.length === 0;
      });
      played++;
      expect({ surprises, unmet: [...unmet] }).toEqual({ surprises: [], unmet: [] });
    });
  }

  test(`no general difference has gone, against ${release}`, () => {
    // With only some of the cases run, nothing can be said.
    if (played === here.length) expect([...general]).toEqual([]);
  });
}

function isHere({ releases }: Case | Difference): boolean {
  return releases === undefined || releases.includes(release);
}
