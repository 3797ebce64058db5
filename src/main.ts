import { versionAnswer } from "./cni/version.ts" with { type: "macro" };
import { mark, tellMarks } from "./profile.ts";

// Runtimes ask for VERSION more often than for anything else: the build writes the answer here, and nothing is loaded.
const { CNI_COMMAND: command, IPVLAN_DEBUG: log } = process.env;
const words = process.argv.slice(2);
if (log && command !== "VERSION") {
  const { startLog } = await import("./debug/log.ts");
  startLog(log, process.env);
}
// Installed under one of these names it is the IPAM plugin of that name.
const name = process.argv0.slice(process.argv0.lastIndexOf("/") + 1);
if (command === "VERSION") {
  console.log(versionAnswer());
} else if (command && (name === "host-local" || name === "static")) {
  const { runIpamPlugin } = await import("./cni/ipam-plugin.ts");
  process.exit(await runIpamPlugin(name));
} else if (command) {
  if (PROFILE) mark("runtime starts");
  const { runCni, verbs } = await import("./cni/face.ts");
  if (PROFILE) mark("CNI modules load");
  const status = await runCni(verbs);
  if (PROFILE) tellMarks();
  process.exit(status);
} else if ((await import("./netavark/command.ts")).isForNetavark(words)) {
  const { runNetavark } = await import("./netavark/run.ts");
  process.exit(await runNetavark(words));
} else {
  const { runCli } = await import("./cli/run.ts");
  process.exit(await runCli(words));
}
