/** Mutants that no test can kill, since they do the same as the original. Each with the reason. */

export interface Equivalent {
  file: string;
  /** The whole line. */
  text: string;
  /** As the report describes it. */
  mutation: string;
  why: string;
}

export const equivalents: Equivalent[] = [];
