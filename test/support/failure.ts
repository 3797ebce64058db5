import { Failure } from "../../src/error.ts";

/** The Failure that `work` throws; an Error when it throws nothing, whatever else it throws as it is. */
export function failureOf(work: () => unknown): Failure {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof Failure) return thrown;
    throw thrown;
  }
  throw new Error("it did not throw");
}
