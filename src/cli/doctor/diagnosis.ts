/** How bad it is: `error` keeps an ADD from working, `warning` may surprise somebody. */
export type Level = "ok" | "warning" | "error";

/** One thing the doctor has looked at. */
export interface Diagnosis {
  /** What was looked at: "driver", "master eth0". */
  subject: string;
  level: Level;
  message: string;
  /** What to do about it; nothing when all is well. */
  remedy?: string;
}

export function ok(subject: string, message: string): Diagnosis {
  return { subject, level: "ok", message };
}

export function warning(subject: string, message: string, remedy: string): Diagnosis {
  return { subject, level: "warning", message, remedy };
}

export function error(subject: string, message: string, remedy: string): Diagnosis {
  return { subject, level: "error", message, remedy };
}
