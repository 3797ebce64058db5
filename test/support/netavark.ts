/** Calls the binary as Podman and netavark do, and describes networks as they would. */

import { binary } from "../kernel/environment.ts";
import type { Output } from "./command.ts";
import type { Namespace } from "./namespace.ts";

export interface Answer extends Output {
  /** stdout as JSON; undefined when it is empty or is no JSON. */
  json: unknown;
}

/** Runs the binary, or another program, in the namespace `host` with these words; `input` goes to stdin as JSON. */
export async function podmanCall(
  host: Namespace,
  words: string[],
  input: object | string = "",
  program = binary,
): Promise<Answer> {
  const output = await host.run([program, ...words], {
    stdin: typeof input === "string" ? input : JSON.stringify(input),
    environment: { PATH: process.env.PATH ?? "", RUST_LOG: "netavark=warn" },
  });
  return { ...output, json: parsed(output.stdout) };
}

/** As `podmanCall`, with the options that Podman gives netavark itself. */
export function netavark(
  host: Namespace,
  words: string[],
  input: object | string = "",
  program = binary,
): Promise<Answer> {
  const options = ["--config", "/run/containers/networks", "--rootless=false", "--aardvark-binary="];
  return podmanCall(host, [...options, ...words], input, program);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export type Json = Record<string, unknown>;

/** An ipvlan network as netavark is told of it. */
export function network(more: Json = {}): Json {
  return {
    name: "podman",
    id: "2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9",
    driver: "ipvlan",
    network_interface: "dummy0",
    subnets: [{ subnet: "10.88.0.0/16", gateway: "10.88.0.1" }],
    ipv6_enabled: false,
    internal: false,
    dns_enabled: false,
    ipam_options: { driver: "host-local" },
    ...more,
  };
}

/** One container on one network, as a plugin is told of it. */
export function pluginInput(more: { network?: Json; options?: Json } = {}): Json {
  return {
    container_id: "someID",
    container_name: "someName",
    port_mappings: null,
    network: network({ driver: "bun-ipvlan", ...more.network }),
    network_options: { interface_name: "eth0", static_ips: ["10.88.0.2"], ...more.options },
  };
}

/** One container on one network, as netavark is told of it. */
export function netavarkInput(more: { network?: Json; options?: Json } = {}): Json {
  const info = network(more.network);
  const { name } = info as { name: string };
  return {
    container_id: "someID",
    container_name: "someName",
    networks: { [name]: { interface_name: "eth0", static_ips: ["10.88.0.2"], ...more.options } },
    network_info: { [name]: info },
  };
}
