/** What build.ts defines for the bundle; test/support/preload.ts does for the tests. */

/** The codec, a WebAssembly module, in base64. */
declare const CODEC_WASM: string;

/** The plugin's version, from package.json. */
declare const PLUGIN_VERSION: string;
