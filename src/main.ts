import { versionAnswer } from "./cni/version.ts";
import { mark, tellMarks } from "./profile.ts";

// Runtimes ask for VERSION more often than for anything else: it is answered before anything else is loaded.
const command = process.env.CNI_COMMAND;
if (command === "VERSION") {
  console.log(versionAnswer());
} else if (command) {
  if (PROFILE) mark("runtime starts");
  const { runCni } = await import("./cni/run.ts");
  if (PROFILE) mark("CNI modules load");
  const status = await runCni(async () => (await import("./ipvlan/verbs.ts")).verbs);
  if (PROFILE) tellMarks();
  process.exit(status);
} else {
  const { runCli } = await import("./cli/run.ts");
  process.exit(await runCli(process.argv.slice(2)));
}
