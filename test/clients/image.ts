/** An image of one layer with one program in it, as an OCI archive. */

import { type Entry, tar } from "../../src/release/tar.ts";

/** `program` is the content of /bin/busybox, `name` what the image is called, `run` what it starts. */
export function imageArchive(name: string, program: Uint8Array, run: string[]): Uint8Array {
  const blobs: Entry[] = [];
  const keep = (mediaType: string, content: Uint8Array | string) => {
    const digest = new Bun.CryptoHasher("sha256").update(content).digest("hex");
    blobs.push({ path: `blobs/sha256/${digest}`, content });
    return { mediaType, digest: `sha256:${digest}`, size: Buffer.from(content).length };
  };
  const type = (what: string) => `application/vnd.oci.image.${what}`;
  const layer = keep(
    type("layer.v1.tar"),
    tar([{ path: "bin/" }, { path: "bin/busybox", mode: 0o755, content: program }, { path: "etc/" }]),
  );
  const config = keep(
    type("config.v1+json"),
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: { Entrypoint: run },
      rootfs: { type: "layers", diff_ids: [layer.digest] },
    }),
  );
  const manifest = keep(
    type("manifest.v1+json"),
    JSON.stringify({ schemaVersion: 2, config, layers: [layer] }),
  );
  const index = {
    schemaVersion: 2,
    manifests: [{ ...manifest, annotations: { "io.containerd.image.name": name } }],
  };
  return tar([
    { path: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' },
    { path: "index.json", content: JSON.stringify(index) },
    ...blobs,
  ]);
}
