/**
 * The floor of the runtime: what `floor.c` does, call by call, as a Bun executable built like the plugin. Between this and
 * C lies what any program of this runtime pays; between this and the plugin, what the plugin does beyond the kernel's work:
 * configuration, checks, and errors that can be understood. Never a plugin: every failure ends it. For x86_64.
 */

import type * as ffi from "bun:ffi";

// As in src/linux/libc.ts: evaluating the module itself takes 0.2 ms.
const { dlopen, ptr } = (Bun as unknown as { FFI: typeof ffi }).FFI;

/** Numbers of <asm/unistd.h>. */
const READ = 0;
const WRITE = 1;
const OPEN = 2;
const CLOSE = 3;
const FSTAT = 5;
const SOCKET = 41;
const SENDTO = 44;
const RECVFROM = 45;
const SETSOCKOPT = 54;
const FLOCK = 73;
const RENAME = 82;
const MKDIR = 83;
const UNLINK = 87;
const GETDENTS64 = 217;
const SETNS = 308;
const RENAMEAT2 = 316;

/** Flags of <fcntl.h>. */
const O_WRONLY = 1;
const O_CREAT = 0o100;
const O_TRUNC = 0o1000;
const O_CLOEXEC = 0o2000000;

/** Numbers of <linux/rtnetlink.h>, <linux/netlink.h> and <linux/if_link.h>. */
const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_NEWROUTE = 24;
const NLMSG_ERROR = 2;
const REQUEST = 1;
const ACK = 4;
const CREATE = 0x400;
const EXCL = 0x200;
const SOL_NETLINK = 270;
const CLONE_NEWNET = 0x40000000;
const ENODEV = -19;

const { symbols } = dlopen("libc.so.6", {
  // long syscall(long number, ...); 15 is i64_fast
  syscall: { args: [15, 15, 15, 15, 15, 15], returns: 15 },
});
const call = symbols.syscall as unknown as (number: number, ...rest: number[]) => number;

const environment = process.env as Record<string, string>;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const memory = new Uint8Array(65536);
const words = new Int32Array(memory.buffer);
const start = ptr(memory);
/** Texts for the kernel are written behind the messages and the answers. */
const TEXTS = 49152;
const ANSWER = 8192;

function need(got: number, what: string): number {
  if (got >= 0) return got;
  console.error(`floor: ${what}`);
  return process.exit(1);
}

let text = TEXTS;

/** The address of a text for the kernel, which ends with a NUL. */
function at(value: string): number {
  const { written } = encoder.encodeInto(value, memory.subarray(text));
  memory[text + written] = 0;
  const address = start + text;
  text += written + 1;
  return address;
}

// Netlink requests are written one behind the other from the first byte on.

let end = 0;
let message = 0;
let sequence = 0;

function begin(type: number, flags: number): void {
  message = end;
  words[(message >> 2) + 1] = type | ((flags | REQUEST) << 16);
  words[(message >> 2) + 2] = ++sequence;
  words[(message >> 2) + 3] = 0;
  end += 16;
}

function word(value: number): void {
  words[end >> 2] = value;
  end += 4;
}

function finish(): void {
  words[message >> 2] = end - message;
}

function attribute(type: number, value: number): void {
  word((type << 16) | 8);
  word(value);
}

function textAttribute(type: number, value: string): void {
  const { written } = encoder.encodeInto(value, memory.subarray(end + 4));
  memory[end + 4 + written] = 0;
  words[end >> 2] = (type << 16) | (4 + written + 1);
  end += (4 + written + 1 + 3) & ~3;
}

/** Sends what is written and returns the first error; what a link's description says of its index stays in `index`. */
function exchange(socket: number): number {
  need(call(SENDTO, socket, start, end, 0, 0), "send");
  end = 0;
  let error = 0;
  for (let isOver = false; !isOver; ) {
    const length = need(call(RECVFROM, socket, start + ANSWER, 32768, 0, 0), "recv");
    for (let place = ANSWER; place < ANSWER + length; place += (words[place >> 2]! + 3) & ~3) {
      const type = words[(place >> 2) + 1]! & 0xffff;
      if (type === RTM_NEWLINK) index = words[(place >> 2) + 5]!;
      if (type === NLMSG_ERROR && error === 0) error = words[(place >> 2) + 4]!;
      isOver ||= words[(place >> 2) + 2] === sequence;
    }
  }
  return error;
}

let index = 0;

function openSocket(): number {
  const it = need(call(SOCKET, 16, 3 | O_CLOEXEC, 0, 0, 0), "socket");
  words[text >> 2] = 1;
  for (const option of [11, 10, 12]) call(SETSOCKOPT, it, SOL_NETLINK, option, start + (text & ~3), 4);
  return it;
}

function askLink(name: string, index = 0): void {
  begin(RTM_GETLINK, 0);
  word(0);
  word(index);
  word(0);
  word(0);
  attribute(29, 8);
  if (name !== "") textAttribute(3, name);
  finish();
}

function askCreate(name: string, master: number, namespace: number): void {
  begin(RTM_NEWLINK, ACK | CREATE | EXCL);
  for (let count = 0; count < 4; count++) word(0);
  textAttribute(3, name);
  attribute(5, master);
  attribute(28, namespace);
  const information = end;
  end += 4;
  textAttribute(1, LINK_KIND);
  const data = end;
  end += 4;
  if (LINK_KIND === "macvlan") attribute(1, 4);
  else {
    word((1 << 16) | 6);
    word(0);
  }
  words[data >> 2] = (2 << 16) | (end - data);
  words[information >> 2] = (18 << 16) | (end - information);
  finish();
}

/** The address and what follows from it, in one message each, the last of which is answered. */
function askConfiguration(link: number, address: number): void {
  begin(RTM_NEWADDR, CREATE | EXCL);
  word(2 | (16 << 8));
  word(link);
  attribute(2, address);
  attribute(1, address);
  attribute(4, address | 0xffff0000);
  finish();
  begin(RTM_NEWLINK, 0);
  word(0);
  word(link);
  word(1);
  word(1);
  finish();
  begin(RTM_NEWROUTE, CREATE);
  word(2);
  word(254 | (3 << 8) | (1 << 24));
  word(0);
  attribute(5, 0x0100580a);
  attribute(4, link);
  finish();
  askLink("", link);
}

function writeFile(path: string, flags: number, content: string): void {
  const fd = need(call(OPEN, at(path), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0o600, 0, 0), path);
  need(call(WRITE, fd, at(content), content.length, 0, 0), path);
  call(CLOSE, fd, 0, 0, 0, 0);
}

function readFile(path: string): string | undefined {
  const fd = call(OPEN, at(path), O_CLOEXEC, 0, 0, 0);
  if (fd < 0) return undefined;
  const length = need(call(READ, fd, start + ANSWER, 256, 0, 0), path);
  call(CLOSE, fd, 0, 0, 0, 0);
  return decoder.decode(memory.subarray(ANSWER, ANSWER + length));
}

function lock(directory: string): number {
  call(MKDIR, at(directory), 0o755, 0, 0, 0);
  const fd = need(call(OPEN, at(`${directory}/lock`), O_CREAT | O_CLOEXEC, 0o750, 0, 0), "lock");
  need(call(FLOCK, fd, 2, 0, 0, 0), "flock");
  return fd;
}

/** The next address after the last one given, as host-local keeps it, in the order of the network's bytes. */
function lease(directory: string, owner: string): [address: number, name: string] {
  const locked = lock(directory);
  const cursor = `${directory}/last_reserved_ip.0`;
  const staging = `${directory}/new`;
  const last = (readFile(cursor) ?? "10.88.0.1").split(".");
  let next = Number(last[2]) * 256 + Number(last[3]);
  for (;;) {
    next = next >= 0xfffe ? 2 : next + 1;
    const name = `10.88.${next >> 8}.${next & 255}`;
    writeFile(staging, O_TRUNC, owner);
    if (call(RENAMEAT2, -100, at(staging), -100, at(`${directory}/${name}`), 1) !== 0) continue;
    writeFile(staging, O_TRUNC, name);
    need(call(RENAME, at(staging), at(cursor), 0, 0, 0), "rename");
    call(CLOSE, locked, 0, 0, 0, 0);
    return [10 | (88 << 8) | ((next >> 8) << 16) | ((next & 255) << 24), name];
  }
}

function release(directory: string, owner: string): void {
  const locked = lock(directory);
  const all = need(call(OPEN, at(directory), 0o200000 | O_CLOEXEC, 0, 0, 0), directory);
  const names: string[] = [];
  for (;;) {
    const length = need(call(GETDENTS64, all, start + ANSWER, 32768, 0, 0), directory);
    if (length === 0) break;
    for (
      let place = ANSWER;
      place < ANSWER + length;
      place += memory[place + 16]! | (memory[place + 17]! << 8)
    ) {
      const nul = memory.indexOf(0, place + 19);
      if (memory[place + 19] === 0x31) names.push(decoder.decode(memory.subarray(place + 19, nul)));
    }
  }
  call(CLOSE, all, 0, 0, 0, 0);
  for (const name of names)
    if (readFile(`${directory}/${name}`) === owner) call(UNLINK, at(`${directory}/${name}`), 0, 0, 0, 0);
  call(CLOSE, locked, 0, 0, 0, 0);
}

function openNamespace(path: string): number {
  const fd = need(call(OPEN, at(path), O_CLOEXEC, 0, 0, 0), path);
  need(call(FSTAT, fd, start + ANSWER, 0, 0, 0), path);
  return fd;
}

const enter = (namespace: number) => need(call(SETNS, namespace, CLONE_NEWNET, 0, 0, 0), "setns");

if (environment.CNI_COMMAND === "VERSION") {
  console.log('{"cniVersion":"1.1.0","supportedVersions":["1.0.0","1.1.0"]}');
  process.exit(0);
}
need(call(READ, 0, start + ANSWER, 32768, 0, 0), "configuration");
const [name, id, store] = [environment.CNI_IFNAME!, environment.CNI_CONTAINERID!, environment.FLOOR_DATA!];
const record = `${environment.FLOOR_RUN}/${id},${name}`;
const owner = `${id}\r\n${name}`;
const container = openNamespace(environment.CNI_NETNS!);
const home = openNamespace("/proc/thread-self/ns/net");
const host = openSocket();
enter(container);
const inside = openSocket();
enter(home);
if (environment.CNI_COMMAND === "ADD") {
  askLink(name);
  need(exchange(inside) === ENODEV ? 0 : -1, "the name is taken");
  askLink(environment.FLOOR_MASTER!);
  need(exchange(host), "master");
  writeFile(record, O_TRUNC, "{}");
  askCreate(name, index, container);
  need(exchange(host), "create");
  askLink(name);
  need(exchange(inside), "link");
  const link = index;
  const [address, addressText] = lease(store, owner);
  enter(container);
  writeFile(`/proc/sys/net/ipv4/conf/${name}/arp_notify`, 0, "1");
  writeFile(`/proc/sys/net/ipv6/conf/${name}/ndisc_notify`, 0, "1");
  enter(home);
  askConfiguration(link, address);
  need(exchange(inside), "configure");
  const answer = `{"cniVersion":"1.0.0","interfaces":[{"name":"${name}"}],"ips":[{"address":"${addressText}/16"}]}\n`;
  need(call(WRITE, 1, at(answer), answer.length, 0, 0), "answer");
} else {
  release(store, owner);
  askLink(name);
  if (exchange(inside) === 0) {
    begin(RTM_DELLINK, ACK);
    word(0);
    word(index);
    word(0);
    word(0);
    finish();
    need(exchange(inside), "delete");
  }
  call(UNLINK, at(record), 0, 0, 0, 0);
}
process.exit(0);
