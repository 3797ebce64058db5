import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildCodec, buildScript, codecScript } from "../../build.ts";

// What build.ts defines for the bundle, the tests find as globals.
Object.assign(globalThis, {
  CODEC_WASM: buildCodec().toBase64(),
  PLUGIN_VERSION: JSON.parse(readFileSync(join(import.meta.dir, "../../package.json"), "utf8")).version,
});
Bun.plugin(codecScript(await buildScript()));
