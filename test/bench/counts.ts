/** What does not depend on the weather: system calls, files opened and netlink messages of one ADD and one DEL. */

import { join } from "node:path";
import { mustRun } from "../support/command.ts";
import {
  type Contender,
  contendersIn,
  FLOOR,
  LEAST,
  type LinkKind,
  MASTER,
  moveIn,
  PLUGIN,
} from "./contenders.ts";
import { Lab } from "./lab.ts";
import { exactly, type Findings, noFindings } from "./statistics.ts";

export interface CountsOptions {
  linkKind: LinkKind;
  references: string;
}

interface Counts {
  calls: number;
  opens: number;
  sends: number;
  receives: number;
  /** Of these, after the answer that tells of the master; in an ADD only. */
  sendsLater: number;
  receivesLater: number;
}

export async function countCalls({ linkKind, references }: CountsOptions): Promise<Findings> {
  const findings = noFindings();
  if (Bun.which("strace") === null) {
    findings.notes.push("No counts: strace is not installed.");
    return findings;
  }
  await using lab = await Lab.open(1);
  const all = await contendersIn(lab, { references, linkKind });
  const part = `counts, ${linkKind}`;
  await moveIn(lab, all);
  for (const contender of all.filter(({ role }) => role !== "empty")) {
    // The first pair makes the store, which is once in the life of a network.
    for (const verb of ["ADD", "DEL"] as const) await traced(lab, contender, verb);
    for (const verb of ["ADD", "DEL"] as const) {
      const counts = await traced(lab, contender, verb);
      const tell = (name: string, value: number) =>
        findings.figures.push({
          part,
          name: `${verb}, ${name}`,
          contender: contender.name,
          unit: "",
          ...exactly(value),
        });
      tell("system calls", counts.calls);
      tell("files opened", counts.opens);
      tell("netlink sends", counts.sends);
      tell("netlink receives", counts.receives);
      if (verb === "DEL") continue;
      tell("netlink sends after the master is known", counts.sendsLater);
      tell("netlink receives after the master is known", counts.receivesLater);
      if (contender.name !== PLUGIN) continue;
      findings.targets.push(
        {
          name: `ADD, netlink sends after the master is known (${linkKind})`,
          target: 4,
          unit: "",
          ...exactly(counts.sendsLater),
        },
        {
          name: `ADD, netlink receives after the master is known (${linkKind})`,
          target: 4,
          unit: "",
          ...exactly(counts.receivesLater),
        },
      );
    }
  }
  findings.notes.push(
    `${FLOOR} is the floor of test/bench/floor.c, ${LEAST} that of floor.ts; counted by strace, children included.`,
  );
  return findings;
}

async function traced(lab: Lab, contender: Contender, verb: "ADD" | "DEL"): Promise<Counts> {
  const { path, stdin, environment } = contender.program(verb, lab.containers[0]!);
  const log = join(lab.directory, "trace");
  await mustRun(["ip", "netns", "exec", lab.host.name, "strace", "-f", "-s", "4096", "-o", log, path], {
    stdin: await Bun.file(stdin).text(),
    environment,
  });
  return countsIn(await Bun.file(log).text());
}

function countsIn(log: string): Counts {
  const counts: Counts = { calls: 0, opens: 0, sends: 0, receives: 0, sendsLater: 0, receivesLater: 0 };
  const netlink = new Set<string>();
  let isMasterKnown = false;
  for (const line of wholeLines(log)) {
    const [, call, rest = ""] = /^\d+ +(\w+)\((.*)$/.exec(line) ?? [];
    if (call === undefined) continue;
    counts.calls++;
    if (call === "open" || call === "openat") counts.opens++;
    if (call === "socket") {
      const made = / = (\d+)$/.exec(rest)?.[1] ?? "";
      if (rest.startsWith("AF_NETLINK")) netlink.add(made);
      else netlink.delete(made);
    }
    if (!netlink.has(/^\d+/.exec(rest)?.[0] ?? "")) continue;
    if (call === "sendto" || call === "sendmsg") {
      counts.sends++;
      counts.sendsLater++;
      // Later requests may name the master too; the first one asks for it.
      if (!isMasterKnown && MASTER_IN_TRACE.some((text) => rest.includes(text))) {
        isMasterKnown = true;
        counts.sendsLater = 0;
      }
    }
    // A look at the length of what waits takes nothing.
    if ((call === "recvfrom" || call === "recvmsg") && !rest.includes("MSG_PEEK")) {
      counts.receives++;
      counts.receivesLater = counts.sendsLater === 0 ? 0 : counts.receivesLater + 1;
    }
  }
  return counts;
}

/** strace shows a payload it cannot name as bytes. */
const MASTER_IN_TRACE = [
  MASTER,
  Array.from(MASTER, (letter) => `\\x${letter.charCodeAt(0).toString(16)}`).join(""),
];

/** Joins the two lines of a call during which another thread called something too. */
function wholeLines(log: string): string[] {
  const begun = new Map<string, string>();
  const lines: string[] = [];
  for (const line of log.split("\n")) {
    const process = line.slice(0, line.indexOf(" "));
    if (line.endsWith("<unfinished ...>")) {
      begun.set(process, line.slice(0, -"<unfinished ...>".length));
      continue;
    }
    const [, resumed] = /<\.\.\. \w+ resumed>(.*)$/.exec(line) ?? [];
    lines.push(resumed === undefined ? line : `${begun.get(process) ?? ""}${resumed}`);
  }
  return lines;
}
