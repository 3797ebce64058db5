import { type Debug, type NetlinkAnswer, setDebug } from "../debug.ts";
import { messageOf } from "../error.ts";
import { errnoText } from "../linux/errno.ts";
import { makeDirectories, O_APPEND, O_CREAT, O_WRONLY, openFile, statusOfOpen } from "../linux/file.ts";
import { writeFrom } from "../linux/libc.ts";
import { requestsInWords } from "./netlink.ts";

/** Who reads the log may be anybody that may read the configuration; it holds no secret, but names of containers. */
const LOG_MODE = 0o600;

/**
 * Starts the log: JSON lines on standard error for "stderr", else at the end of the file `target`. A log that cannot be
 * written must not keep a container from starting: then one sentence on standard error says so. `variables` is the
 * environment of the call, whose TRACEPARENT each line carries.
 */
export function startLog(target: string, variables: Record<string, string | undefined>): void {
  let fd = 2;
  try {
    if (target !== "stderr") fd = openLog(target);
  } catch (thrown) {
    console.error(`ipvlan: no debug log: ${messageOf(thrown)}`);
    return;
  }
  setDebug(new Log(fd, variables));
}

/** Where logs are that a network asks for. */
const LOG_DIRECTORY = "/var/log/ipvlan";

/**
 * The log that a network's configuration asks for: "stderr", or the name of a file in /var/log/ipvlan. Never a path:
 * where Multus reads networks, people who are not root write them, and this program is root.
 */
export function startNetworkLog(name: string, variables: Record<string, string | undefined>): void {
  if (name === "stderr") {
    startLog(name, variables);
    return;
  }
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
    console.error(`ipvlan: no debug log: ${JSON.stringify(name)} is neither "stderr" nor the name of a file`);
    return;
  }
  try {
    makeDirectories(LOG_DIRECTORY, 0o700);
  } catch {
    // Opening the file says what is wrong.
  }
  startLog(`${LOG_DIRECTORY}/${name}`, variables);
}

function openLog(path: string): number {
  const fd = openFile(path, O_WRONLY | O_CREAT | O_APPEND, LOG_MODE);
  // Standard output belongs to the result, by whatever name it is called.
  if (statusOfOpen(fd, path).identity === statusOfOpen(1, "standard output").identity)
    throw new Error(`${path} is standard output`);
  return fd;
}

class Log implements Debug {
  readonly #fd: number;
  readonly #common: object;

  constructor(fd: number, { CNI_COMMAND, CNI_CONTAINERID, TRACEPARENT }: Record<string, string | undefined>) {
    this.#fd = fd;
    this.#common = {
      pid: process.pid,
      command: CNI_COMMAND,
      container: CNI_CONTAINERID || undefined,
      traceparent: TRACEPARENT || undefined,
    };
  }

  step(what: string, facts: object = {}): void {
    this.#write(what, facts);
  }

  netlink(request: Uint8Array, answers: NetlinkAnswer[], messages: number, tookMs: number): void {
    this.#write("netlink", {
      tookMs: rounded(tookMs),
      requests: requestsInWords(request).map((words, index) => {
        const { errno = 0, message } = answers[index] ?? {};
        const answer = errno === 0 ? "ok" : errnoText(errno);
        return { ...words, answer: message === undefined ? answer : `${answer}: ${message}` };
      }),
      ...(messages === 0 ? {} : { messages }),
    });
  }

  /** One write(2) a line: lines of processes that share a file do not mix. */
  #write(step: string, facts: object): void {
    const sinceStartMs = rounded(performance.now());
    const line = { time: new Date().toISOString(), sinceStartMs, ...this.#common, step, ...facts };
    const bytes = Buffer.from(`${JSON.stringify(line, plain)}\n`);
    writeFrom(this.#fd, bytes, bytes.length);
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** Addresses are numbers of more digits than JSON's have. */
function plain(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
