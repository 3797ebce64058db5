import { versionAnswer } from "./cni/version.ts";

// Runtimes ask for VERSION more often than for anything else: it is answered before anything else is loaded.
const command = process.env.CNI_COMMAND;
if (command === "VERSION") {
  console.log(versionAnswer());
} else if (command) {
  const { runCni } = await import("./cni/run.ts");
  process.exit(await runCni(async () => (await import("./ipvlan/verbs.ts")).verbs));
} else {
  const { runCli } = await import("./cli/run.ts");
  process.exit(await runCli(process.argv.slice(2)));
}
