import { Failure, messageOf } from "../error.ts";
import { errnoSentence } from "../linux/errno-text.ts";

/**
 * Anything thrown as the one document that Podman reads; with a further key it would show a decoding error instead.
 */
export function errorDocument(thrown: unknown): string {
  return `${JSON.stringify({ error: errorText(thrown) })}\n`;
}

/** What failed, why, and what can be done about it, in one line; never a stack. */
export function errorText(thrown: unknown): string {
  let text = messageOf(thrown);
  // Eight causes are more than any error here has; the limit is for a chain that bites its tail.
  let cause = thrown instanceof Error ? thrown.cause : undefined;
  for (let depth = 0; cause !== undefined && cause !== null && depth < 8; depth++) {
    const reason = messageOf(cause);
    if (!text.includes(reason)) text += `: ${reason}`;
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  if (thrown instanceof Failure) {
    if (thrown.details) text += `: ${thrown.details}`;
    if (thrown.remedy) text += `; ${thrown.remedy}`;
  }
  return text;
}

/** A system call's failure in netavark's words, which its tests compare: `IO error: No such file … (os error 2)`. */
export function ioErrorText(errno: number): string {
  return `IO error: ${errnoSentence(errno)} (os error ${errno})`;
}
