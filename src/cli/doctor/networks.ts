import { decodeConfig, type NetworkConfig, networkConfig } from "../../cni/config.ts";
import { messageOf } from "../../error.ts";
import { checkMtu, findMaster } from "../../ipvlan/master.ts";
import { portName } from "../../ipvlan/port.ts";
import { findVlan } from "../../ipvlan/vlan.ts";
import { closeNamespace, openOwnNamespace } from "../../linux/netns.ts";
import { withSocket } from "../../linux/socket.ts";
import type { Endpoint } from "../endpoints.ts";
import { configurationDirectory, configurationFiles, readNetworkFile } from "../networks.ts";
import { validateFile } from "../validate.ts";
import { examineDhcp } from "./dhcp.ts";
import { type Diagnosis, error, ok, warning } from "./diagnosis.ts";
import { examineProgram, isInside } from "./plugins.ts";
import { examineStore } from "./store.ts";

/** What a network wants a master to be; `port` is that of ipvlan/port.ts. */
interface Wish {
  network: string;
  port: string;
  master: string;
  setting: string;
}

/** The configurations given, or all of the directory that runtimes read, one by one and beside each other. */
export function examineFiles(given: string[], endpoints: Endpoint[]): Diagnosis[] {
  const directory = configurationDirectory();
  const files = given.length > 0 ? given : configurationFiles(directory);
  if (files.length === 0)
    return [
      warning(
        "networks",
        `there is no configuration in ${directory}`,
        "write one; NETCONFPATH names another directory",
      ),
    ];
  const wishes: Wish[] = [];
  const diagnoses = files.flatMap((path) => examineFile(path, endpoints, wishes));
  return [...diagnoses, ...compareWishes(wishes)];
}

/** One file: is it valid, are its programs and its master there, does its mode suit the master's port, has it addresses. */
function examineFile(path: string, endpoints: Endpoint[], wishes: Wish[]): Diagnosis[] {
  const findings = validateFile(path);
  const diagnoses = findings.map(({ line, column, level, message, remedy }) =>
    (level === "error" ? error : warning)(
      `${path}:${line}:${column}`,
      message,
      remedy ?? "correct it; docs/configuration.md has every key",
    ),
  );
  if (findings.some(({ level }) => level === "error")) return diagnoses;
  const { plugins, name, cniVersion } = readNetworkFile(path);
  if (!plugins.some(({ type }) => type === "ipvlan"))
    return [...diagnoses, ok(path, `network ${name}, without ipvlan`)];
  for (const [index, plugin] of plugins.entries()) {
    if (plugin.type !== "ipvlan") {
      diagnoses.push(...examineProgram(`network ${name}`, "plugin", String(plugin.type)));
      continue;
    }
    const raw = decodeConfig(Buffer.from(JSON.stringify({ ...plugin, name, cniVersion })));
    // STATUS reads as ADD does, and asks for no result of earlier plugins.
    const config = networkConfig(raw, "1.1.0", "STATUS");
    diagnoses.push(...examineNetwork(config, endpoints, index > 0, wishes));
  }
  return diagnoses;
}

function examineNetwork(
  config: NetworkConfig,
  endpoints: Endpoint[],
  isChained: boolean,
  wishes: Wish[],
): Diagnosis[] {
  const subject = `network ${config.name}`;
  const { endpoint, ipam } = config;
  const diagnoses: Diagnosis[] = [];
  const isMasterKnown =
    !endpoint.linkInContainer &&
    (endpoint.master !== undefined || endpoint.options?.masters !== undefined || !isChained);
  if (isMasterKnown) diagnoses.push(examineMaster(subject, config, endpoints, wishes));
  if (ipam === undefined) return diagnoses;
  if (!isInside(ipam.type, ipam.fields.external === true))
    diagnoses.push(...examineProgram(subject, "IPAM plugin", ipam.type));
  else if (ipam.type === "host-local") diagnoses.push(...examineStore(subject, config, endpoints));
  else if (ipam.type === "dhcp") diagnoses.push(...examineDhcp(subject, config, endpoints));
  return diagnoses;
}

function examineMaster(
  subject: string,
  { name: network, endpoint }: NetworkConfig,
  endpoints: Endpoint[],
  wishes: Wish[],
): Diagnosis {
  const home = openOwnNamespace();
  try {
    return withSocket((socket) => {
      const base = findMaster(socket, endpoint);
      checkMtu(base, endpoint.mtu);
      const { vlan, allowPortChange } = endpoint.options ?? {};
      const setting = `mode ${endpoint.mode}, flag ${endpoint.flag}`;
      const master = vlan === undefined ? base : findVlan(socket, base.index, vlan);
      if (master === undefined)
        return ok(subject, `${setting} on VLAN ${vlan} of ${base.name}, which the first ADD makes`);
      const port = portName(home, master);
      if (!allowPortChange) wishes.push({ network, port, master: master.name, setting });
      const others = endpoints.filter(
        ({ port: other, state, mode, flag }) =>
          other === port &&
          !["gone", "missing"].includes(state) &&
          (mode !== endpoint.mode || flag !== endpoint.flag),
      );
      const [other] = others;
      if (other === undefined) return ok(subject, `${setting} on master ${master.name}`);
      const present = `${others.length} endpoints on ${master.name} are in mode ${other.mode}, flag ${other.flag}`;
      if (allowPortChange)
        return warning(
          subject,
          `asks for ${setting}: ${present}, and its next ADD changes them`,
          "leave allowPortChange out if that is not meant",
        );
      return error(
        subject,
        `asks for ${setting}, but ${present}`,
        "a master has one mode and one flag: give all its networks the same, or use another master",
      );
    });
  } catch (thrown) {
    const { remedy } = thrown as { remedy?: string };
    return error(subject, messageOf(thrown), remedy ?? "docs/errors.md explains it");
  } finally {
    closeNamespace(home);
  }
}

/** Networks that cannot have endpoints at the same time. */
function compareWishes(wishes: Wish[]): Diagnosis[] {
  return [...new Set(wishes.map(({ port }) => port))].flatMap((port) => {
    const some = wishes.filter((wish) => wish.port === port);
    const settings = [...new Set(some.map(({ setting }) => setting))];
    if (settings.length === 1) return [];
    const parts = settings.map((setting) => {
      const names = some.filter((wish) => wish.setting === setting).map(({ network }) => network);
      return `${setting} for ${names.join(", ")}`;
    });
    return [
      warning(
        `master ${some[0]!.master}`,
        `its networks ask for ${parts.join("; ")}: whose endpoint comes first keeps the others out`,
        "give all of them the same mode and flag, or another master",
      ),
    ];
  });
}
