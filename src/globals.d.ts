/** What build.ts defines for the bundle; test/support/preload.ts does for the tests. */

/** The codec, a WebAssembly module, in base64. */
declare const CODEC_WASM: string;

/** The same module as a script: what `scriptOf` of build.ts makes. */
declare module "codec:script" {
  /** A codec with a memory of its own, beside what wasm/index.ts exports. */
  export function instantiate(): unknown;
}

/** The kind of link to make: "ipvlan". Only benchmarks build another one, for kernels without the driver. */
declare const LINK_KIND: "ipvlan" | "macvlan";

/** True in builds that tell where their time goes (src/profile.ts). */
declare const PROFILE: boolean;

/** The plugin's version, from package.json. */
declare const PLUGIN_VERSION: string;
