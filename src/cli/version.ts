import { SUPPORTED_VERSIONS } from "../cni/version.ts";

export function version(): number {
  console.log(`ipvlan ${PLUGIN_VERSION}`);
  console.log(`CNI ${SUPPORTED_VERSIONS.join(", ")}`);
  return 0;
}
