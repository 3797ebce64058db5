import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildCodec, codecScript, scriptOf } from "../../build.ts";

const codec = buildCodec();

// What build.ts defines for the bundle, the tests find as globals.
Object.assign(globalThis, {
  CODEC_WASM: codec.toBase64(),
  PLUGIN_VERSION: JSON.parse(readFileSync(join(import.meta.dir, "../../package.json"), "utf8")).version,
});
Bun.plugin(codecScript(await scriptOf(codec)));
