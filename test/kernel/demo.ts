/** Runs the plugin's own demonstration: here when this kernel has ipvlan, else under a test kernel. */

import { join } from "node:path";
import { binary, guestCommand, hasNativeDriver, setUp } from "./environment.ts";

const demo = [binary, "demo"];
const child = Bun.spawn(hasNativeDriver() ? demo : await underTestKernel(), {
  stdio: ["inherit", "inherit", "inherit"],
});
process.exitCode = await child.exited;

async function underTestKernel(): Promise<string[]> {
  const cache = await setUp();
  if (cache === null) {
    console.error("demo: needs a kernel with ipvlan and root, or Debian on x86_64 to run a test kernel");
    process.exit(1);
  }
  console.log("This kernel has no ipvlan for us; the demo runs under a test kernel (User Mode Linux 7.x).");
  const environment = { CNI_PATH: join(cache, "reference-1.9.1") };
  return guestCommand({ kernel: "7", timeoutSeconds: 120, environment }, demo);
}
