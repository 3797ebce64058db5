/** The release of netavark whose command line and answers this face has. */
const NETAVARK = "2.1.0";

/** What `--version` prints: Podman shows it as it is. */
export const VERSION = `netavark ${NETAVARK} (ipvlan ${PLUGIN_VERSION})`;

/** What `version` prints. */
export function versionDocument(): string {
  const target = `${process.arch === "arm64" ? "aarch64" : "x86_64"}-unknown-linux-gnu`;
  const document = { version: NETAVARK, ipvlan: PLUGIN_VERSION, target, default_fw_driver: "none" };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** What a plugin says of itself. */
export function infoDocument(): string {
  return `${JSON.stringify({ version: PLUGIN_VERSION, api_version: "1.0.0", name: "ipvlan" })}\n`;
}

export const USAGE = `ipvlan ${PLUGIN_VERSION}, called as Podman calls netavark or one of its plugins

  As a plugin (a link to this program in netavark's plugin directory), JSON on standard input:
    create              complete and check a network
    setup NETNS         attach a container
    teardown NETNS      detach it
    info                versions

  As netavark, for ipvlan networks: the same, and version, with the options
    -f, --file PATH             read this instead of standard input
    --plugin-directory DIR      look there for the plugins of other networks' drivers
    -c, --config DIR; -r, --rootless true|false; -a, --aardvark-binary PATH; --firewall-driver NAME
                                accepted; they change nothing for ipvlan
    -h, --help; -V, --version
`;
