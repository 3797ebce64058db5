import type { Target } from "./seeds.ts";

/** A defect of the kind that the target is there to find. */
export const planted: Record<Target, { file: string; right: string; wrong: string }> = {
  // Four bytes too far, and only for an attribute that lies about its length.
  walk: {
    file: "attribute.ts",
    right: "<u32>(last - at)) return false",
    wrong: "<u32>(end - at)) return false",
  },
  // The word behind the one that is wanted, which may be another attribute's, or nobody's.
  seek: {
    file: "attribute.ts",
    right: "load<i32>(at + NLA_HDRLEN);",
    wrong: "load<i32>(at + NLA_HDRLEN + 4);",
  },
  // What stood behind an earlier text is sent along.
  request: { file: "request.ts", right: "store<u32>(TEXT + length, 0, 0, 1);", wrong: "" },
};
