import { parseArgs } from "node:util";
import { messageOf } from "../error.ts";
import { defaultSocketPath } from "../ipam/dhcp/config.ts";
import { Daemon } from "../ipam/dhcp/daemon.ts";
import { leaseDirectory } from "../ipam/dhcp/lease-file.ts";
import { lockFile, makeDirectories } from "../linux/file.ts";
import { Reactor } from "../linux/reactor.ts";
import { listenAt } from "../linux/unix-socket.ts";

/** The first descriptor that systemd passes on (sd_listen_fds(3)). */
const LISTEN_FDS_START = 3;

/** `ipvlan dhcp-daemon`: keeps the node's DHCP leases alive until it is stopped. Returns the exit status. */
export async function dhcpDaemon(words: string[]): Promise<number> {
  try {
    const { values } = parseArgs({
      args: words,
      options: { socket: { type: "string" }, "host-prefix": { type: "string", default: "" } },
    });
    makeDirectories(leaseDirectory(), 0o700);
    // Two would both renew each lease; the kernel gives the lock back however the first one ends.
    if (lockFile(`${leaseDirectory()}/.daemon`, 0o600, 0) === undefined)
      throw new Error(`another daemon keeps the leases of ${leaseDirectory()}`);
    const listening = passedOn() ?? listenAnew(values.socket ?? defaultSocketPath());
    const daemon = new Daemon({
      reactor: new Reactor(),
      hostPrefix: values["host-prefix"],
      log: (text) => console.error(`ipvlan dhcp-daemon: ${text}`),
    });
    daemon.takeUp();
    return await daemon.serve(listening);
  } catch (thrown) {
    console.error(`ipvlan dhcp-daemon: ${messageOf(thrown)}`);
    return 1;
  }
}

/** The listening socket of systemd's socket activation, if this process was started by it. */
function passedOn(): number | undefined {
  const { LISTEN_PID, LISTEN_FDS } = process.env;
  return LISTEN_PID === String(process.pid) && Number(LISTEN_FDS) >= 1 ? LISTEN_FDS_START : undefined;
}

/** What is there is the socket of a daemon that has ended: the lock says that no other runs. */
function listenAnew(path: string): number {
  makeDirectories(path.replace(/\/[^/]*$/, "") || "/", 0o700);
  const before = process.umask(0o177);
  try {
    return listenAt(path);
  } finally {
    process.umask(before);
  }
}
