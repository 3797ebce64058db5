import { debug } from "../debug.ts";
import { decodeUtf8, encodeUtf8 } from "../text.ts";
import { check } from "./errno.ts";
import { close, open, readInto, writeFrom } from "./libc.ts";

const O_RDONLY_CLOEXEC = 0o2000000;
const O_WRONLY_CLOEXEC = 0o2000001;

/** /proc/sys path of a network setting: `netPath("ipv4/conf", "eth0", "arp_notify")`. Names may hold dots. */
export function netPath(folder: string, ifName: string, setting: string): string {
  return `/proc/sys/net/${folder}/${ifName}/${setting}`;
}

/** Reads a setting of the namespace the process is in. Throws KernelError. */
export function readSysctl(path: string): string {
  const fd = check(open(path, O_RDONLY_CLOEXEC), "open", path);
  try {
    const memory = new Uint8Array(256);
    const got = check(readInto(fd, memory, memory.length), "read", path);
    return decodeUtf8(memory.subarray(0, got)).trim();
  } finally {
    close(fd);
  }
}

/** Writes a setting of the namespace the process is in. Throws KernelError. */
export function writeSysctl(path: string, value: string): void {
  debug?.step("sysctl", { path, value });
  const fd = check(open(path, O_WRONLY_CLOEXEC), "open", path);
  try {
    const bytes = encodeUtf8(value);
    check(writeFrom(fd, bytes, bytes.length), "write", path);
  } finally {
    close(fd);
  }
}
