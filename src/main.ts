import { versionAnswer } from "./cni/version.ts";
import { isForNetavark } from "./netavark/command.ts";

// Runtimes ask for VERSION more often than for anything else: it is answered before anything else is loaded.
const command = process.env.CNI_COMMAND;
const words = process.argv.slice(2);
if (command === "VERSION") {
  console.log(versionAnswer());
} else if (command) {
  const { runCni } = await import("./cni/run.ts");
  process.exit(await runCni(async () => (await import("./ipvlan/verbs.ts")).verbs));
} else if (isForNetavark(words)) {
  const { runNetavark } = await import("./netavark/run.ts");
  process.exit(await runNetavark(words));
} else {
  const { runCli } = await import("./cli/run.ts");
  process.exit(await runCli(words));
}
