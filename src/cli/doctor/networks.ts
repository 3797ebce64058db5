import { decodeConfig, type NetworkConfig, networkConfig } from "../../cni/config.ts";
import { messageOf } from "../../error.ts";
import { readConfig, readDataDir } from "../../ipam/host-local/config.ts";
import { capacityOf } from "../../ipam/host-local/range.ts";
import { checkMtu, findMaster } from "../../ipvlan/master.ts";
import { closeSocket, openSocket } from "../../linux/socket.ts";
import type { Endpoint } from "../endpoints.ts";
import { leasesOf } from "../leases.ts";
import { readNetworkFile } from "../networks.ts";
import { validateFile } from "../validate.ts";
import { type Diagnosis, error, ok, warning } from "./diagnosis.ts";
import { examineIpamProgram } from "./plugins.ts";

/** A store fuller than this is worth a word. */
const FILL_WARNING = 0.9;

/** One configuration file: is it valid, is its master there, does its mode suit the master's port, has it addresses. */
export function examineFile(path: string, endpoints: Endpoint[]): Diagnosis[] {
  const findings = validateFile(path);
  const diagnoses = findings.map(({ line, column, level, message, remedy }) =>
    (level === "error" ? error : warning)(`${path}:${line}:${column}`, message, remedy),
  );
  if (findings.some(({ level }) => level === "error")) return diagnoses;
  const { plugins, name, cniVersion } = readNetworkFile(path);
  const own = plugins.filter(({ type }) => type === "ipvlan");
  if (own.length === 0) return [...diagnoses, ok(path, `network ${name}, without ipvlan`)];
  for (const [index, plugin] of plugins.entries()) {
    if (plugin.type !== "ipvlan") continue;
    const raw = decodeConfig(Buffer.from(JSON.stringify({ ...plugin, name, cniVersion })));
    // STATUS reads as ADD does, and asks for no result of earlier plugins.
    const config = networkConfig(raw, "1.1.0", "STATUS");
    diagnoses.push(...examineNetwork(config, endpoints, index > 0));
  }
  return diagnoses;
}

function examineNetwork(config: NetworkConfig, endpoints: Endpoint[], isChained: boolean): Diagnosis[] {
  const subject = `network ${config.name}`;
  const { endpoint, ipam } = config;
  const diagnoses: Diagnosis[] = [];
  const isMasterKnown = !endpoint.linkInContainer && (endpoint.master !== undefined || !isChained);
  if (isMasterKnown) diagnoses.push(...examineMaster(subject, config, endpoints));
  if (ipam !== undefined)
    diagnoses.push(...examineIpamProgram(subject, ipam.type, ipam.fields.external === true));
  if (ipam?.type === "host-local") diagnoses.push(examineStore(subject, config));
  return diagnoses;
}

function examineMaster(subject: string, { endpoint }: NetworkConfig, endpoints: Endpoint[]): Diagnosis[] {
  const socket = openSocket();
  try {
    const master = findMaster(socket, endpoint);
    checkMtu(master, endpoint.mtu);
    const others = endpoints.filter(
      ({ master: name, state, mode, flag }) =>
        name === master.name && state !== "gone" && (mode !== endpoint.mode || flag !== endpoint.flag),
    );
    const [other] = others;
    if (other === undefined)
      return [ok(subject, `mode ${endpoint.mode}, flag ${endpoint.flag} on master ${master.name}`)];
    return [
      error(
        subject,
        `asks for mode ${endpoint.mode}, flag ${endpoint.flag}, but ${others.length} endpoints on ${master.name} are in mode ${other.mode}, flag ${other.flag}`,
        "a master has one mode and one flag: give all its networks the same, or use another master",
      ),
    ];
  } catch (thrown) {
    const { remedy } = thrown as { remedy?: string };
    return [error(subject, messageOf(thrown), remedy)];
  } finally {
    closeSocket(socket);
  }
}

/** How many of its addresses are given. */
function examineStore(subject: string, { name, cniVersion, ipam }: NetworkConfig): Diagnosis {
  const config = ipam!.fields;
  const { sets } = readConfig({
    network: name,
    cniVersion,
    config,
    attachment: { containerId: "doctor", netns: "", ifName: "eth0" },
    cniArgs: "",
    argsIps: undefined,
    runtimeIps: undefined,
    runtimeIpRanges: undefined,
    prevResult: undefined,
    validAttachments: undefined,
  });
  const count = leasesOf(readDataDir(config), name).length;
  // An endpoint takes an address of each set, so the smallest set is full first.
  const [capacity = 0n] = sets.map(capacityOf).sort((a, b) => (a < b ? -1 : 1));
  const given = Math.ceil(count / sets.length);
  const text = `${given} of ${capacity} addresses are given`;
  if (BigInt(given) >= capacity)
    return error(subject, text, "enlarge the range, or see `ipvlan gc --dry-run` for leases nobody uses");
  if (given > Number(capacity) * FILL_WARNING)
    return warning(subject, text, "enlarge the range before it is full");
  return ok(subject, text);
}
