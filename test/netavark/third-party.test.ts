/** In netavark's place: networks of other people's plugins, found through --plugin-directory. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { binary } from "../kernel/environment.ts";
import { netavark, network } from "../support/netavark.ts";
import { bed, linkOf } from "../support/netavark-bed.ts";

let directory: string;

/** Small stand-ins; each takes the words and the input that netavark gives. */
const plugins = {
  "error-plugin": `printf '{"error":"%s error"}' "$1"; exit 1`,
  "stderr-plugin": `echo "stderr $1" >&2
    [ "$1" = setup ] && echo '{"dns_search_domains":null,"interfaces":null}'; exit 0`,
  "host-device-plugin": `input=$(cat)
    link=$(echo "$input" | sed 's/.*"network_interface":"\\([^"]*\\)".*/\\1/')
    case $1 in
      setup)
        ip link set "$link" netns "\${2##*/}"
        printf '{"dns_server_ips": [], "interfaces": {"%s": {"mac_address": "%s"}}}' "$link" 02:00:00:00:00:01 ;;
      teardown) ip -n "\${2##*/}" link set "$link" netns $$ ;;
    esac`,
  "echo-plugin": `cat >"${"$0"}.$1"; echo '{}'`,
  "garbage-plugin": `echo garbage; exit 7`,
  "killed-plugin": `kill -KILL $$`,
  "plain-file": "",
};

beforeAll(async () => {
  directory = await mkdtemp("/tmp/plugins-");
  for (const [name, script] of Object.entries(plugins)) {
    await Bun.write(`${directory}/${name}`, `#!/bin/sh\n${script}\n`);
    if (script !== "") await chmod(`${directory}/${name}`, 0o755);
  }
});
afterAll(() => rm(directory, { recursive: true }));

function input(driver: string) {
  const { subnets: _, ipam_options: __, ...info } = network({ name: "plugin-net", driver });
  return {
    container_id: "someID",
    container_name: "someName",
    networks: { "plugin-net": { interface_name: "eth0" } },
    network_info: { "plugin-net": info },
  };
}

const words = (...more: string[]) => [
  "--plugin-directory",
  "/absent",
  `--plugin-directory=${directory}`,
  ...more,
];

test("a plugin's error is passed on, word for word as netavark does", async () => {
  await using world = await bed();
  for (const verb of ["setup", "teardown"]) {
    const answer = await netavark(world.host, words(verb, world.container.path), input("error-plugin"));
    expect(answer.exitCode).toBe(1);
    expect(answer.stdout).toBe(
      `{"error":"plugin \\"error-plugin\\" failed: exit code 1, message: ${verb} error"}\n`,
    );
    expect(answer.stderr).toBe("");
  }
});

test("a plugin moves an interface of the host, and moves it back", async () => {
  await using world = await bed();
  const { host, container } = world;
  const answer = await netavark(host, words("setup", container.path), input("host-device-plugin"));
  expect(answer.stdout).toContain('"interfaces":{"dummy0":');
  expect(await container.linkNames()).toEqual(["dummy0"]);
  const removed = await netavark(host, words("teardown", container.path), input("host-device-plugin"));
  expect(removed).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
  expect(await host.linkNames()).toEqual(["dummy0"]);
});

test("a plugin's standard error is ours, and what it leaves out of its answer is null", async () => {
  await using world = await bed();
  const answer = await netavark(world.host, words("setup", world.container.path), input("stderr-plugin"));
  expect(answer).toMatchObject({
    exitCode: 0,
    stderr: "stderr setup\n",
    stdout: '{"plugin-net":{"dns_search_domains":null,"dns_server_ips":null,"interfaces":null}}\n',
  });
  const removed = await netavark(world.host, words("teardown", world.container.path), input("stderr-plugin"));
  expect(removed).toMatchObject({ exitCode: 0, stdout: "", stderr: "stderr teardown\n" });
});

test("a plugin's teardown is called although the namespace has gone", async () => {
  await using world = await bed();
  const path = "/proc/does-not-exist/ns/net";
  const answer = await netavark(world.host, words("teardown", path), input("stderr-plugin"));
  expect(answer).toMatchObject({ exitCode: 0, stdout: "", stderr: "stderr teardown\n" });
});

test("a plugin gets one network, whichever way netavark was told of several", async () => {
  await using world = await bed();
  const asMap = input("echo-plugin");
  const { networks, ...rest } = { ...asMap, port_mappings: [{ container_port: 80 }] };
  const asArray = { ...rest, networks: [{ name: "plugin-net", ...networks["plugin-net"] }] };
  for (const given of [{ ...rest, networks }, asArray]) {
    await netavark(world.host, words("setup", world.container.path), given);
    expect(await Bun.file(`${directory}/echo-plugin.setup`).json()).toEqual({
      container_id: "someID",
      container_name: "someName",
      port_mappings: [{ container_port: 80 }],
      network: asMap.network_info["plugin-net"],
      network_options: { interface_name: "eth0" },
    });
  }
});

test("when a later network fails, a plugin that succeeded is told to tear down", async () => {
  await using world = await bed();
  const given = input("echo-plugin");
  const both = {
    ...given,
    networks: [
      { name: "plugin-net", interface_name: "eth0" },
      { name: "bad", interface_name: "eth1" },
    ],
    network_info: { ...given.network_info, bad: { ...network({ name: "bad", driver: "error-plugin" }) } },
  };
  await rm(`${directory}/echo-plugin.teardown`, { force: true });
  const answer = await netavark(world.host, words("setup", world.container.path), both);
  expect(answer.exitCode).toBe(1);
  expect(await Bun.file(`${directory}/echo-plugin.teardown`).json()).toMatchObject({
    container_id: "someID",
  });
});

test.each([
  ["garbage-plugin", /^plugin "garbage-plugin" failed: plugin "garbage-plugin": exit code 7, parse error: /],
  ["killed-plugin", /^plugin "killed-plugin" failed: plugin "killed-plugin" killed by signal$/],
  ["plain-file", /^unknown network driver "plain-file"$/],
  ["absent", /^unknown network driver "absent"$/],
  ["../../../bin/true", /^unknown network driver "\.\.\/\.\.\/\.\.\/bin\/true"$/],
  [
    "bridge",
    /^network plugin-net has the driver bridge, which is not served here; .*configure netavark itself$/,
  ],
  ["macvlan", /^network plugin-net has the driver macvlan, which is not served here; /],
])("driver %p", async (driver, error) => {
  await using world = await bed();
  const answer = await netavark(world.host, words("setup", world.container.path), input(driver));
  expect(answer).toMatchObject({ exitCode: 1, stderr: "", json: { error: expect.stringMatching(error) } });
});

test("this very program serves another driver's network, as a plugin of itself", async () => {
  await using world = await bed();
  await world.host.run(["ln", "-sf", binary, `${directory}/bun-ipvlan`]);
  const given = input("bun-ipvlan");
  const more = { subnets: [{ subnet: "10.88.0.0/16", gateway: "10.88.0.1" }] };
  const full = {
    ...given,
    networks: { "plugin-net": { interface_name: "eth0", static_ips: ["10.88.0.2"] } },
    network_info: { "plugin-net": { ...given.network_info["plugin-net"], ...more } },
  };
  const answer = await netavark(world.host, words("setup", world.container.path), full);
  expect(answer).toMatchObject({ exitCode: 0, stderr: "" });
  expect((await linkOf(world.container))?.linkinfo?.info_kind).toBe("ipvlan");
});

test("create goes to the plugin, whose answer must keep name, id and driver", async () => {
  await using world = await bed();
  const asked = { network: network({ driver: "echo-plugin" }), used: {}, options: {} };
  const answer = await netavark(world.host, words("create"), asked);
  expect(answer.json).toEqual({ error: "echo-plugin plugin invalid result: changed network name" });
  const failing = await netavark(world.host, words("create"), {
    ...asked,
    network: network({ driver: "error-plugin" }),
  });
  expect(failing.json).toEqual({ error: 'plugin "error-plugin" failed: exit code 1, message: create error' });
});
