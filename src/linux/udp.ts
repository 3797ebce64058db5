import { check } from "./errno.ts";
import { bind, close, socket } from "./libc.ts";

const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC_NONBLOCK = 2 | 0o2000000 | 0o4000;

/** Binds a UDP socket to an IPv4 address (its four bytes) in the namespace the process is in. Throws KernelError. */
export function openUdpSocket(address: Uint8Array, port: number): number {
  const fd = check(socket(AF_INET, SOCK_DGRAM_CLOEXEC_NONBLOCK, 0), "socket", "UDP");
  // struct sockaddr_in: family, port, address, padding.
  const name = new Uint8Array(16);
  name[0] = AF_INET;
  new DataView(name.buffer).setUint16(2, port);
  name.set(address, 4);
  const bound = bind(fd, name);
  if (bound < 0) close(fd);
  check(bound, "bind", `UDP port ${port}`);
  return fd;
}

/** Closes it. */
export function closeUdpSocket(fd: number): void {
  close(fd);
}
