import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What bun.lock says of a package: name@version, registry, its metadata, and the digest of its archive. */
type LockedPackage = [resolved: string, registry: string, metadata: object, integrity: string];

/**
 * What is inside the executable, as CycloneDX 1.6 JSON: the packages whose files the bundler linked in, and Bun, whose
 * runtime it is. Without a time, so that the same build has the same bill.
 */
export function billOfMaterials(
  root: string,
  version: string,
  inputs: string[],
  executable: Uint8Array,
): string {
  const locked = readLock(root);
  const packages = [
    ...new Set(inputs.flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? [])),
  ];
  const sha256 = new Bun.CryptoHasher("sha256").update(executable).digest("hex");
  const components = packages.sort().map((name) => {
    const [resolved, , , integrity] = locked[name]!;
    const found = resolved.slice(resolved.lastIndexOf("@") + 1);
    const { license } = JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8"));
    return component("library", name, found, license, [
      { alg: "SHA-512", content: Buffer.from(integrity.replace("sha512-", ""), "base64").toString("hex") },
    ]);
  });
  const bill = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidOf(sha256)}`,
    version: 1,
    metadata: {
      component: component("application", "ipvlan", version, "Apache-2.0", [
        { alg: "SHA-256", content: sha256 },
      ]),
    },
    components: [...components, component("platform", "bun", Bun.version, "MIT", [])],
  };
  return `${JSON.stringify(bill, null, 2)}\n`;
}

function component(type: string, name: string, version: string, license: string, hashes: object[]) {
  return {
    type,
    "bom-ref": `pkg:npm/${name}@${version}`,
    name,
    version,
    licenses: [{ license: { id: license } }],
    purl: `pkg:npm/${name}@${version}`,
    ...(hashes.length === 0 ? {} : { hashes }),
  };
}

function readLock(root: string): Record<string, LockedPackage> {
  // bun.lock is JSON with commas after the last element too.
  const text = readFileSync(join(root, "bun.lock"), "utf8").replace(/,(\s*[}\]])/g, "$1");
  return (JSON.parse(text) as { packages: Record<string, LockedPackage> }).packages;
}

/** A version 8 UUID (RFC 9562) out of a digest. */
function uuidOf(digest: string): string {
  const digits = `${digest.slice(0, 12)}8${digest.slice(13, 16)}a${digest.slice(17, 32)}`;
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
